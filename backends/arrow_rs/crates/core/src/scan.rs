//! One pass over a file, batch by batch.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::error::{Error, Kind, Place, Result};
use crate::guard::guard;
use crate::meta::Dataset;

#[derive(Clone, Debug)]
pub struct ScanOptions {
    /// Top-level column names, `None` for all.
    pub columns: Option<Vec<String>>,
    /// Row groups in the order in which to read them, `None` for all.
    pub row_groups: Option<Vec<usize>>,
    /// Rows of a batch; the last one may be smaller.
    pub batch_rows: usize,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self { columns: None, row_groups: None, batch_rows: 1024 }
    }
}

/// An iterator of batches. After an error or the end it stays at its end.
pub struct Scan {
    reader: Option<ParquetRecordBatchReader>,
    schema: SchemaRef,
    place: Place,
}

impl Scan {
    pub(crate) fn new(dataset: &Dataset, options: &ScanOptions) -> Result<Self> {
        if options.batch_rows == 0 {
            return Err(Error::usage("batch_size must be at least 1"));
        }
        let groups = dataset.row_group_rows().len();
        if let Some(bad) = options.row_groups.iter().flatten().find(|&&group| group >= groups) {
            return Err(Error::usage(format!("no row group {bad} (the file has {groups})")));
        }
        let metadata = dataset.metadata().clone();
        let mut schema = metadata.schema().clone();
        let mask = match &options.columns {
            None => ProjectionMask::all(),
            Some(names) => {
                let mut roots = dataset.column_indices(names)?;
                roots.sort_unstable();
                schema = schema.project(&roots).map_err(|e| Error::usage(e.to_string()))?.into();
                ProjectionMask::roots(metadata.parquet_schema(), roots)
            }
        };
        let reader = guard(|| {
            let mut builder =
                ParquetRecordBatchReaderBuilder::new_with_metadata(dataset.file().clone(), metadata)
                    .with_batch_size(options.batch_rows)
                    .with_projection(mask);
            if let Some(row_groups) = &options.row_groups {
                builder = builder.with_row_groups(row_groups.clone());
            }
            Ok(builder.build()?)
        })?;
        Ok(Self { reader: Some(reader), schema, place: dataset.place() })
    }

    /// The schema of the batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Let go of everything; later calls of `next` return `None`.
    pub fn close(&mut self) {
        self.reader = None;
    }
}

impl Iterator for Scan {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut reader = self.reader.take()?;
        let step = guard(|| {
            let batch = reader.next().transpose();
            let batch = batch.map_err(|error| Error::new(Kind::Corrupt, error.to_string()))?;
            Ok(batch.map(|batch| (batch, reader)))
        });
        match step {
            Ok(None) => None,
            Ok(Some((batch, reader))) => {
                self.reader = Some(reader);
                Some(Ok(batch))
            }
            Err(error) => Some(Err(error.within(&self.place))),
        }
    }
}
