//! What no scan of a file can do without: the time of its codec, and the memory of its pages.

use std::sync::Arc;

use crate::dataset::Dataset;
use crate::defaults::MAX_PAGE_BYTES;
use crate::error::Result;
use crate::guard::guard;
use crate::pages::chunk::{Chunk, Handling};
use crate::pages::chunk_pages::ChunkPages;
use crate::pages::context::ReadContext;
use crate::pages::headers::{Headers, PEEK_BYTES};

impl Dataset {
    /// Read and decompress every page of the columns in the calling thread, and throw it away: what remains
    /// of a scan when nothing is decoded. Returns the decompressed bytes.
    pub fn decompress(&self, columns: Option<&[String]>) -> Result<u64> {
        self.sum_over_chunks(columns, decompressed_bytes).map(|groups| groups.iter().sum())
    }

    /// What the dictionary and the largest page of each of the columns take together, decompressed, in the row
    /// group where that is most: the pages that a scan has in hand.
    pub fn pages_in_hand(&self, columns: Option<&[String]>) -> Result<u64> {
        self.sum_over_chunks(columns, bytes_in_hand).map(|groups| groups.into_iter().max().unwrap_or(0))
    }

    /// For each row group, the sum of a figure of each of its chunks.
    fn sum_over_chunks(
        &self,
        columns: Option<&[String]>,
        figure: impl Fn(Chunk) -> Result<u64>,
    ) -> Result<Vec<u64>> {
        let parts = self.parts(columns)?;
        self.check_readable(&parts)?;
        let parquet = &self.meta().parquet;
        // There are no batches.
        let limits = (MAX_PAGE_BYTES, u64::MAX);
        let context = ReadContext::new(self.file().clone(), limits, Arc::default(), None, Arc::default());
        let context = Arc::new(context);
        let mut sums = Vec::new();
        for (index, group) in parquet.row_groups().iter().enumerate() {
            let mut sum = 0;
            let rows = group.num_rows().cast_unsigned();
            for &leaf in parts.iter().flat_map(|part| &part.leaves) {
                let metadata = group.column(leaf);
                let chunk =
                    Chunk::new(context.clone(), Arc::default(), (index, rows), metadata, Handling::default());
                let found = guard(|| figure(chunk));
                sum += found.map_err(|error| error.within(&self.place()))?;
            }
            sums.push(sum);
        }
        Ok(sums)
    }
}

/// Read and decompress every page of a chunk and throw it away.
fn decompressed_bytes(chunk: Chunk) -> Result<u64> {
    let mut pages = ChunkPages::new(chunk, None, false, None);
    let mut bytes = 0;
    while let Some(page) = pages.next_page()? {
        bytes += page.buffer().len() as u64;
    }
    Ok(bytes)
}

/// What the dictionary and the largest page of a chunk take together, decompressed: whoever reads page by page
/// has that in hand. Only headers are read.
fn bytes_in_hand(chunk: Chunk) -> Result<u64> {
    let mut headers = Headers::new(&chunk, None);
    let (mut dictionary, mut largest) = (0, 0);
    while let Some(page) = headers.peek(&chunk, PEEK_BYTES)? {
        let bytes = page.header.uncompressed_bytes as u64;
        let place = if page.header.body.is_data() { &mut largest } else { &mut dictionary };
        *place = bytes.max(*place);
        headers.pass(page);
    }
    Ok(dictionary + largest)
}
