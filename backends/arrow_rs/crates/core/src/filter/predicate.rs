//! Rows that do not match are dropped, and columns that were only compared.

use arrow_array::{BooleanArray, RecordBatch};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::filter::filter_record_batch;

use crate::dataset::Dataset;
use crate::error::{Error, Kind, Result};
use crate::filter::comparison::Comparison;
use crate::filter::condition::Condition;
use crate::format::bounds::Notation;

/// A comparison bound to a column of a file.
pub struct Filter {
    pub column: String,
    pub root: usize,
    pub condition: Condition,
}

impl Filter {
    fn new(dataset: &Dataset, comparison: &Comparison) -> Result<Self> {
        let root = dataset.roots(Some(std::slice::from_ref(&comparison.column)))?[0];
        let condition = Condition::new(comparison, dataset.schema().field(root).data_type())?;
        Ok(Self { column: comparison.column.clone(), root, condition })
    }

    /// The leaf column, and how its bounds are written; None for columns whose bounds are not made use of.
    pub fn notation(&self, dataset: &Dataset) -> Option<(usize, Notation)> {
        let file = dataset.meta().parquet.file_metadata();
        let schema = file.schema_descr();
        let leaf = (0..schema.num_columns()).find(|&leaf| schema.get_column_root_idx(leaf) == self.root)?;
        let is_flat = schema.get_column_root(leaf).is_primitive() && schema.column(leaf).max_rep_level() == 0;
        let order = file.column_orders().and_then(|orders| orders.get(leaf)).copied();
        let data_type = dataset.schema().field(self.root).data_type();
        let notation = Notation::of(&schema.column(leaf), order, data_type)?;
        is_flat.then_some((leaf, notation))
    }
}

/// Comparisons bound to the columns of a file.
pub struct Predicate {
    /// The columns to read: those that are wanted and those that are compared.
    pub roots: Vec<usize>,
    pub filters: Vec<Filter>,
    /// The wanted columns, as positions in `roots`.
    wanted: Vec<usize>,
    schema: SchemaRef,
}

impl Predicate {
    /// Fails where a value does not fit its column.
    pub fn new(
        dataset: &Dataset,
        comparisons: &[Comparison],
        wanted: &[usize],
        schema: SchemaRef,
    ) -> Result<Self> {
        let filters = comparisons.iter().map(|comparison| Filter::new(dataset, comparison));
        let filters = filters.collect::<Result<Vec<_>>>()?;
        let mut roots = wanted.to_vec();
        roots.extend(filters.iter().map(|filter| filter.root));
        roots.sort_unstable();
        roots.dedup();
        let wanted = wanted.iter().filter_map(|root| roots.binary_search(root).ok()).collect();
        Ok(Self { roots, filters, wanted, schema })
    }

    /// The wanted columns of the rows that match.
    pub fn filter(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut mask: Option<BooleanBuffer> = None;
        for filter in &self.filters {
            let Ok(at) = self.roots.binary_search(&filter.root) else {
                return Err(Error::usage(format!("no column '{}'", filter.column)));
            };
            let matches = filter.condition.matches(batch.column(at))?;
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
