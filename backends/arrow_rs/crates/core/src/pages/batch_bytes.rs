//! A bound on what one batch of a column takes: of its pages, and of memory for what is decoded from them.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use parquet::basic::Encoding;

use crate::encoding::hybrid::Runs;
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

/// Memory for the levels of nested values, and for values of a fixed width that are not in the page.
fn reserved(chunk: &Chunk, values: u32, encoding: Encoding) -> u64 {
    if !chunk.is_repeated() {
        return 0;
    }
    let width = chunk.width.filter(|_| is_dictionary(encoding)).unwrap_or(0);
    u64::from(values).saturating_mul(width.saturating_add(4))
}

/// Count the text that the indices of a page stand for, of which the batch takes a part: decoders of arrow-rs copy it.
/// `values` are those of the page, from its first index on; `lengths` those of the dictionary's entries.
pub fn charge_text(
    chunk: &Chunk,
    (values, present): (&bytes::Bytes, usize),
    rows: Option<u64>,
    lengths: &[u32],
) -> Result<()> {
    let Some(&width) = values.first() else { return Ok(()) };
    let mut total = 0_u64;
    Runs::new(values.slice(1..), width.into())?.each_part(present, |indices| {
        for &index in indices {
            // Who decodes them says which is beyond the dictionary.
            total += u64::from(lengths.get(index as usize).copied().unwrap_or(0));
        }
        Ok(())
    })?;
    let wanted = chunk.marker.wanted.load(Relaxed);
    let part = match rows {
        Some(rows) if rows > wanted => {
            u64::try_from(u128::from(total) * u128::from(wanted) / u128::from(rows)).unwrap_or(total)
        }
        _ => total,
    };
    Room::new(chunk.marker.clone(), chunk.context.max_batch_bytes)
        .take(1, usize::try_from(part).unwrap_or(usize::MAX))
}

/// The lengths of the byte arrays of a plain dictionary, as far as they are there.
pub fn lengths(dictionary: &[u8]) -> Vec<u32> {
    let (mut lengths, mut at) = (Vec::new(), 0_usize);
    while let Some(length) = dictionary.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        let length = u32::from_le_bytes(*length);
        lengths.push(length);
        at = at.saturating_add(4).saturating_add(length as usize);
    }
    lengths
}
