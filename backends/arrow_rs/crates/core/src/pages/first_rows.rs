//! The first rows of a column from the first blocks of its pages.
//!
//! A page is the unit of compression, but zstd works in blocks of at most 128 KiB, and the first batch of a
//! scan needs the first few of them. So its rows are delivered in a small page of their own, made from as
//! much as they need; a dictionary, which often is a megabyte by itself, is looked at as far as they refer to
//! it, and they come as plain values. Then all pages are read as always, the first without these rows; of a page
//! of lists whoever reads it passes over them. What is decompressed twice is a block or two per column, once
//! per scan.

use bytes::Bytes;
use parquet::basic::{Encoding, Type};
use parquet::column::page::Page;

use crate::encoding::hybrid;
use crate::encoding::hybrid::Runs;
use crate::encoding::levels::{Highest, width};
use crate::error::{Error, Result};
use crate::format::page_header::{Body, PageHeader};
use crate::memory::pool::PageBuffer;
use crate::pages::row_starts;
use crate::pages::workbench::Workbench;

/// What is read of compressed bytes at a time.
const READ_BYTES: usize = 64 << 10;

/// Pages of more values are not taken apart: it takes memory for a number of each, and few bytes can stand for
/// any number of them.
const MOST_VALUES: usize = 1 << 20;
/// Nor are first rows with more entries of lists than this: then the page may as well be decompressed.
const MOST_ENTRIES: usize = 1 << 16;

/// How the levels and values of a column lie in a plain page.
#[derive(Clone, Copy)]
pub struct Layout {
    pub physical: Type,
    pub highest: Highest,
}

impl Layout {
    /// Bytes of each value; None where each is preceded by its length.
    fn width(self) -> Option<usize> {
        match self.physical {
            Type::INT32 | Type::FLOAT => Some(4),
            Type::INT64 | Type::DOUBLE => Some(8),
            _ => None,
        }
    }

    /// Columns without nesting, and lists.
    pub fn is_supported(self) -> bool {
        let Highest { repetition, definition } = self.highest;
        let known = matches!(
            self.physical,
            Type::INT32 | Type::FLOAT | Type::INT64 | Type::DOUBLE | Type::BYTE_ARRAY
        );
        known && (repetition == 0 && definition <= 1 || repetition == 1)
    }
}

/// Whether a data page has more rows than wanted, and is of a kind that can be taken apart here.
pub fn can_cut(header: &PageHeader, rows: usize, has_dictionary: bool) -> bool {
    let Body::Data { values, encoding, def_levels, rep_levels } = header.body else { return false };
    let known = match encoding {
        Encoding::PLAIN => !has_dictionary,
        Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY => has_dictionary,
        _ => false,
    };
    // A checksum can only be checked on the whole page.
    let levels = [def_levels, rep_levels].iter().all(|&levels| levels == Encoding::RLE);
    let values = values as usize;
    known && values > rows && values <= MOST_VALUES && header.crc.is_none() && levels
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
    /// `values` are those of the page, nulls among them. None where no further row begins on it, or the rows
    /// have too many entries.
    fn read(page: &mut Preview, highest: Highest, values: usize, rows: usize) -> Result<Option<Self>> {
        let mut head = Self { entries: rows, present: rows, ..Self::default() };
        if highest.repetition > 0 {
            let encoded = head.next_levels(page)?;
            match row_starts::entries_before(encoded.clone(), values, rows)? {
                Some(entries) if entries <= MOST_ENTRIES => head.entries = entries,
                _ => return Ok(None),
            }
            let repetition = numbers(encoded, 1, head.entries)?;
            head.push(&repetition, 1);
        }
        if highest.definition > 0 {
            let width = width(highest.definition);
            let definition = numbers(head.next_levels(page)?, width, head.entries)?;
            head.present = count(&definition, highest.definition);
            head.push(&definition, width);
        }
        Ok(Some(head))
    }

    fn next_levels(&mut self, page: &mut Preview) -> Result<Bytes> {
        let start = self.from.saturating_add(4);
        let size = u32_at(page.reach(start)?, self.from) as usize;
        self.from = start.saturating_add(size);
        Ok(Bytes::copy_from_slice(&page.reach(self.from)?[start..self.from]))
    }

    fn push(&mut self, levels: &[u32], width: u32) {
        let encoded = hybrid::encode(levels, width);
        self.levels.extend((encoded.len() as u32).to_le_bytes());
        self.levels.extend(encoded);
    }
}

