//! One file, open for any number of readers.

mod cache;
pub mod metadata;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::{Fields, Schema, SchemaRef};

use crate::dataset::metadata::{Meta, Strings, with_strings};
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

    /// Refuse columns of which a part is encrypted.
    pub(crate) fn check_readable(&self, roots: &[usize]) -> Result<()> {
        let schema = self.meta.parquet.file_metadata().schema_descr();
        let of_root = |leaf: &&usize| roots.contains(&schema.get_column_root_idx(**leaf));
        let Some(&leaf) = self.meta.encrypted.iter().find(of_root) else { return Ok(()) };
        let place = Place { column: Some(schema.column(leaf).path().string()), ..Place::default() };
        Err(Error::new(Kind::Unsupported, "the column is encrypted").within(&place))
    }

    /// Positions of top-level columns, in file order. Unknown names are an error that lists what there is.
    pub fn roots(&self, names: Option<&[String]>) -> Result<Vec<usize>> {
        let fields = self.schema().fields();
        let Some(names) = names else { return Ok((0..fields.len()).collect()) };
        let mut roots = names
            .iter()
            .map(|name| {
                fields.iter().position(|field| field.name() == name).ok_or_else(|| {
                    let all: Vec<_> = fields.iter().map(|field| field.name().as_str()).collect();
                    Error::usage(format!("no column '{name}' (the file has: {})", all.join(", ")))
                })
            })
            .collect::<Result<Vec<_>>>()?;
        roots.sort_unstable();
        roots.dedup();
        Ok(roots)
    }

    /// The schema of batches of these columns.
    pub(crate) fn batch_schema(&self, roots: &[usize], strings: Strings) -> SchemaRef {
        let fields = self.schema().fields();
        let picked: Fields = roots.iter().map(|&root| fields[root].clone()).collect();
        let picked = if strings == Strings::AsStored { picked } else { with_strings(&picked, strings) };
        Arc::new(Schema::new_with_metadata(picked, self.schema().metadata().clone()))
    }
}
