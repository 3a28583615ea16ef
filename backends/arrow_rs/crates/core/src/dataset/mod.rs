//! One file, open for any number of readers.

mod cache;
pub mod forms;
pub mod metadata;
pub mod names;
pub mod parts;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::{Fields, Schema, SchemaRef};

use crate::dataset::forms::Forms;
use crate::dataset::metadata::Meta;
use crate::dataset::parts::Part;
use crate::error::{Error, Kind, Place, Result};
use crate::guard::guard;
use crate::source::LocalFile;

/// One Parquet file: its footer and an open descriptor. Cheap to clone; starts no thread.
#[derive(Clone, Debug)]
pub struct Dataset {
    file: LocalFile,
    meta: Arc<Meta>,
}

impl Dataset {
    /// Read and check the footer, or take it from the cache where the file is unchanged.
    ///
    /// Fails where the file is missing, unreadable or not sound Parquet.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let file = LocalFile::open(path)?;
        if let Some(meta) = cache::get(file.stamp()) {
            return Ok(Self { file, meta });
        }
        let place = Place { file: Some(file.path().to_owned()), ..Place::default() };
        let meta = guard(|| Meta::read(&file)).map_err(|error| error.within(&place))?;
        let meta = Arc::new(meta);
        cache::remember(file.stamp(), &meta);
        Ok(Self { file, meta })
    }

    pub fn path(&self) -> &Path {
        self.file.path()
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.meta.schema
    }

    /// Rows of each row group, in file order.
    pub fn row_group_rows(&self) -> Vec<u64> {
        // Checked not to be negative when the footer was read.
        self.meta.parquet.row_groups().iter().map(|group| group.num_rows().cast_unsigned()).collect()
    }

    pub fn num_rows(&self) -> u64 {
        self.row_group_rows().iter().sum()
    }

    pub(crate) fn file(&self) -> &LocalFile {
        &self.file
    }

    pub(crate) fn meta(&self) -> &Arc<Meta> {
        &self.meta
    }

    pub(crate) fn place(&self) -> Place {
        Place { file: Some(self.path().to_owned()), ..Place::default() }
    }

    /// What of which columns the names mean, in file order; all for None.
    pub(crate) fn parts(&self, names: Option<&[String]>) -> Result<Vec<Part>> {
        Part::of_names(self.meta.parquet.file_metadata().schema_descr(), names)
    }

    /// Refuse what is encrypted.
    pub(crate) fn check_readable(&self, parts: &[Part]) -> Result<()> {
        let is_read = |leaf: &&usize| parts.iter().any(|part| part.leaves.contains(leaf));
        let Some(&leaf) = self.meta.encrypted.iter().find(is_read) else { return Ok(()) };
        let schema = self.meta.parquet.file_metadata().schema_descr();
        let place = Place { column: Some(schema.column(leaf).path().string()), ..Place::default() };
        Err(Error::new(Kind::Unsupported, "the column is encrypted").within(&place))
    }

    /// The schema of batches of these columns.
    pub(crate) fn batch_schema(&self, parts: &[Part], forms: Forms) -> SchemaRef {
        let fields: Fields = parts.iter().map(|part| self.meta.shape(part, forms).field).collect();
        Arc::new(Schema::new_with_metadata(fields, self.schema().metadata().clone()))
    }
}