/// The first `rows` rows as a plain page; None where they cannot be taken apart. `data` and `dictionary` are
/// headers with the starts of their bodies; `can_cut` has agreed.
pub fn first_rows(
    bench: &Workbench,
    layout: Layout,
    data: (&PageHeader, u64),
    rows: usize,
    dictionary: Option<(&PageHeader, u64)>,
) -> Result<Option<Page>> {
    let Body::Data { values, .. } = data.0.body else { return Ok(None) };
    let mut page = Preview::new(bench, data)?;
    let Some(head) = Head::read(&mut page, layout.highest, values as usize, rows)? else { return Ok(None) };
    let Some(dictionary) = dictionary else {
        let to = page.reach_values(layout, head.from, head.present)?;
        return Ok(Some(data_page(head.levels, &page.bytes()[head.from..to], head.entries, Encoding::PLAIN)));
    };
    let indices = first_indices(&mut page, head.from, head.present)?;
    drop(page);
    let plain = gather(bench, layout, dictionary, &indices)?;
    Ok(Some(data_page(head.levels, &plain, head.entries, Encoding::PLAIN)))
}

/// The first `count` indices of the page, whose values begin at `from`.
fn first_indices(page: &mut Preview, from: usize, count: usize) -> Result<Vec<u32>> {
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

/// The page of a column without nesting, without its first `rows` rows, which were delivered by `first_rows`.
pub fn without(layout: Layout, page: Page, rows: usize) -> Result<Page> {
    let Page::DataPage { buf, num_values, encoding, .. } = page else {
        return Err(Error::corrupt("a page of another kind than its header said"));
    };
    let rest_rows = num_values as usize - rows;
    let definition = layout.highest.definition;
    let (mut delivered, mut present, mut from) = (rows, rest_rows, 0);
    let mut head = Head::default();
    if definition > 0 {
        let size = u32_at(buf.get(..4).ok_or_else(short)?, 0) as usize;
        from = 4 + size;
        if from > buf.len() {
            return Err(short());
        }
        let width = width(definition);
        let mut first = numbers(buf.slice(4..from), width, num_values as usize)?;
        let rest = first.split_off(rows);
        (delivered, present) = (count(&first, definition), count(&rest, definition));
        head.push(&rest, width);
    }
    if encoding == Encoding::PLAIN {
        let mut at = from;
        for _ in 0..delivered {
            at += match layout.width() {
                Some(width) => width,
                None => 4 + u32_at(buf.get(at..at + 4).ok_or_else(short)?, 0) as usize,
            };
        }
        let values = buf.get(at..).ok_or_else(short)?;
        if head.levels.is_empty() {
            return Ok(page_of(buf.slice(at..), rest_rows, encoding));
        }
        return Ok(data_page(head.levels, values, rest_rows, encoding));
    }
    let (width, mut all) = indices(&buf.slice(from..), delivered + present)?;
    let mut packed = vec![width as u8];
    packed.extend(hybrid::encode(&all.split_off(delivered), width));
    Ok(data_page(head.levels, &packed, rest_rows, encoding))
}

fn short() -> Error {
    Error::corrupt("the values of a page end early")
}

pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// How many of the levels are the highest: they have a value.
fn count(levels: &[u32], highest: i16) -> usize {
    levels.iter().filter(|&&level| i64::from(level) == i64::from(highest)).count()
}

/// Bits per index, and `count` indices.
fn indices(bytes: &Bytes, count: usize) -> Result<(u32, Vec<u32>)> {
    let width = u32::from(*bytes.first().ok_or_else(short)?);
    Ok((width, numbers(bytes.slice(1..), width, count)?))
}

/// `count` levels or indices, no more than `MOST_VALUES`.
fn numbers(encoded: Bytes, width: u32, count: usize) -> Result<Vec<u32>> {
    let mut numbers = vec![0; count];
    Runs::new(encoded, width)?.read(&mut numbers)?;
    Ok(numbers)
}

/// The values that the indices mean, as plain values.
fn gather(
    bench: &Workbench,
    layout: Layout,
    dictionary: (&PageHeader, u64),
    indices: &[u32],
) -> Result<Vec<u8>> {
    let Some(&last) = indices.iter().max() else { return Ok(Vec::new()) };
    let mut page = Preview::new(bench, dictionary)?;
    let within = |total: usize| {
        let limit = bench.max_page_bytes;
        let message = || format!("the first rows take {total} bytes, more than max_page_bytes={limit}");
        if total > limit { Err(Error::limit(message())) } else { Ok(total) }
    };
    let Some(width) = layout.width() else {
        let mut edges = vec![0];
        for index in 0..=last as usize {
            edges.push(page.reach_values(layout, edges[index], 1)?);
        }
        let spans = indices.iter().map(|&index| edges[index as usize]..edges[index as usize + 1]);
        let total = spans.clone().fold(0_usize, |total, span| total.saturating_add(span.len()));
        let mut values = Vec::with_capacity(within(total)?);
        spans.for_each(|span| values.extend_from_slice(&page.bytes()[span]));
        return Ok(values);
    };
    page.reach_values(layout, 0, last as usize + 1)?;
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
        num_values: entries as u32,
        encoding,
        def_level_encoding: Encoding::RLE,
        rep_level_encoding: Encoding::RLE,
        statistics: None,
    }
}

