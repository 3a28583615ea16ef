//! The page index: where the pages of a column chunk are, and between which bounds their values lie.
//!
//! A file is read the same without it, so an index that contradicts itself or the footer is not used. What it
//! says and what is then read are compared: see `PageMap`. Not checked is what nobody reads afterwards: the
//! bounds of pages that were left out for them, as with those of row groups, and the row counts of pages that
//! were stepped over next to each other, of which only the sum matters.

use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use crate::error::Result;
use crate::format::bounds::{Bound, Bounds, Notation};
use crate::format::footer::chunk_start;
use crate::format::thrift::{Reader, Step, Stop, kind};
use crate::memory::size::in_memory;
use crate::source::LocalFile;

/// Far more than the index of a chunk of ordinary pages takes; a larger one is not read.
const MAX_INDEX_BYTES: u64 = 1 << 20;

/// A data page as the index has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where in the file its header starts.
    pub offset: u64,
    /// Header and body.
    pub bytes: u64,
    /// Its first row, counted in the row group.
    pub row: u64,
    pub rows: u64,
}

/// The data pages of a chunk of a row group of `rows` rows, in order and without gaps. None where the file
/// has no sound index of them.
///
/// Only for columns that are not repeated: of the others a page's header does not say how many rows it has,
/// so that nothing could be compared.
pub fn spans(file: &LocalFile, chunk: &ColumnChunkMetaData, rows: u64) -> Result<Option<Vec<Span>>> {
    if chunk.column_descr().max_rep_level() > 0 {
        return Ok(None);
    }
    let range = (chunk.offset_index_offset(), chunk.offset_index_length());
    let Some(bytes) = read(file, range)? else { return Ok(None) };
    let start = chunk_start(chunk).cast_unsigned();
    let end = start + chunk.compressed_size().cast_unsigned();
    Ok(read_spans(&bytes, rows).ok().filter(|spans| fit(spans, start, end)))
}

/// The bytes of an index; None where there is none, or where it cannot be.
fn read(file: &LocalFile, (offset, length): (Option<i64>, Option<i32>)) -> Result<Option<Vec<u8>>> {
    let range = offset.zip(length).and_then(|(offset, length)| {
        let (offset, length) = (u64::try_from(offset).ok()?, u64::try_from(length).ok()?);
        let inside = offset.checked_add(length)? <= file.stamp().bytes;
        (inside && length <= MAX_INDEX_BYTES).then_some((offset, length))
    });
    let Some((offset, length)) = range else { return Ok(None) };
    let mut bytes = vec![0; in_memory(length)];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(Some(bytes))
}

const INCOMPLETE: Stop = Stop::Bad("an index lacks a required field");
const CONTRADICTION: Stop = Stop::Bad("an index contradicts itself");

/// `OffsetIndex`. Rows must start at 0 and grow from page to page.
fn read_spans(bytes: &[u8], rows: u64) -> Step<Vec<Span>> {
    let mut reader = Reader::new(bytes);
    let mut spans: Option<Vec<Span>> = None;
    let mut last = 0;
    while let Some((id, wire)) = reader.field(&mut last)? {
        match (id, wire) {
            (1, kind::LIST) => spans = Some(reader.elements(kind::STRUCT, usize::MAX, read_span)?),
            _ => reader.skip(wire)?,
        }
    }
    let mut spans = spans.ok_or(INCOMPLETE)?;
    let mut end = rows;
    for span in spans.iter_mut().rev() {
        span.rows = end.checked_sub(span.row).filter(|&rows| rows > 0).ok_or(CONTRADICTION)?;
        end = span.row;
    }
    if end == 0 && !spans.is_empty() { Ok(spans) } else { Err(CONTRADICTION) }
}

fn read_span(reader: &mut Reader<'_>) -> Step<Span> {
    let (mut offset, mut bytes, mut row) = (None, None, None);
    let mut last = 0;
    while let Some((id, wire)) = reader.field(&mut last)? {
        match (id, wire) {
            (1, kind::I64) => offset = Some(reader.integer()?),
            (2, kind::I32) => bytes = Some(reader.integer()?),
            (3, kind::I64) => row = Some(reader.integer()?),
            _ => reader.skip(wire)?,
        }
    }
    let natural = |value: Option<i64>| u64::try_from(value.ok_or(INCOMPLETE)?).map_err(|_| CONTRADICTION);
    Ok(Span { offset: natural(offset)?, bytes: natural(bytes)?, row: natural(row)?, rows: 0 })
}

