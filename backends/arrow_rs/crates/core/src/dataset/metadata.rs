//! What a footer says, in the forms that decoding needs.

use std::sync::{Arc, OnceLock};

use arrow_schema::{DataType, Field, Fields, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels};
use parquet::file::metadata::ParquetMetaData;

use crate::error::Result;
use crate::format::footer::{self, Footer};
use crate::source::LocalFile;

/// How text arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strings {
    /// As the file declares it, which is mostly Utf8: every string copied once into its batch.
    #[default]
    AsStored,
    /// Utf8View: batches point into decompressed pages and keep them alive.
    View,
    /// Dictionary(Int32, Utf8): what repeats is stored once per batch.
    Dictionary,
}

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

    /// How to decode one top-level column.
    pub fn levels(&self, root: usize, strings: Strings) -> Result<FieldLevels> {
        if strings != Strings::AsStored {
            return self.make_levels(root, &with_strings(self.schema.fields(), strings));
        }
        if let Some(levels) = self.levels[root].get() {
            return Ok(levels.clone());
        }
        let made = self.make_levels(root, self.schema.fields())?;
        Ok(self.levels[root].get_or_init(|| made).clone())
    }

    fn make_levels(&self, root: usize, fields: &Fields) -> Result<FieldLevels> {
        let columns = self.parquet.file_metadata().schema_descr();
        let levels =
            parquet_to_arrow_field_levels(columns, ProjectionMask::roots(columns, [root]), Some(fields))?;
        Ok(levels)
    }

    /// About how many bytes are held.
    pub fn bytes(&self) -> usize {
        self.parquet.memory_size() + self.schema.fields().len() * size_of::<ParquetRecordBatchReader>()
    }
}

/// The fields with their text as asked for, at every depth.
pub fn with_strings(fields: &Fields, strings: Strings) -> Fields {
    fields
        .iter()
        .map(|field| Field::clone(field).with_data_type(string_type(field.data_type(), strings)))
        .collect()
}

fn string_type(stored: &DataType, strings: Strings) -> DataType {
    let inner =
        |field: &Field| Arc::new(field.clone().with_data_type(string_type(field.data_type(), strings)));
    match (stored, strings) {
        (DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View, Strings::View) => DataType::Utf8View,
        (DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View, Strings::Dictionary) => {
            DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into())
        }
        (DataType::List(field), _) => DataType::List(inner(field)),
        (DataType::LargeList(field), _) => DataType::LargeList(inner(field)),
        (DataType::Struct(fields), _) => DataType::Struct(with_strings(fields, strings)),
        (other, _) => other.clone(),
    }
}
