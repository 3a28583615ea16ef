//! How many rows begin on a page of lists, from its first blocks.
//!
//! A page of the first version does not say how many rows it has; its repetition levels do, one bit for each
//! value, and they come first. Who passes over a page of zstd needs a block or two of it for them, and none of
//! its values: otherwise a reader that begins in the middle of a row group would decompress all before it.

use bytes::Bytes;
use parquet::basic::Encoding;

use crate::early::{Preview, u32_at};
use crate::error::Result;
use crate::page_header::{Body, PageHeader};
use crate::runs::Runs;
use crate::workbench::Workbench;

/// Smaller pages are a few blocks in all: little would be saved.
const LEAST_BYTES: usize = 512 << 10;
/// Levels are looked at so many at a time.
const WORD: usize = 64;

#[derive(Debug, PartialEq, Eq)]
pub struct RowStarts {
    pub count: u64,
    /// Whether the page begins with one, rather than with more of a row from the page before.
    pub at_first: bool,
}

/// Whether a page of a list in one level, compressed by zstd, is worth it, and its levels can be believed.
pub fn can_count(header: &PageHeader) -> bool {
    let Body::Data { rep_levels, .. } = header.body else { return false };
    // A checksum can only be checked on the whole page.
    rep_levels == Encoding::RLE && header.crc.is_none() && header.uncompressed_bytes >= LEAST_BYTES
}

/// The rows that begin on the page with this header, whose body starts at `start`; `can_count` has agreed.
pub fn count(bench: &Workbench, (header, start): (&PageHeader, u64), values: u32) -> Result<RowStarts> {
    let mut page = Preview::new(bench, (header, start))?;
    let size = u32_at(page.reach(4)?, 0) as usize;
    let levels = &page.reach(size.saturating_add(4))?[4..4 + size];
    count_in(Bytes::copy_from_slice(levels), values as usize)
}

fn count_in(levels: Bytes, values: usize) -> Result<RowStarts> {
    let mut runs = Runs::new(levels, 1)?;
    let mut starts = RowStarts { count: 0, at_first: false };
    let mut left = values;
    while left > 0 {
        let some = left.min(WORD);
        let continues = runs.read_bits(some)?;
        starts.at_first |= left == values && continues & 1 == 0;
        starts.count += some as u64 - u64::from(continues.count_ones());
        left -= some;
    }
    Ok(starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_begin_where_levels_are_zero() {
        for first in [0, 1] {
            let levels: Vec<u32> =
                (0..1_000).map(|at| if at == 0 { first } else { u32::from(at % 7 > 0) }).collect();
            let count = levels.iter().filter(|&&level| level == 0).count() as u64;
            let encoded = Bytes::from(crate::hybrid::encode(&levels, 1));
            let found = count_in(encoded.clone(), 1_000).unwrap();
            assert_eq!(found, RowStarts { count, at_first: first == 0 });
            assert!(count_in(encoded, 2_000).is_err(), "levels end early");
        }
        assert_eq!(count_in(Bytes::new(), 0).unwrap(), RowStarts { count: 0, at_first: false });
    }
}