/// A page that is decompressed as far as is needed. Only one can exist per workbench: it uses the shared
/// context from its making to its last use.
pub struct Preview<'a> {
    bench: &'a Workbench,
    page: PageBuffer,
    done: usize,
    /// Where in the file the compressed bytes that come next are, and where they end.
    at: u64,
    end: u64,
}

impl<'a> Preview<'a> {
    pub fn new(bench: &'a Workbench, (header, start): (&PageHeader, u64)) -> Result<Self> {
        bench.with_zstd(|zstd, _| zstd.begin())?;
        Ok(Self {
            bench,
            page: bench.take_buffer(header.uncompressed_bytes),
            done: 0,
            at: start,
            end: start + header.compressed_bytes as u64,
        })
    }

    fn length(&self) -> usize {
        self.page.length()
    }

    fn bytes(&self) -> &[u8] {
        self.page.written(self.done)
    }

    /// Decompress all of the page.
    pub fn finish(mut self) -> Result<PageBuffer> {
        self.reach(self.length())?;
        // An empty last block or a checksum may follow the last byte.
        while self.at < self.end {
            let before = self.at;
            self.step(usize::MAX)?;
            if self.at == before {
                return Err(Error::corrupt("bytes are left over after the last of a page"));
            }
        }
        if self.bench.with_zstd(|zstd, _| Ok(zstd.next_input_bytes()))? > 0 {
            return Err(Error::corrupt("the compressed bytes of a page end early"));
        }
        Ok(self.page)
    }

    /// Decompress at least the first `target` bytes.
    pub fn reach(&mut self, target: usize) -> Result<&[u8]> {
        if target > self.length() {
            return Err(short());
        }
        while self.done < target {
            self.step(target)?;
        }
        Ok(self.bytes())
    }

    /// Decompress the blocks that the next read brings, until `target` bytes are done.
    fn step(&mut self, target: usize) -> Result<()> {
        self.bench.check()?;
        let Self { bench, page, done, at, end } = self;
        bench.with_zstd(|zstd, window| {
            let need = zstd.next_input_bytes();
            if need == 0 && *at < *end && *done < page.length() {
                // A frame ended before the page did: another follows.
                return zstd.begin();
            }
            if need as u64 > *end - *at || (need == 0 && *done < page.length()) {
                return Err(Error::corrupt("the compressed bytes of a page end early"));
            }
            let bytes = window.get(&bench.file, bench.pool(), *at, need, READ_BYTES, *end)?;
            let bytes = &bytes[..bytes.len().min((*end - *at) as usize)];
            // SAFETY: since `begin` the context was used for this page alone, whose memory does not move
            // and which nothing else writes to.
            *at += unsafe { zstd.advance(bytes, page, done, target) }? as u64;
            Ok(())
        })
    }

    /// Decompress `count` plain values from `from` on; where they end.
    fn reach_values(&mut self, layout: Layout, from: usize, count: usize) -> Result<usize> {
        if let Some(width) = layout.width() {
            let to = from.saturating_add(count.saturating_mul(width));
            self.reach(to)?;
            return Ok(to);
        }
        let mut at = from;
        for _ in 0..count {
            let size = u32_at(self.reach(at.saturating_add(4))?, at);
            at = at.saturating_add(4).saturating_add(size as usize);
            self.reach(at)?;
        }
        Ok(at)
    }
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
