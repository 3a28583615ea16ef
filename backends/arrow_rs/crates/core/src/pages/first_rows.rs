//! The first rows of a column from the first blocks of its pages.
//!
//! A page is the unit of compression, but zstd works in blocks of at most 128 KiB, and snappy, gzip and LZ4 from byte
//! to byte; the first batch of a scan needs the first few. So its rows are delivered in a small page of their own, made from as
//! much as they need; a dictionary, which often is a megabyte by itself, is looked at as far as they refer to
//! it, and they come as plain values. Then all pages are read as always, the first without these rows; of a page
//! of lists whoever reads it passes over them. What is decompressed twice is a block or two per column, once
//! per scan. A checksum is of a whole page: it is checked when that is read, before any row of a second batch.

use bytes::Bytes;
use parquet::basic::{Encoding, Type};
use parquet::column::page::Page;

use crate::encoding::hybrid::{self, Runs};
use crate::encoding::levels::{self, Highest, width};
use crate::encoding::{is_dictionary, plain, values_end_early};
use crate::error::{Error, Result};
use crate::format::page_header::{Body, PageHeader};
use crate::pages::chunk::Chunk;
use crate::pages::headers::{FIRST_READ_BYTES, Headers, LocatedPage};
use crate::pages::opening::{Opening, is_worth_it};

use crate::pages::row_starts;

/// Pages of more values are not taken apart: it takes memory for a number of each, and few bytes can stand for
/// any number of them.
const MOST_VALUES: usize = 1 << 20;
/// Nor are first rows with more entries of lists than this: then the page may as well be decompressed.
const MOST_ENTRIES: usize = 1 << 16;

/// How the levels and values of a column lie in a plain page.
#[derive(Clone, Copy)]
struct Layout {
    physical: Type,
    highest: Highest,
}

impl Layout {
    fn of(chunk: &Chunk) -> Self {
        Self { physical: chunk.physical, highest: chunk.highest }
    }

    /// Bytes of each value; None where each is preceded by its length.
    fn width(self) -> Option<usize> {
        match self.physical {
            Type::INT32 | Type::FLOAT => Some(4),
            Type::INT64 | Type::DOUBLE => Some(8),
            _ => None,
        }
    }

    /// Columns without nesting, and lists.
    fn is_supported(self) -> bool {
        let Highest { repetition, definition } = self.highest;
        let known = matches!(
            self.physical,
            Type::INT32 | Type::FLOAT | Type::INT64 | Type::DOUBLE | Type::BYTE_ARRAY
        );
        known && (repetition == 0 && definition <= 1 || repetition == 1)
    }
}

/// A page of the first `rows` rows, where the chunk begins with pages of which a part is enough for that. All
/// pages are still to come then, and the first data page has these rows, too.
pub fn of_chunk(chunk: &Chunk, headers: &mut Headers, rows: usize) -> Result<Option<Page>> {
    let layout = Layout::of(chunk);
    if !layout.is_supported() || !is_worth_it(chunk.codec, usize::MAX) {
        return Ok(None);
    }
    let Some(first) = headers.peek(chunk, FIRST_READ_BYTES)? else { return Ok(None) };
    let is_worth_it = |pages: &[LocatedPage]| {
        is_worth_it(chunk.codec, pages.iter().map(|page| page.header.uncompressed_bytes).sum())
    };
    match first.header.body {
        Body::Dictionary { encoding: Encoding::PLAIN | Encoding::PLAIN_DICTIONARY, .. } => {
            match headers.peek_behind(chunk, first, FIRST_READ_BYTES)? {
                Some(data) if can_cut(&data.header, rows, true) && is_worth_it(&[first, data]) => {
                    cut(chunk, layout, data, rows, Some(first))
                }
                _ => Ok(None),
            }
        }
        _ if can_cut(&first.header, rows, false) && is_worth_it(&[first]) => {
            cut(chunk, layout, first, rows, None)
        }
        _ => Ok(None),
    }
}

/// Whether a data page has more rows than wanted, and is of a kind that can be taken apart here.
fn can_cut(header: &PageHeader, rows: usize, has_dictionary: bool) -> bool {
    let Body::Data { values, encoding, .. } = header.body else { return false };
    let known = match encoding {
        Encoding::PLAIN => !has_dictionary,
        other => is_dictionary(other) && has_dictionary,
    };
    let values = values as usize;
    known && values > rows && values <= MOST_VALUES
}

/// The levels of the first rows of a page.
#[derive(Default)]
struct Head {
    /// As they begin a page of their own.
    levels: Vec<u8>,
    entries: usize,
    /// Entries that have a value.
    present: usize,
    /// Where in the page the values begin.
    from: usize,
}

