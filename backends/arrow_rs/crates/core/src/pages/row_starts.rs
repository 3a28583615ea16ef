//! Where rows begin on a page of lists, from its first blocks.
//!
//! A page of the first version does not say how many rows it has; its repetition levels do, one bit for each
//! value, and they come first. Who passes over a page of zstd needs a block or two of it for them, and none of
//! its values: otherwise a reader that begins in the middle of a row group would decompress all before it.

use bytes::Bytes;
use parquet::basic::Encoding;

use crate::encoding::hybrid::{Runs, WORD, nth_one, ones};
use crate::encoding::levels;
use crate::error::Result;
use crate::format::page_header::Body;
use crate::pages::context::ReadContext;
use crate::pages::headers::LocatedPage;
use crate::pages::partial::PartialPage;

/// Smaller pages are a few blocks in all: little would be saved.
const LEAST_BYTES: usize = 512 << 10;

#[derive(Debug, PartialEq, Eq)]
pub struct RowStarts {
    pub count: u64,
    /// Whether the page begins with one, rather than with more of a row from the page before.
    pub at_first: bool,
}

/// The rows that begin on the page; None where only all of it would tell, or little would be saved. The column is
/// of lists in one level, compressed by zstd.
pub fn count(context: &ReadContext, page: LocatedPage) -> Result<Option<RowStarts>> {
    let header = page.header;
    let Body::Data { values, rep_levels: Encoding::RLE, .. } = header.body else { return Ok(None) };
    // A checksum can only be checked on the whole page.
    if header.crc.is_some() || header.uncompressed_bytes < LEAST_BYTES {
        return Ok(None);
    }
    let mut page = PartialPage::new(context, page)?;
    let end = levels::declared(page.reach(levels::LENGTH_BYTES)?, 0)?.saturating_add(levels::LENGTH_BYTES);
    let levels = Bytes::copy_from_slice(&page.reach(end)?[levels::LENGTH_BYTES..end]);
    count_in(levels, values as usize).map(Some)
}

/// How many entries come before the row after the first `rows`, of pages with these levels and so many values;
/// None where that row does not begin there.
pub fn entries_before(levels: Bytes, values: usize, rows: usize) -> Result<Option<usize>> {
    let mut left = rows;
    for (word, begins) in row_begins(levels, values)?.enumerate() {
        let begins = begins?;
        let count = begins.count_ones() as usize;
        if count > left {
            return Ok(Some(word * WORD + nth_one(begins, left)));
        }
        left -= count;
    }
    Ok(None)
}

fn count_in(levels: Bytes, values: usize) -> Result<RowStarts> {
    let mut starts = RowStarts { count: 0, at_first: false };
    for (word, begins) in row_begins(levels, values)?.enumerate() {
        let begins = begins?;
        starts.at_first |= word == 0 && begins & 1 == 1;
        starts.count += u64::from(begins.count_ones());
    }
    Ok(starts)
}

/// Masks of the entries that begin a row, a word of them at a time; the first is the lowest bit.
fn row_begins(levels: Bytes, values: usize) -> Result<impl Iterator<Item = Result<u64>>> {
    let mut runs = Runs::new(levels, 1)?;
    Ok((0..values).step_by(WORD).map(move |at| {
        let some = WORD.min(values - at);
        Ok(!runs.read_bits(some)? & ones(some))
    }))
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
            let encoded = Bytes::from(crate::encoding::hybrid::encode(&levels, 1));
            let found = count_in(encoded.clone(), 1_000).unwrap();
            assert_eq!(found, RowStarts { count, at_first: first == 0 });
            assert!(count_in(encoded, 2_000).is_err(), "levels end early");
        }
        assert_eq!(count_in(Bytes::new(), 0).unwrap(), RowStarts { count: 0, at_first: false });
    }

    #[test]
    fn rows_end_where_others_begin() {
        let levels: Vec<u32> = (0..1_000).map(|at| u32::from(at % 7 > 0)).collect();
        let encoded = Bytes::from(crate::encoding::hybrid::encode(&levels, 1));
        for rows in [0, 1, 9, 10, 91, 142] {
            assert_eq!(entries_before(encoded.clone(), 1_000, rows).unwrap(), Some(7 * rows));
        }
        assert_eq!(entries_before(encoded.clone(), 1_000, 143).unwrap(), None, "the last row may go on");
        assert!(entries_before(encoded, 2_000, 200).is_err(), "levels end early");
    }
}
