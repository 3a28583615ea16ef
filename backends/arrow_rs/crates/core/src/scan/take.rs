//! Rows by their number in the file.

use std::sync::Arc;

use arrow_array::{RecordBatch, UInt64Array};
use arrow_select::take::take_record_batch;

use crate::dataset::Dataset;
use crate::dataset::metadata::Strings;
use crate::decode::concat::join;
use crate::decode::decoder::{Decoder, Recipe};
use crate::defaults::{MAX_BATCH_BYTES, MAX_PAGE_BYTES};
use crate::error::{Error, Result};
use crate::memory::pool::Pool;
use crate::plan::{self, Piece};

impl Dataset {
    /// The rows with these numbers, in the order asked for; a number may come more than once.
    ///
    /// Only the pages that hold them are decompressed.
    pub fn take(&self, indices: &[u64], columns: Option<&[String]>, strings: Strings) -> Result<RecordBatch> {
        self.take_rows(indices, columns, strings).map_err(|error| error.within(&self.place()))
    }

    fn take_rows(
        &self,
        indices: &[u64],
        columns: Option<&[String]>,
        strings: Strings,
    ) -> Result<RecordBatch> {
        if let Some(bad) = indices.iter().find(|&&index| index >= self.num_rows()) {
            return Err(Error::usage(format!("no row {bad} (the file has {})", self.num_rows())));
        }
        let roots = self.roots(columns)?;
        let schema = self.batch_schema(&roots, strings);
        let mut sorted = indices.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let recipe = Recipe {
            dataset: self.clone(),
            roots,
            schema: schema.clone(),
            strings,
            batch_rows: sorted.len().max(1),
            max_page_bytes: MAX_PAGE_BYTES,
            max_batch_bytes: MAX_BATCH_BYTES,
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
        let places: UInt64Array =
            indices.iter().map(|index| sorted.binary_search(index).ok().map(|place| place as u64)).collect();
        take_record_batch(&found, &places).map_err(failed)
    }
}

/// Runs of consecutive rows as pieces. `sorted` has no duplicates.
fn pieces(rows: &[u64], sorted: &[u64]) -> Result<Vec<Piece>> {
    let all = plan::groups(rows, None)?;
    Ok(sorted
        .chunk_by(|a, b| a + 1 == *b)
        .flat_map(|run| plan::slice(&all, run[0], run[0] + run.len() as u64))
        .collect())
}
