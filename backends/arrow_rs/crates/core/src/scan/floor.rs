//! What no scan of a file can do without: the time of its codec, and the memory of its pages.

use std::sync::Arc;

use parquet::file::metadata::ColumnChunkMetaData;

use crate::dataset::Dataset;
use crate::error::Result;
use crate::guard::guard;
use crate::pages::chunk::{decompress_all, in_hand};
use crate::pages::workbench::Workbench;
use crate::scan::options::MAX_PAGE_BYTES;

impl Dataset {
    /// Read and decompress every page of the columns in the calling thread, and throw it away: what remains
    /// of a scan when nothing is decoded. Returns the decompressed bytes.
    pub fn decompress(&self, columns: Option<&[String]>) -> Result<u64> {
        self.sum_over_chunks(columns, decompress_all).map(|groups| groups.iter().sum())
    }

    /// What the dictionary and the largest page of each of the columns take together, decompressed, in the row
    /// group where that is most: the pages that a scan has in hand.
    pub fn pages_in_hand(&self, columns: Option<&[String]>) -> Result<u64> {
        self.sum_over_chunks(columns, in_hand).map(|groups| groups.into_iter().max().unwrap_or(0))
    }

    /// For each row group, the sum of a figure of each of its chunks.
    fn sum_over_chunks(
        &self,
        columns: Option<&[String]>,
        figure: impl Fn(&Arc<Workbench>, usize, &ColumnChunkMetaData) -> Result<u64>,
    ) -> Result<Vec<u64>> {
        let roots = self.roots(columns)?;
        let parquet = &self.meta().parquet;
        let schema = parquet.file_metadata().schema_descr();
        // There are no batches.
        let limits = (MAX_PAGE_BYTES, u64::MAX);
        let bench = Workbench::new(self.file().clone(), limits, Arc::default(), None, Arc::default());
        let bench = Arc::new(bench);
        let mut sums = Vec::new();
        for (index, group) in parquet.row_groups().iter().enumerate() {
            let mut sum = 0;
            for (leaf, chunk) in group.columns().iter().enumerate() {
                if roots.binary_search(&schema.get_column_root_idx(leaf)).is_ok() {
                    let found = guard(|| figure(&bench, index, chunk));
                    sum += found.map_err(|error| error.within(&self.place()))?;
                }
            }
            sums.push(sum);
        }
        Ok(sums)
    }
}
