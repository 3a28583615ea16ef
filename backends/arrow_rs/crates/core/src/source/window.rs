//! A piece of the file in memory: what was read last, shared by all columns of a decoding thread.
//!
//! A page's compressed bytes are needed only while it is decompressed, so one window serves every column.

use std::ops::Range;

use crate::error::Result;
use crate::memory::pool::Pool;
use crate::memory::size::in_memory;
use crate::source::LocalFile;

#[derive(Debug, Default)]
pub struct Window {
    bytes: Vec<u8>,
    /// File offset of the first byte.
    start: u64,
    /// How many bytes are valid.
    length: usize,
}

impl Window {
    /// At least `need` bytes from `at`; as many as are there without reading more. Where the file must be
    /// read, `need + ahead` bytes are, but never past `end`.
    ///
    /// The caller has checked that `at + need` is within the file and within `end`.
    pub fn get(
        &mut self,
        file: &LocalFile,
        pool: &Pool,
        at: u64,
        need: usize,
        ahead: usize,
        end: u64,
    ) -> Result<&[u8]> {
        let held = self.held(at);
        if held.len() >= need {
            return Ok(&self.bytes[held]);
        }
        let want = need.saturating_add(ahead).min(in_memory(end - at));
        let kept = held.len();
        self.bytes.copy_within(held, 0);
        // What is in the window is not true until it was read.
        (self.start, self.length) = (at, 0);
        if self.bytes.len() < want {
            let more = want - self.bytes.len();
            pool.charge(more);
            self.bytes.reserve_exact(more);
            self.bytes.resize(want, 0);
        }
        file.read_exact_at(&mut self.bytes[kept..want], at + kept as u64)?;
        self.length = want;
        Ok(&self.bytes[..want])
    }

    /// How much memory the window takes: what it charged to the pool.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Where in `bytes` the part of the window from `at` on is.
    fn held(&self, at: u64) -> Range<usize> {
        match at.checked_sub(self.start).and_then(|skip| usize::try_from(skip).ok()) {
            Some(skip) if skip <= self.length => skip..self.length,
            _ => 0..0,
        }
    }
}
