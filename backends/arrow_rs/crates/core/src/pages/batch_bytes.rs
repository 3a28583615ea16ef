//! A bound on what the pages of one batch take.

use std::sync::atomic::Ordering::Relaxed;

use parquet::basic::Encoding;

use crate::encoding::is_dictionary;
use crate::error::{Error, Result};
use crate::format::page_header::{Body, PageHeader};
use crate::pages::chunk::Chunk;

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
        return Err(Error::limit(format!(
            "the pages of one batch take more than max_batch_bytes={limit}; smaller batches take less"
        )));
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
