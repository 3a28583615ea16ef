//! Rows that do not match are dropped, and columns that were only compared.

use arrow_array::{BooleanArray, RecordBatch};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::filter::filter_record_batch;

use crate::dataset::Dataset;
use crate::error::{Error, Kind, Result};
use crate::filter::comparison::Comparison;

/// Comparisons bound to the columns of a file.
pub struct Predicate {
    /// The columns to read: those that are wanted and those that are compared.
    pub roots: Vec<usize>,
    pub comparisons: Vec<Comparison>,
    /// The wanted columns, as positions in `roots`.
    wanted: Vec<usize>,
    schema: SchemaRef,
}

impl Predicate {
    pub fn new(
        dataset: &Dataset,
        comparisons: &[Comparison],
        wanted: &[usize],
        schema: SchemaRef,
    ) -> Result<Self> {
        let mut roots = wanted.to_vec();
        for comparison in comparisons {
            let root = dataset.roots(Some(std::slice::from_ref(&comparison.column)))?[0];
            // A literal that does not fit the column should fail now, not at the first batch.
            comparison.check(dataset.schema().field(root).data_type())?;
            roots.push(root);
        }
        roots.sort_unstable();
        roots.dedup();
        let wanted = wanted.iter().filter_map(|root| roots.binary_search(root).ok()).collect();
        Ok(Self { roots, comparisons: comparisons.to_vec(), wanted, schema })
    }

    /// The wanted columns of the rows that match.
    pub fn filter(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut mask: Option<BooleanBuffer> = None;
        for comparison in &self.comparisons {
            let column = batch
                .column_by_name(&comparison.column)
                .ok_or_else(|| Error::usage(format!("no column '{}'", comparison.column)))?;
            let matches = comparison.matches(column)?;
            mask = Some(match mask {
                None => matches,
                Some(before) => &before & &matches,
            });
        }
        let failed = |error: ArrowError| Error::new(Kind::Unsupported, error.to_string());
        let wanted = batch.project(&self.wanted).map_err(failed)?;
        let wanted = RecordBatch::try_new_with_options(
            self.schema.clone(),
            wanted.columns().to_vec(),
            &arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows())),
        )
        .map_err(failed)?;
        match mask {
            Some(mask) => filter_record_batch(&wanted, &BooleanArray::new(mask, None)).map_err(failed),
            None => Ok(wanted),
        }
    }
}