impl Head {
    /// Of a page with this body. None where no further row begins on it, or the rows have too many entries.
    fn read(page: &mut Opening, highest: Highest, body: &Body, rows: usize) -> Result<Option<Self>> {
        let mut head = Self { entries: rows, present: rows, ..Self::default() };
        let Body::Data { values, def_levels, rep_levels, .. } = *body else { return Ok(None) };
        let values = values as usize;
        if highest.repetition > 0 {
            let encoded = head.next_levels(page, (highest.repetition, rep_levels), values)?;
            match row_starts::entries_before(encoded.clone(), values, rows)? {
                Some(entries) if entries <= MOST_ENTRIES => head.entries = entries,
                _ => return Ok(None),
            }
            let repetition = numbers(encoded, 1, head.entries)?;
            head.push(&repetition, 1);
        }
        if highest.definition > 0 {
            let width = width(highest.definition);
            let encoded = head.next_levels(page, (highest.definition, def_levels), values)?;
            let definition = numbers(encoded, width, head.entries)?;
            if definition.iter().any(|&level| level > u32::from(highest.definition.unsigned_abs())) {
                return Err(Error::corrupt("a level above the highest"));
            }
            head.present = count(&definition, highest.definition);
            head.push(&definition, width);
        }
        Ok(Some(head))
    }

    /// The next stream of levels, in the hybrid encoding.
    fn next_levels(
        &mut self,
        page: &mut Opening,
        (max, encoding): (i16, Encoding),
        values: usize,
    ) -> Result<Bytes> {
        let start = self.from;
        let length = if encoding == Encoding::RLE {
            page.reach(start.saturating_add(levels::LENGTH_BYTES))?;
            levels::stored_bytes(encoding, max, values, page.bytes(), start)?
        } else {
            levels::stored_bytes(encoding, max, values, &[], 0)?
        };
        self.from = start.saturating_add(length);
        let stored = &page.reach(self.from)?[start..self.from];
        if encoding == Encoding::RLE {
            return Ok(Bytes::copy_from_slice(&stored[levels::LENGTH_BYTES..]));
        }
        Ok(hybrid::encode(&levels::unpack(stored, width(max), values), width(max)).into())
    }

    fn push(&mut self, levels: &[u32], width: u32) {
        let encoded = hybrid::encode(levels, width);
        // No more than `MOST_VALUES` levels take far less than 32 bits can say.
        let length = u32::try_from(encoded.len()).unwrap_or(u32::MAX);
        self.levels.extend(length.to_le_bytes());
        self.levels.extend(encoded);
    }
}

/// The first `rows` rows of `data` as a plain page; None where they cannot be taken apart. `can_cut` has agreed.
fn cut(
    chunk: &Chunk,
    layout: Layout,
    data: LocatedPage,
    rows: usize,
    dictionary: Option<LocatedPage>,
) -> Result<Option<Page>> {
    let mut page = Opening::new(chunk, data)?;
    let Some(head) = Head::read(&mut page, layout.highest, &data.header.body, rows)? else { return Ok(None) };
    let Some(dictionary) = dictionary else {
        let to = reach_values(&mut page, layout, head.from, head.present)?;
        return Ok(Some(data_page(head.levels, &page.bytes()[head.from..to], head.entries, Encoding::PLAIN)));
    };
    let indices = first_indices(&mut page, head.from, head.present)?;
    drop(page);
    let plain = gather(chunk, layout, dictionary, &indices)?;
    Ok(Some(data_page(head.levels, &plain, head.entries, Encoding::PLAIN)))
}

/// The first `count` indices of the page, whose values begin at `from`.
fn first_indices(page: &mut Opening, from: usize, count: usize) -> Result<Vec<u32>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let width = usize::from(page.reach(from.saturating_add(1))?[from]);
    // As many as all of them take in a single run, and more as long as that is too little.
    let mut size = 64 + count.saturating_mul(width) / 8;
    loop {
        let to = from.saturating_add(size).min(page.length());
        match indices(&Bytes::copy_from_slice(&page.reach(to)?[from..to]), count) {
            Ok((_, indices)) => return Ok(indices),
            Err(error) if to == page.length() => return Err(error),
            Err(_) => size = size.saturating_mul(2),
        }
    }
}

/// The page of a column without nesting, without its first `rows` rows, which `of_chunk` gave.
pub fn without(chunk: &Chunk, page: Page, rows: usize) -> Result<Page> {
    let layout = Layout::of(chunk);
    let Page::DataPage { buf, num_values, encoding, .. } = page else {
        return Err(Error::corrupt("a page of another kind than its header said"));
    };
    let rest_rows = num_values as usize - rows;
    let definition = layout.highest.definition;
    let (mut delivered, mut present, mut from) = (rows, rest_rows, 0);
    let mut head = Head::default();
    if definition > 0 {
        from = levels::LENGTH_BYTES + levels::declared(&buf, 0)?;
        if from > buf.len() {
            return Err(values_end_early());
        }
        let width = width(definition);
        let mut first = numbers(buf.slice(levels::LENGTH_BYTES..from), width, num_values as usize)?;
        let rest = first.split_off(rows);
        (delivered, present) = (count(&first, definition), count(&rest, definition));
        head.push(&rest, width);
    }
    if encoding == Encoding::PLAIN {
        let mut at = from;
        for _ in 0..delivered {
            at += match layout.width() {
                Some(width) => width,
                None => plain::LENGTH_BYTES + plain::length_at(&buf, at)?,
            };
        }
        let values = buf.get(at..).ok_or_else(values_end_early)?;
        if head.levels.is_empty() {
            return Ok(page_of(buf.slice(at..), rest_rows, encoding));
        }
        return Ok(data_page(head.levels, values, rest_rows, encoding));
    }
    let (width, mut all) = indices(&buf.slice(from..), delivered + present)?;
    let mut packed = vec![width];
    packed.extend(hybrid::encode(&all.split_off(delivered), width.into()));
    Ok(data_page(head.levels, &packed, rest_rows, encoding))
}

