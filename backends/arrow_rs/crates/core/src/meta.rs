//! The footer, read once and checked.

use std::path::{Path, PathBuf};

use arrow_schema::SchemaRef;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::PageIndexPolicy;

use crate::error::{Error, Place, Result};
use crate::guard::guard;
use crate::scan::{Scan, ScanOptions};
use crate::source::LocalFile;

/// One Parquet file: its footer and an open descriptor. Cheap to clone; starts no thread.
#[derive(Clone, Debug)]
pub struct Dataset {
    file: LocalFile,
    metadata: ArrowReaderMetadata,
}

impl Dataset {
    /// Read the footer. Fails where the file is missing, unreadable or not Parquet.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let file = LocalFile::open(path)?;
        let place = Place { file: Some(file.path().to_owned()), ..Place::default() };
        let options = ArrowReaderOptions::new()
            .with_page_index_policy(PageIndexPolicy::Skip)
            .with_offset_index_policy(PageIndexPolicy::Optional);
        let metadata =
            guard(|| Ok(ArrowReaderMetadata::load(&file, options)?)).map_err(|e| e.within(&place))?;
        Ok(Self { file, metadata })
    }

    pub fn path(&self) -> &Path {
        self.file.path()
    }

    pub fn schema(&self) -> &SchemaRef {
        self.metadata.schema()
    }

    /// Rows of each row group, in file order.
    pub fn row_group_rows(&self) -> Vec<u64> {
        self.metadata.metadata().row_groups().iter().map(|group| group.num_rows() as u64).collect()
    }

    pub fn num_rows(&self) -> u64 {
        self.row_group_rows().iter().sum()
    }

    pub fn scan(&self, options: &ScanOptions) -> Result<Scan> {
        Scan::new(self, options).map_err(|error| error.within(&self.place()))
    }

    pub(crate) fn file(&self) -> &LocalFile {
        &self.file
    }

    pub(crate) fn metadata(&self) -> &ArrowReaderMetadata {
        &self.metadata
    }

    pub(crate) fn place(&self) -> Place {
        Place { file: Some(self.path().to_owned()), ..Place::default() }
    }

    /// The indices of top-level columns by name. Unknown names are an error that lists what there is.
    pub fn column_indices(&self, names: &[String]) -> Result<Vec<usize>> {
        let fields = self.schema().fields();
        names
            .iter()
            .map(|name| {
                fields.iter().position(|field| field.name() == name).ok_or_else(|| {
                    let all: Vec<_> = fields.iter().map(|field| field.name().as_str()).collect();
                    Error::usage(format!("no column '{name}' (the file has: {})", all.join(", ")))
                })
            })
            .collect()
    }
}
