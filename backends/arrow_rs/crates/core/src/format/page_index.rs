//! The page index: where the pages of a column chunk are, and between which bounds their values lie.
//!
//! A file is read the same without it, so an index that contradicts itself or the footer is not used. What it
//! says and what is then read are compared: see `PageMap`. Not checked is what nobody reads afterwards: the
//! bounds of pages that were left out for them, as with those of row groups, and the row counts of pages that
//! were stepped over next to each other, of which only the sum matters.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, BooleanArray, PrimitiveArray, StringArray};
use arrow_ord::cmp;
use arrow_schema::DataType;
use parquet::basic::{ColumnOrder, Type};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use crate::error::Result;
use crate::format::thrift::{Reader, Step, Stop, kind};
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
    let (start, length) = chunk.byte_range();
    Ok(read_spans(&bytes, rows).ok().filter(|spans| fit(spans, start, start + length)))
}

/// The bytes of an index; None where there is none, or where it cannot be.
fn read(file: &LocalFile, (offset, length): (Option<i64>, Option<i32>)) -> Result<Option<Vec<u8>>> {
    let range = offset.zip(length).and_then(|(offset, length)| {
        let (offset, length) = (u64::try_from(offset).ok()?, u64::try_from(length).ok()?);
        let inside = offset.checked_add(length)? <= file.stamp().bytes;
        (inside && length <= MAX_INDEX_BYTES).then_some((offset, length))
    });
    let Some((offset, length)) = range else { return Ok(None) };
    let mut bytes = vec![0; length as usize];
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

/// Bounds of the values of each page of a chunk.
pub struct Bounds {
    /// Of the column's type; null where nothing is known.
    pub minima: ArrayRef,
    pub maxima: ArrayRef,
    /// Pages without any value.
    pub only_nulls: Vec<bool>,
}

/// The bounds of the pages of a flat column's chunk, whose `spans` are known. None where the file has none
/// that are sound, or where bounds of the type say nothing.
pub fn bounds(
    file: &LocalFile,
    metadata: &ParquetMetaData,
    (group, leaf): (usize, usize),
    data_type: &DataType,
    spans: &[Span],
) -> Result<Option<Bounds>> {
    let orders = metadata.file_metadata().column_orders();
    let ordered = matches!(
        orders.and_then(|orders| orders.get(leaf)),
        Some(ColumnOrder::TYPE_DEFINED_ORDER(_) | ColumnOrder::IEEE_754_TOTAL_ORDER)
    );
    let chunk = metadata.row_group(group).column(leaf);
    let range = (chunk.column_index_offset(), chunk.column_index_length());
    if !ordered {
        return Ok(None);
    }
    let Some(bytes) = read(file, range)? else { return Ok(None) };
    let Ok(raw) = read_bounds(&bytes, spans) else { return Ok(None) };
    let array = |values: &[&[u8]]| {
        let known =
            values.iter().zip(&raw.only_nulls).map(|(&value, &only_nulls)| (!only_nulls).then_some(value));
        bound_array(data_type, chunk.column_type(), known.collect())
    };
    let Some((minima, maxima)) = array(&raw.minima).zip(array(&raw.maxima)) else { return Ok(None) };
    let sound = raw.order.is_kept(&minima)
        && raw.order.is_kept(&maxima)
        && cmp::gt(&minima, &maxima).is_ok_and(|wrong| wrong.true_count() == 0);
    Ok(sound.then_some(Bounds { minima, maxima, only_nulls: raw.only_nulls }))
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
    fn is_kept(self, bounds: &ArrayRef) -> bool {
        let count = bounds.len().saturating_sub(1);
        let (before, after) = (bounds.slice(0, count), bounds.slice(bounds.len() - count, count));
        let wrong = match self {
            Self::None => return true,
            Self::Ascending => cmp::gt(&before, &after),
            Self::Descending => cmp::lt(&before, &after),
        };
        wrong.is_ok_and(|wrong| wrong.true_count() == 0)
    }
}

/// Bounds as an array of the column's type, null where they are none of it. None for types whose bounds are
/// not made use of.
fn bound_array(data_type: &DataType, physical: Type, bounds: Vec<Option<&[u8]>>) -> Option<ArrayRef> {
    fn of<T: ArrowPrimitiveType>(
        bounds: &[Option<&[u8]>],
        read: impl Fn(&[u8]) -> Option<T::Native>,
    ) -> Option<ArrayRef> {
        let values = bounds.iter().map(|bound| bound.and_then(&read));
        Some(Arc::new(values.collect::<PrimitiveArray<T>>()))
    }
    let short = |bytes: &[u8]| bytes.try_into().ok().map(i32::from_le_bytes);
    let long = |bytes: &[u8]| bytes.try_into().ok().map(i64::from_le_bytes);
    match (data_type, physical) {
        (DataType::Boolean, Type::BOOLEAN) => {
            let truth = |bytes: &[u8]| matches!(bytes, [0 | 1]).then(|| bytes[0] == 1);
            let values = bounds.iter().map(|bound| bound.and_then(truth));
            Some(Arc::new(values.collect::<BooleanArray>()))
        }
        (DataType::Int8, Type::INT32) => of::<Int8Type>(&bounds, |b| short(b)?.try_into().ok()),
        (DataType::Int16, Type::INT32) => of::<Int16Type>(&bounds, |b| short(b)?.try_into().ok()),
        (DataType::Int32, Type::INT32) => of::<Int32Type>(&bounds, short),
        (DataType::Int64, Type::INT64) => of::<Int64Type>(&bounds, long),
        (DataType::UInt8, Type::INT32) => of::<UInt8Type>(&bounds, |b| short(b)?.try_into().ok()),
        (DataType::UInt16, Type::INT32) => of::<UInt16Type>(&bounds, |b| short(b)?.try_into().ok()),
        (DataType::UInt32, Type::INT32) => of::<UInt32Type>(&bounds, |b| Some(short(b)? as u32)),
        (DataType::UInt64, Type::INT64) => of::<UInt64Type>(&bounds, |b| Some(long(b)? as u64)),
        // Adding zero makes the negative zero positive: the two are equal, but not in the order of arrays.
        (DataType::Float32, Type::FLOAT) => of::<Float32Type>(&bounds, |b| {
            b.try_into().ok().map(f32::from_le_bytes).filter(|value| !value.is_nan()).map(|value| value + 0.0)
        }),
        (DataType::Float64, Type::DOUBLE) => of::<Float64Type>(&bounds, |b| {
            b.try_into().ok().map(f64::from_le_bytes).filter(|value| !value.is_nan()).map(|value| value + 0.0)
        }),
        (DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View, Type::BYTE_ARRAY) => {
            // Long bounds are cut short, perhaps within a character.
            let values = bounds.iter().map(|bound| bound.and_then(|bytes| std::str::from_utf8(bytes).ok()));
            Some(Arc::new(values.collect::<StringArray>()))
        }
        (DataType::Dictionary(_, values), _) => bound_array(values, physical, bounds),
        _ => None,
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
        let array = |values: &[Option<i32>]| -> ArrayRef {
            Arc::new(values.iter().copied().collect::<PrimitiveArray<Int32Type>>())
        };
        let rising = array(&[Some(1), None, Some(3)]);
        assert!(Order::Ascending.is_kept(&rising) && Order::None.is_kept(&rising));
        assert!(!Order::Ascending.is_kept(&array(&[Some(2), Some(1)])));
        assert!(!Order::Descending.is_kept(&array(&[Some(1), Some(2)])));
        assert!(Order::Descending.is_kept(&array(&[])));
    }
}