/// How many of the levels are the highest: they have a value.
fn count(levels: &[u32], highest: i16) -> usize {
    levels.iter().filter(|&&level| i64::from(level) == i64::from(highest)).count()
}

/// Bits per index, and `count` indices.
fn indices(bytes: &Bytes, count: usize) -> Result<(u8, Vec<u32>)> {
    let width = *bytes.first().ok_or_else(values_end_early)?;
    Ok((width, numbers(bytes.slice(1..), width.into(), count)?))
}

/// `count` levels or indices, no more than `MOST_VALUES`.
fn numbers(encoded: Bytes, width: u32, count: usize) -> Result<Vec<u32>> {
    let mut numbers = vec![0; count];
    Runs::new(encoded, width)?.read(&mut numbers)?;
    Ok(numbers)
}

/// The values that the indices mean, as plain values.
fn gather(chunk: &Chunk, layout: Layout, dictionary: LocatedPage, indices: &[u32]) -> Result<Vec<u8>> {
    let Some(&last) = indices.iter().max() else { return Ok(Vec::new()) };
    let mut page = Opening::new(chunk, dictionary)?;
    let within = |total: usize| {
        let limit = chunk.context.max_page_bytes;
        let message = || format!("the first rows take {total} bytes, more than max_page_bytes={limit}");
        if total > limit { Err(Error::limit(message())) } else { Ok(total) }
    };
    let Some(width) = layout.width() else {
        let mut edges = vec![0];
        for index in 0..=last as usize {
            edges.push(reach_values(&mut page, layout, edges[index], 1)?);
        }
        let spans = indices.iter().map(|&index| edges[index as usize]..edges[index as usize + 1]);
        let total = spans.clone().fold(0_usize, |total, span| total.saturating_add(span.len()));
        let mut values = Vec::with_capacity(within(total)?);
        spans.for_each(|span| values.extend_from_slice(&page.bytes()[span]));
        return Ok(values);
    };
    reach_values(&mut page, layout, 0, last as usize + 1)?;
    within(indices.len().saturating_mul(width))?;
    Ok(if width == 4 { pick::<4>(page.bytes(), indices) } else { pick::<8>(page.bytes(), indices) })
}

/// The values with these places, all of which are there. A copy of known size is a single instruction.
fn pick<const WIDTH: usize>(values: &[u8], places: &[u32]) -> Vec<u8> {
    let values = values.as_chunks::<WIDTH>().0;
    let mut picked = Vec::with_capacity(places.len() * WIDTH);
    places.iter().for_each(|&place| picked.extend_from_slice(&values[place as usize]));
    picked
}

/// A data page in memory: levels, where there are any, then the values.
fn data_page(mut levels: Vec<u8>, values: &[u8], entries: usize, encoding: Encoding) -> Page {
    levels.extend_from_slice(values);
    page_of(levels.into(), entries, encoding)
}

fn page_of(buf: Bytes, entries: usize, encoding: Encoding) -> Page {
    Page::DataPage {
        buf,
        // Entries of one page: its header has them as a 32-bit number.
        num_values: u32::try_from(entries).unwrap_or(u32::MAX),
        encoding,
        def_level_encoding: Encoding::RLE,
        rep_level_encoding: Encoding::RLE,
        statistics: None,
    }
}

/// Decompress `count` plain values from `from` on; where they end.
fn reach_values(page: &mut Opening, layout: Layout, from: usize, count: usize) -> Result<usize> {
    if let Some(width) = layout.width() {
        let to = from.saturating_add(count.saturating_mul(width));
        page.reach(to)?;
        return Ok(to);
    }
    let mut at = from;
    for _ in 0..count {
        let start = at.saturating_add(plain::LENGTH_BYTES);
        at = start.saturating_add(plain::length_at(page.reach(start)?, at)?);
        page.reach(at)?;
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_bytes_that_stand_for_very_many_values_are_left_alone() {
        let page = |values| PageHeader {
            body: Body::Data {
                values,
                encoding: Encoding::PLAIN,
                def_levels: Encoding::RLE,
                rep_levels: Encoding::RLE,
            },
            uncompressed_bytes: 100,
            compressed_bytes: 100,
            crc: None,
        };
        assert!(can_cut(&page(MOST_VALUES as u32), 1024, false));
        assert!(!can_cut(&page(MOST_VALUES as u32 + 1), 1024, false));
        assert!(!can_cut(&page(1024), 1024, false), "all of it is wanted");
    }
}
