//! Plain values: numbers one after another, byte arrays each behind its length.

use bytes::Bytes;

use super::decoder::{ByteArraySink, Decoder, Number, NumberSink};
use super::values_end_early;
use crate::error::Result;

/// The length in front of each byte array.
pub const LENGTH_BYTES: usize = 4;

/// The length at `at`.
pub fn length_at(page: &[u8], at: usize) -> Result<usize> {
    let size = page.get(at..).and_then(|rest| rest.first_chunk::<LENGTH_BYTES>());
    Ok(u32::from_le_bytes(*size.ok_or_else(values_end_early)?) as usize)
}

/// The byte array whose length is at `at`.
pub fn value_at(page: &[u8], at: usize) -> Result<&[u8]> {
    let (size, rest) = page
        .get(at..)
        .and_then(|rest| rest.split_first_chunk::<LENGTH_BYTES>())
        .ok_or_else(values_end_early)?;
    rest.get(..u32::from_le_bytes(*size) as usize).ok_or_else(values_end_early)
}

/// Numbers of a page, from `at` on.
pub struct Numbers {
    page: Bytes,
    at: usize,
}

impl Numbers {
    pub fn new(page: Bytes) -> Self {
        Self { page, at: 0 }
    }

    /// The bytes of the next `count` numbers.
    fn take<N: Number>(&mut self, count: usize) -> Result<&[u8]> {
        let size = count.saturating_mul(N::BYTES);
        let taken = self.page[self.at..].get(..size).ok_or_else(values_end_early)?;
        self.at += size;
        Ok(taken)
    }
}

impl<S: NumberSink> Decoder<S> for Numbers {
    fn read(&mut self, count: usize, sink: &mut S) -> Result<()> {
        let bytes = self.take::<S::Number>(count)?;
        sink.append(bytes.chunks_exact(S::Number::BYTES).map(S::Number::from_page))
    }

    fn skip(&mut self, count: usize) -> Result<()> {
        self.take::<S::Number>(count).map(drop)
    }
}

/// Byte arrays of a page, from `at` on.
pub struct ByteArrays {
    page: Bytes,
    at: usize,
}

impl ByteArrays {
    pub fn new(page: Bytes) -> Self {
        Self { page, at: 0 }
    }
}

impl<S: ByteArraySink> Decoder<S> for ByteArrays {
    fn read(&mut self, count: usize, sink: &mut S) -> Result<()> {
        let Self { page, at } = self;
        let mut next = *at;
        let values = (0..count).map(|_| {
            let value = value_at(page, *at)?;
            *at += LENGTH_BYTES + value.len();
            Ok(value)
        });
        let start = |size| {
            let start = next + LENGTH_BYTES;
            next = start + size;
            start
        };
        // SAFETY: each value lies behind its length, which lies behind the value before.
        unsafe { sink.append(page, values, start) }
    }

    fn skip(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            self.at += LENGTH_BYTES + value_at(&self.page, self.at)?.len();
        }
        Ok(())
    }
}
