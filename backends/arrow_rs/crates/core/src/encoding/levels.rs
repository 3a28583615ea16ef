//! The levels in front of a page's values: where they lie, and whether there are as many as it declares.

use std::ops::Range;

use bytes::Bytes;
use parquet::basic::Encoding;

use crate::encoding::hybrid::Runs;
use crate::error::{Error, Result};
use crate::format::page_header::Body;

/// Highest levels of a column.
#[derive(Clone, Copy)]
pub struct Highest {
    pub repetition: i16,
    pub definition: i16,
}

/// What a stream of a V1 page has in front: its length.
pub const LENGTH_BYTES: usize = 4;

/// A stream of levels in the hybrid encoding.
struct Stream {
    bytes: Range<usize>,
    width: u32,
}

/// Where the values of a data page begin.
///
/// Repetition levels that end early make arrow-rs skip rows for ever, so nested pages are refused unless both
/// streams hold a level for every value.
pub fn end(body: &Body, page: &Bytes, highest: Highest) -> Result<usize> {
    let (values, streams, end) = find(body, page, highest)?;
    if highest.repetition > 0 {
        for Stream { bytes, width } in streams {
            Runs::new(page.slice(bytes), width)?.skip(values as usize)?;
        }
    }
    Ok(end)
}

fn find(body: &Body, page: &[u8], highest: Highest) -> Result<(u32, Vec<Stream>, usize)> {
    let mut at = 0;
    let mut streams = Vec::new();
    let mut stream = |max: i16, before: usize, length: usize| {
        let bytes = at + before..(at + before).saturating_add(length);
        at = bytes.end;
        if at > page.len() {
            return Err(larger());
        }
        if max > 0 {
            streams.push(Stream { bytes, width: width(max) });
        }
        Ok(at)
    };
    let values = match *body {
        Body::Data { values, def_levels, rep_levels, .. } => {
            let mut next = 0;
            for (max, levels) in [(highest.repetition, rep_levels), (highest.definition, def_levels)] {
                next = match levels {
                    _ if max == 0 => next,
                    Encoding::RLE => stream(max, LENGTH_BYTES, declared(page, next)?)?,
                    // Without a length of its own, and of a length that follows from the number of values.
                    _ => stream(0, 0, (values as usize * width(max) as usize).div_ceil(8))?,
                };
            }
            values
        }
        Body::DataV2 { values, def_bytes, rep_bytes, .. } => {
            stream(highest.repetition, 0, rep_bytes as usize)?;
            stream(highest.definition, 0, def_bytes as usize)?;
            values
        }
        Body::Dictionary { .. } | Body::Other => 0,
    };
    Ok((values, streams, at))
}

/// The length that the stream of a V1 page declares which begins at `at`.
pub fn declared(page: &[u8], at: usize) -> Result<usize> {
    let size = page.get(at..).and_then(|rest| rest.first_chunk::<LENGTH_BYTES>()).ok_or_else(larger)?;
    Ok(u32::from_le_bytes(*size) as usize)
}

/// Bits of each level.
pub fn width(max: i16) -> u32 {
    16 - max.leading_zeros()
}

fn larger() -> Error {
    Error::corrupt("a page's levels are larger than the page")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::hybrid;

    const NESTED: Highest = Highest { repetition: 1, definition: 3 };

    fn v1(values: u32) -> Body {
        Body::Data { values, encoding: Encoding::PLAIN, def_levels: Encoding::RLE, rep_levels: Encoding::RLE }
    }

    fn page(repetition: &[u32], definition: &[u32]) -> Bytes {
        let mut page = Vec::new();
        for (levels, width) in [(repetition, 1), (definition, 2)] {
            let stream = hybrid::encode(levels, width);
            page.extend((stream.len() as u32).to_le_bytes());
            page.extend(stream);
        }
        page.into()
    }

    #[test]
    fn values_begin_behind_both_streams() {
        let page = page(&[0, 1, 1, 0], &[3, 3, 0, 2]);
        assert_eq!(end(&v1(4), &page, NESTED).unwrap(), page.len());
        let flat = Highest { repetition: 0, definition: 1 };
        assert_eq!(end(&v1(4), &page, flat).unwrap(), 4 + page[0] as usize, "one stream");
    }

    #[test]
    fn a_stream_that_ends_early_is_corrupt_where_rows_are_nested() {
        let one_run = page(&[0; 4], &[3; 4]);
        assert!(end(&v1(5), &one_run, NESTED).is_err());
        assert!(end(&v1(4), &one_run, NESTED).is_ok());
        assert!(end(&v1(4), &page(&[0; 4], &[3; 3]), NESTED).is_err());
    }

    #[test]
    fn streams_beyond_the_page_are_corrupt() {
        let whole = page(&[0, 1], &[3, 3]);
        assert!(end(&v1(2), &whole.slice(..whole.len() - 1), NESTED).is_err());
        assert!(end(&v1(2), &Bytes::from_static(&[255, 255, 255, 255, 0]), NESTED).is_err());
    }
}
