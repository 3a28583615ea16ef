//! What a footer says, in the forms that decoding needs.

use std::sync::{Arc, OnceLock};

use arrow_schema::{Field, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels};
use parquet::file::metadata::ParquetMetaData;

use crate::dataset::forms::{Forms, Shape, as_views, with_parts_of_maps};
use crate::dataset::parts::Part;
use crate::error::Result;
use crate::format::footer::{self, Footer};
use crate::source::LocalFile;

/// What the footer says.
#[derive(Debug)]
pub struct Meta {
    pub parquet: Arc<ParquetMetaData>,
    pub schema: SchemaRef,
    /// Leaves that cannot be read, in ascending order.
    pub encrypted: Vec<usize>,
    levels: Vec<OnceLock<FieldLevels>>,
}

impl Meta {
    pub fn read(file: &LocalFile) -> Result<Self> {
        let Footer { metadata, encrypted } = footer::read(file)?;
        let parquet = Arc::new(metadata);
        let schema = footer::arrow_schema(&parquet)?;
        let levels = schema.fields().iter().map(|_| OnceLock::new()).collect();
        Ok(Self { parquet, schema, encrypted, levels })
    }

    /// How decoders of arrow-rs make a part of a column, with views for text: see `as_views`.
    pub fn levels(&self, part: &Part, forms: Forms) -> Result<FieldLevels> {
        if !part.is_whole || forms != Forms::default() {
            return self.make_levels(part, forms);
        }
        if let Some(levels) = self.levels[part.root].get() {
            return Ok(levels.clone());
        }
        let made = self.make_levels(part, forms)?;
        Ok(self.levels[part.root].get_or_init(|| made).clone())
    }

    fn make_levels(&self, part: &Part, forms: Forms) -> Result<FieldLevels> {
        let columns = self.parquet.file_metadata().schema_descr();
        let shape = self.shape(part, forms);
        let with_lists = shape.has_parts_of_maps.then(|| with_parts_of_maps(columns, part)).transpose()?;
        let mask = ProjectionMask::leaves(columns, part.leaves.iter().copied());
        let mut fields = self.schema.fields().to_vec();
        let hint = as_views(shape.hint.data_type());
        fields[part.root] = Arc::new(Field::clone(&shape.hint).with_data_type(hint));
        let columns = with_lists.as_ref().unwrap_or(columns);
        Ok(parquet_to_arrow_field_levels(columns, mask, Some(&fields.into()))?)
    }

    pub fn shape(&self, part: &Part, forms: Forms) -> Shape {
        let columns = self.parquet.file_metadata().schema_descr();
        Shape::of(&self.schema.fields()[part.root], columns, part, forms)
    }

    /// About how many bytes are held.
    pub fn bytes(&self) -> usize {
        self.parquet.memory_size() + self.schema.fields().len() * size_of::<ParquetRecordBatchReader>()
    }
}
