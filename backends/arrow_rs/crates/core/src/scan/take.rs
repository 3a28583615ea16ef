//! Rows by their number in the file.

use std::sync::Arc;

use arrow_array::{Array, RecordBatch, UInt64Array};
use arrow_select::take::take_record_batch;

use crate::dataset::Dataset;
use crate::decode::concat::join;
use crate::decode::decoder::{Decoder, Recipe};
use crate::error::{Error, Result};
use crate::memory::pool::Pool;
use crate::plan::{self, Piece};
use crate::scan::options::ScanOptions;

impl Dataset {
    /// The rows with these numbers, in the order asked for; a number may come more than once.
    ///
    /// Only the pages that hold them are decompressed. Of the options those are used that say which columns, what
    /// strings come as, and what a page and the batch may take.
    pub fn take(&self, indices: &[u64], options: &ScanOptions) -> Result<RecordBatch> {
        self.take_rows(indices, options).map_err(|error| error.within(&self.place()))
    }

    fn take_rows(&self, indices: &[u64], options: &ScanOptions) -> Result<RecordBatch> {
        if let Some(bad) = indices.iter().find(|&&index| index >= self.num_rows()) {
            return Err(Error::usage(format!("no row {bad} (the file has {})", self.num_rows())));
        }
        let parts = self.parts(options.columns.as_deref())?;
        let schema = self.batch_schema(&parts, options.forms);
        let mut sorted = indices.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let recipe = Recipe {
            dataset: self.clone(),
            parts,
            schema: schema.clone(),
            forms: options.forms,
            batch_rows: sorted.len().max(1),
            max_page_bytes: options.max_page_bytes,
            max_batch_bytes: options.max_batch_bytes,
            interrupt: None,
        };
        let pieces = pieces(&self.row_group_rows(), &sorted)?;
        let mut decoder =
            Decoder::new(&recipe, &pieces, false, Arc::default(), Arc::new(Pool::default()), None)?;
        let mut batches = Vec::new();
        while let Some(batch) = decoder.next()? {
            batches.push(batch);
        }
        let failed = |error: arrow_schema::ArrowError| Error::limit(error.to_string());
        let found = join(&schema, &batches)?;
        if sorted == indices {
            return Ok(found);
        }
        check_copies(&found, &sorted, indices, options.max_batch_bytes)?;
        let places: UInt64Array =
            indices.iter().map(|index| sorted.binary_search(index).ok().map(|place| place as u64)).collect();
        take_record_batch(&found, &places).map_err(failed)
    }
}

/// Refuse rows that are asked for so often that a column of them takes too much.
fn check_copies(found: &RecordBatch, sorted: &[u64], indices: &[u64], max_batch_bytes: u64) -> Result<()> {
    if indices.len() == sorted.len() {
        return Ok(());
    }
    let mut copies = vec![0_u64; sorted.len()];
    for index in indices {
        if let Ok(row) = sorted.binary_search(index) {
            copies[row] += 1;
        }
    }
    for column in found.columns() {
        let mut bytes = 0_u64;
        for (row, &copies) in copies.iter().enumerate() {
            let one = column.to_data().slice(row, 1).get_slice_memory_size();
            let one = one.map_err(|error| Error::limit(error.to_string()))?;
            bytes = bytes.saturating_add(copies.saturating_mul(one as u64));
        }
        if bytes > max_batch_bytes {
            return Err(Error::limit(format!(
                "the rows asked for take {bytes} bytes, more than max_batch_bytes={max_batch_bytes}"
            )));
        }
    }
    Ok(())
}

/// Runs of consecutive rows as pieces. `sorted` has no duplicates.
fn pieces(rows: &[u64], sorted: &[u64]) -> Result<Vec<Piece>> {
    let all = plan::groups(rows, None)?;
    Ok(sorted
        .chunk_by(|a, b| a + 1 == *b)
        .flat_map(|run| plan::slice(&all, run[0], run[0] + run.len() as u64))
        .collect())
}
