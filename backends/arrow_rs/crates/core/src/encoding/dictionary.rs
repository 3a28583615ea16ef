//! Values as indices into a dictionary.

use bytes::Bytes;

use super::decoder::{Decoder, Sink};
use super::hybrid::Runs;
use crate::error::Result;

pub struct Indices(Runs);

impl Indices {
    pub fn new(page: &Bytes) -> Result<Self> {
        // A page of nulls may be empty.
        let width = page.first().copied().unwrap_or(0);
        let runs = page.slice(page.len().min(1)..);
        Ok(Self(Runs::new(runs, width.into())?))
    }
}

impl<S: Sink> Decoder<S> for Indices {
    fn read(&mut self, count: usize, sink: &mut S) -> Result<()> {
        sink.reserve_entries(count)?;
        self.0.each_part(count, |indices| sink.append_entries(indices))
    }

    fn skip(&mut self, count: usize) -> Result<()> {
        self.0.skip(count)
    }
}