/// Whether the pages follow each other up to the end of their chunk.
fn fit(spans: &[Span], start: u64, end: u64) -> bool {
    let mut at = spans.first().map_or(0, |span| span.offset);
    at >= start
        && spans.iter().all(|span| {
            let follows = span.offset == at && span.bytes > 0;
            at = at.saturating_add(span.bytes);
            follows
        })
        && at == end
}

/// Bounds of the values of each page of a chunk; None for pages without any value.
pub type PageBounds = Vec<Option<Bounds>>;

/// The bounds of the pages of a flat column's chunk, whose `spans` are known. None where the file has none
/// that are sound.
pub fn bounds(
    file: &LocalFile,
    metadata: &ParquetMetaData,
    (group, leaf, notation): (usize, usize, Notation),
    spans: &[Span],
) -> Result<Option<PageBounds>> {
    let chunk = metadata.row_group(group).column(leaf);
    let range = (chunk.column_index_offset(), chunk.column_index_length());
    if !notation.is_ordered() {
        return Ok(None);
    }
    let Some(bytes) = read(file, range)? else { return Ok(None) };
    let Ok(raw) = read_bounds(&bytes, spans) else { return Ok(None) };
    let pages = raw.minima.iter().zip(&raw.maxima).zip(&raw.only_nulls);
    // No index says whether its bounds were cut.
    let pages = pages.map(|((smallest, largest), only_nulls)| {
        (!only_nulls).then(|| notation.read(Some(smallest), Some(largest), false))
    });
    let pages: PageBounds = pages.collect();
    Ok(raw.order.is_kept(&pages).then_some(pages))
}

struct RawBounds<'a> {
    minima: Vec<&'a [u8]>,
    maxima: Vec<&'a [u8]>,
    only_nulls: Vec<bool>,
    order: Order,
}

/// `ColumnIndex`, as long as the `OffsetIndex` and with counts of nulls that agree with it.
fn read_bounds<'a>(bytes: &'a [u8], spans: &[Span]) -> Step<RawBounds<'a>> {
    let mut reader = Reader::new(bytes);
    let (mut only_nulls, mut minima, mut maxima, mut order, mut counts) = (None, None, None, None, None);
    let mut last = 0;
    while let Some((id, wire)) = reader.field(&mut last)? {
        match (id, wire) {
            (1, kind::LIST) => only_nulls = Some(reader.booleans(spans.len())?),
            (2, kind::LIST) => minima = Some(reader.elements(kind::BINARY, spans.len(), Reader::binary)?),
            (3, kind::LIST) => maxima = Some(reader.elements(kind::BINARY, spans.len(), Reader::binary)?),
            (4, kind::I32) => order = Some(Order::of(reader.integer()?)?),
            (5, kind::LIST) => counts = Some(reader.elements(kind::I64, spans.len(), Reader::integer)?),
            _ => reader.skip(wire)?,
        }
    }
    let raw = RawBounds {
        minima: minima.ok_or(INCOMPLETE)?,
        maxima: maxima.ok_or(INCOMPLETE)?,
        only_nulls: only_nulls.ok_or(INCOMPLETE)?,
        order: order.ok_or(INCOMPLETE)?,
    };
    if [raw.minima.len(), raw.maxima.len(), raw.only_nulls.len()] != [spans.len(); 3] {
        return Err(CONTRADICTION);
    }
    let Some(counts) = counts else { return Ok(raw) };
    let agree = |((count, span), only_nulls): ((&i64, &Span), &bool)| {
        u64::try_from(*count).is_ok_and(|count| count <= span.rows && (count == span.rows) == *only_nulls)
    };
    if counts.len() == spans.len() && counts.iter().zip(spans).zip(&raw.only_nulls).all(agree) {
        Ok(raw)
    } else {
        Err(CONTRADICTION)
    }
}

/// What an index says about the order of its bounds.
#[derive(Clone, Copy)]
enum Order {
    None,
    Ascending,
    Descending,
}

impl Order {
    fn of(code: i64) -> Step<Self> {
        match code {
            0 => Ok(Self::None),
            1 => Ok(Self::Ascending),
            2 => Ok(Self::Descending),
            _ => Err(Stop::Bad("an unknown order of bounds")),
        }
    }

