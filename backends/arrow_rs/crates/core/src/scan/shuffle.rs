//! Rows shuffled within blocks: a bounded buffer, an order that depends on seed and epoch alone, and a
//! place to resume that is two numbers.

use std::ops::Range;

use arrow_array::RecordBatch;
use arrow_select::interleave::interleave_record_batch;

use crate::error::{Error, Result};
use crate::memory::size::in_memory;
use crate::random::Random;

pub struct Shuffle {
    seeds: [u64; 2],
    /// Batches of the source that make a block.
    block_batches: usize,
    batch_rows: usize,
    /// The block that is being collected, or delivered where `order` is not empty.
    block: Vec<RecordBatch>,
    /// Rows of the source before the block, and in it.
    start: u64,
    rows: u64,
    /// Batch and row of each row of the block, in the order of delivery.
    order: Vec<(usize, usize)>,
    delivered: usize,
    /// Rows of the first block that were delivered before the resume.
    skip: usize,
}

impl Shuffle {
    /// `progress` is what `progress` said where a pass goes on that another began.
    pub fn new(seeds: &[u64; 2], block_batches: usize, batch_rows: usize, progress: (u64, u64)) -> Self {
        Self {
            seeds: *seeds,
            block_batches,
            batch_rows,
            block: Vec::new(),
            start: progress.0,
            rows: 0,
            order: Vec::new(),
            delivered: 0,
            skip: in_memory(progress.1),
        }
    }

    /// Take a batch that `rows` rows of the source were filtered to.
    pub fn push(&mut self, batch: RecordBatch, rows: u64) {
        self.block.push(batch);
        self.rows += rows;
        if self.block.len() == self.block_batches {
            self.begin_delivery();
        }
    }

    /// No more batches come. True where rows of the last block are to be delivered.
    pub fn finish(&mut self) -> bool {
        if self.block.is_empty() {
            return false;
        }
        self.begin_delivery();
        true
    }

    fn begin_delivery(&mut self) {
        let rows_of =
            |(index, batch): (usize, &RecordBatch)| (0..batch.num_rows()).map(move |row| (index, row));
        self.order = self.block.iter().enumerate().flat_map(rows_of).collect();
        Random::new(&[self.seeds[0], self.seeds[1], self.start]).shuffle(&mut self.order);
        self.delivered = std::mem::take(&mut self.skip).min(self.order.len());
        if self.order.is_empty() {
            self.end_block();
        }
    }

    fn end_block(&mut self) {
        self.start += std::mem::take(&mut self.rows);
        self.block.clear();
        self.order.clear();
        self.delivered = 0;
    }

    /// The next shuffled batch, or None where more of the source is needed.
    pub fn next(&mut self) -> Option<Result<RecordBatch>> {
        if self.order.is_empty() {
            return None;
        }
        let range = self.delivered..self.order.len().min(self.delivered + self.batch_rows);
        if range.is_empty() {
            self.end_block();
            return None;
        }
        Some(self.pick(range))
    }

    fn pick(&mut self, range: Range<usize>) -> Result<RecordBatch> {
        let batches: Vec<_> = self.block.iter().collect();
        let picked = interleave_record_batch(&batches, &self.order[range.clone()]);
        self.delivered = range.end;
        if self.delivered == self.order.len() {
            self.end_block();
        }
        picked.map_err(|error| Error::limit(error.to_string()))
    }

    /// Rows of the source before the current block, and rows of the block that were delivered.
    pub fn progress(&self) -> (u64, u64) {
        let delivered = if self.order.is_empty() { self.skip } else { self.delivered };
        (self.start, delivered as u64)
    }
}
