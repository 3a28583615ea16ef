//! Rows that do not match are dropped, and columns that were only compared.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{ArrowError, DataType, Field, SchemaRef};
use arrow_select::filter::filter_record_batch;

use crate::dataset::Dataset;
use crate::dataset::forms::{Forms, leaf_types};
use crate::dataset::names;
use crate::dataset::parts::Part;
use crate::error::{Error, Kind, Result};
use crate::filter::comparison::Comparison;
use crate::filter::condition::Condition;
use crate::format::bounds::Notation;

/// A comparison bound to a column of a file, or to what is in its structs.
pub struct Filter {
    pub column: String,
    pub condition: Condition,
    /// The place in `Predicate::parts` of what it is read with, and the fields of structs on the way to it.
    at: usize,
    path: Vec<usize>,
    /// Its only leaf, and how the bounds of that are written, where these are made use of.
    bounds: Option<(usize, Notation)>,
}

impl Filter {
    /// Reads it with one of the parts, or adds one.
    fn new(dataset: &Dataset, comparison: &Comparison, parts: &mut Vec<Part>, forms: Forms) -> Result<Self> {
        let column = &comparison.column;
        let meta = dataset.meta();
        let schema = meta.parquet.file_metadata().schema_descr();
        let named = names::find(schema, column)?;
        let depth = named.depth.ok_or_else(|| {
            Error::usage(format!(
                "'{column}' is within a list or a map: a row has no single value to compare"
            ))
        })?;
        let is_in = |leaf: &usize| named.leaves.contains(leaf);
        let at = parts.iter().position(|part| part.leaves.iter().any(is_in)).unwrap_or_else(|| {
            // Where it is null any leaf of it tells.
            let leaf = named.leaves.start;
            parts.push(Part::of_leaf(schema, leaf));
            parts.len() - 1
        });
        let part = &parts[at];
        let before = part.leaves.iter().take_while(|leaf| **leaf < named.leaves.start).count();
        let shape = meta.shape(part, forms);
        let (path, data_type) = descend(shape.field.data_type(), depth, before);
        let condition = Condition::new(comparison, data_type)?;
        let bounds = bounds(dataset, &named.leaves, data_type);
        Ok(Self { column: column.clone(), condition, at, path, bounds })
    }

    /// The leaf column, and how its bounds are written; None for columns whose bounds are not made use of.
    pub fn bounds(&self) -> Option<(usize, Notation)> {
        self.bounds
    }

    fn matches(&self, batch: &RecordBatch) -> Result<BooleanBuffer> {
        let mut around = Vec::new();
        let mut values = batch.column(self.at);
        for &field in &self.path {
            let group = values.as_struct();
            around.extend(group.nulls());
            values = group.column(field);
        }
        let matches = self.condition.matches(values)?;
        // What is in a struct that is not there is null.
        Ok(around.into_iter().fold(matches, |matches, nulls| {
            if self.condition.takes_nulls() { &matches | &!nulls.inner() } else { &matches & nulls.inner() }
        }))
    }
}

/// The fields of structs on the way to what is `depth` structs deep and has `leaf` leaves before it, and its type.
fn descend(mut data_type: &DataType, depth: usize, mut leaf: usize) -> (Vec<usize>, &DataType) {
    let mut path = Vec::new();
    while let (DataType::Struct(fields), true) = (data_type, path.len() < depth) {
        let mut at = 0;
        let leaves = |field: &Field| {
            let mut leaves = Vec::new();
            leaf_types(field.data_type(), &mut leaves);
            leaves.len()
        };
        while at + 1 < fields.len() && leaves(&fields[at]) <= leaf {
            leaf -= leaves(&fields[at]);
            at += 1;
        }
        path.push(at);
        data_type = fields[at].data_type();
    }
    (path, data_type)
}

fn bounds(dataset: &Dataset, leaves: &Range<usize>, data_type: &DataType) -> Option<(usize, Notation)> {
    let file = dataset.meta().parquet.file_metadata();
    let column = file.schema_descr().column(leaves.start);
    let is_one_a_row = leaves.len() == 1 && column.max_rep_level() == 0;
    let order = file.column_orders().and_then(|orders| orders.get(leaves.start)).copied();
    let notation = Notation::of(&column, order, data_type)?;
    is_one_a_row.then_some((leaves.start, notation))
}

/// Comparisons bound to the columns of a file.
pub struct Predicate {
    /// What is read: what is wanted, and what is compared.
    pub parts: Vec<Part>,
    pub filters: Vec<Filter>,
    /// What is wanted, as positions in `parts`.
    wanted: Vec<usize>,
    schema: SchemaRef,
}

impl Predicate {
    /// Fails where a value does not fit its column.
    pub fn new(
        dataset: &Dataset,
        comparisons: &[Comparison],
        (mut parts, forms): (Vec<Part>, Forms),
        schema: SchemaRef,
    ) -> Result<Self> {
        let wanted = (0..parts.len()).collect();
        let filters =
            comparisons.iter().map(|comparison| Filter::new(dataset, comparison, &mut parts, forms));
        let filters = filters.collect::<Result<Vec<_>>>()?;
        Ok(Self { parts, filters, wanted, schema })
    }

    /// The wanted columns of the rows that match.
    pub fn filter(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut mask: Option<BooleanBuffer> = None;
        for filter in &self.filters {
            let matches = filter.matches(batch)?;
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