    /// Whether the bounds are in this order, as far as they are known.
    fn is_kept(self, pages: &PageBounds) -> bool {
        let in_order = |bound: fn(&Bounds) -> Option<&Bound>| {
            let known = pages.iter().flatten().filter_map(bound);
            match self {
                Self::None => true,
                Self::Ascending => known.is_sorted(),
                Self::Descending => known.is_sorted_by(|before, after| before >= after),
            }
        };
        in_order(|bounds| bounds.smallest.as_ref()) && in_order(|bounds| bounds.largest.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(offset: u64, bytes: u64, row: u64, rows: u64) -> Span {
        Span { offset, bytes, row, rows }
    }

    /// Pages of 8 bytes at 4, 12 and 20, with rows from 0, 3 and 5 on.
    const INDEX: [u8; 24] = [
        0x19, 0x3c, 0x16, 0x08, 0x15, 0x10, 0x16, 0x00, 0x00, 0x16, 0x18, 0x15, 0x10, 0x16, 0x06, 0x00, 0x16,
        0x28, 0x15, 0x10, 0x16, 0x0a, 0x00, 0x00,
    ];

    #[test]
    fn spans_are_read_and_held_against_the_chunk() {
        let spans = read_spans(&INDEX, 9).unwrap();
        assert_eq!(spans, [span(4, 8, 0, 3), span(12, 8, 3, 2), span(20, 8, 5, 4)]);
        assert!(fit(&spans, 4, 28));
        assert!(!fit(&spans, 5, 28), "before the chunk");
        assert!(!fit(&spans, 4, 29), "a page is missing");
        assert!(!fit(&[span(4, 9, 0, 3), span(12, 8, 3, 2)], 4, 20), "pages lie across each other");
    }

    #[test]
    fn rows_must_grow_and_stay_within_the_row_group() {
        assert_eq!(read_spans(&INDEX, 5), Err(CONTRADICTION), "the last page has no rows");
        let mut index = INDEX;
        index[14] = 0x0a;
        assert_eq!(read_spans(&index, 9), Err(CONTRADICTION), "two pages begin with the same row");
        index[14] = 0x05;
        assert_eq!(read_spans(&index, 9), Err(CONTRADICTION), "a negative row");
        index = INDEX;
        index[7] = 0x02;
        assert_eq!(read_spans(&index, 9), Err(CONTRADICTION), "no page has the first row");
    }

    #[test]
    fn a_list_cannot_claim_more_pages_than_bytes() {
        assert_eq!(read_spans(&[0x19, 0xfc, 0xff, 0xff, 0xff, 0x7f, 0x16], 9), Err(Stop::More));
    }

    /// Two pages: values from 1 to 2, and only nulls.
    const BOUNDS: [u8; 21] = [
        0x19, 0x21, 0x02, 0x01, 0x19, 0x28, 0x01, 0x01, 0x00, 0x19, 0x28, 0x01, 0x02, 0x00, 0x15, 0x00, 0x19,
        0x26, 0x00, 0x08, 0x00,
    ];

    #[test]
    fn bounds_must_agree_with_the_spans() {
        let spans = [span(4, 8, 0, 3), span(12, 8, 3, 4)];
        let raw = read_bounds(&BOUNDS, &spans).unwrap();
        assert_eq!(raw.only_nulls, [false, true]);
        assert_eq!((raw.minima[0], raw.maxima[0]), (&[1_u8][..], &[2_u8][..]));
        assert!(read_bounds(&BOUNDS, &spans[..1]).is_err(), "another number of pages");
        let more = [spans[0], span(12, 8, 3, 5)];
        assert!(read_bounds(&BOUNDS, &more).is_err(), "a page of nulls has a row that is none");
    }

    #[test]
    fn order_is_checked_over_what_is_known() {
        let pages = |values: &[Option<i64>]| -> PageBounds {
            let bounds = |value: i64| {
                let bound = Some(Bound::Whole(value.into()));
                Bounds { smallest: bound.clone(), largest: bound, largest_may_be_cut: false }
            };
            values.iter().map(|value| value.map(bounds)).collect()
        };
        let rising = pages(&[Some(1), None, Some(3)]);
        assert!(Order::Ascending.is_kept(&rising) && Order::None.is_kept(&rising));
        assert!(!Order::Ascending.is_kept(&pages(&[Some(2), None, Some(1)])));
        assert!(!Order::Descending.is_kept(&pages(&[Some(1), Some(2)])));
        assert!(Order::Descending.is_kept(&pages(&[])));
    }
}
