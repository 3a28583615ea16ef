//! A bound on what one batch of a column takes: of its pages, and of memory for what is decoded from them.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use parquet::basic::{Encoding, Type};

use crate::encoding::is_dictionary;
use crate::error::{Error, Result};
use crate::format::page_header::{Body, PageHeader};
use crate::pages::chunk::{Chunk, Marker};

/// Room for a batch of one column, which is taken before anything is reserved.
#[derive(Clone)]
pub struct Room {
    marker: Arc<Marker>,
    limit: u64,
}

impl Room {
    pub fn new(marker: Arc<Marker>, limit: u64) -> Self {
        Self { marker, limit }
    }

    /// Of `count` things of `bytes` each.
    pub fn take(&self, count: usize, bytes: usize) -> Result<()> {
        let more = (count as u64).saturating_mul(bytes as u64);
        let before = self.marker.decoded.fetch_add(more, Relaxed);
        if before.saturating_add(more) > self.limit { Err(exceeded(self.limit)) } else { Ok(()) }
    }
}

/// As much as anybody asks for.
impl Default for Room {
    fn default() -> Self {
        Self::new(Arc::default(), u64::MAX)
    }
}

fn exceeded(limit: u64) -> Error {
    Error::limit(format!("a batch takes more than max_batch_bytes={limit}; smaller batches take less"))
}

/// Count the page that is next, and refuse a batch that takes too much: rows of nested values can be of any
/// size, and a few bytes can stand for millions of them.
pub fn charge(chunk: &Chunk, header: &PageHeader) -> Result<()> {
    let (Body::Data { values, encoding, .. } | Body::DataV2 { values, encoding, .. }) = header.body else {
        return Ok(());
    };
    let reserved = reserved(chunk, values, encoding);
    let bytes = (header.uncompressed_bytes as u64).saturating_add(reserved);
    let limit = chunk.context.max_batch_bytes;
    // A batch of a single page is bounded as that is, but not what is reserved for its values.
    let before = chunk.marker.taken.fetch_add(bytes, Relaxed);
    if reserved > limit || before > 0 && before.saturating_add(bytes) > limit {
        return Err(exceeded(limit));
    }
    Ok(())
}

/// Memory for the levels of nested values, and for values of a fixed width that are not in the page, where
/// `charge_entries` does not tell more.
fn reserved(chunk: &Chunk, values: u32, encoding: Encoding) -> u64 {
    if !chunk.is_repeated() || chunk.handling.nesting.is_some() {
        return 0;
    }
    let width = chunk.width.filter(|_| is_dictionary(encoding)).unwrap_or(0);
    u64::from(values).saturating_mul(width.saturating_add(LEVELS_BYTES))
}

/// Of each entry, as 16-bit integers.
const LEVELS_BYTES: u64 = 4;

/// Count what decoders of arrow-rs reserve for so many nested entries: levels and values.
pub fn charge_entries(chunk: &Chunk, entries: usize) -> Result<()> {
    let value_bytes = match chunk.physical {
        Type::BOOLEAN => 1,
        Type::INT32 | Type::FLOAT => 4,
        Type::INT64 | Type::DOUBLE => 8,
        Type::INT96 => 12,
        // A view.
        Type::BYTE_ARRAY => 16,
        Type::FIXED_LEN_BYTE_ARRAY => chunk.width.unwrap_or(0),
    };
    let bytes = usize::try_from(value_bytes.saturating_add(LEVELS_BYTES)).unwrap_or(usize::MAX);
    Room::new(chunk.marker.clone(), chunk.context.max_batch_bytes).take(entries, bytes)
}
