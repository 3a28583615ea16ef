//! The first rows of a column from the first blocks of its pages.
//!
//! A page is the unit of compression, but zstd works in blocks of at most 128 KiB, and the first batch of a
//! scan needs the first few of them. So its rows are delivered in a small page of their own, made from as
//! much as they need; a dictionary, which often is a megabyte by itself, is looked at as far as they refer to
//! it, and they come as plain values. Then all pages are read as always, the first without these rows. What
//! is decompressed twice is a block or two per column, once per scan.

use parquet::basic::{Encoding, Type};
use parquet::column::page::Page;

use crate::error::{Error, Result};
use crate::hybrid;
use crate::page_header::{Body, PageHeader};
use crate::pool::PageBuffer;
use crate::workbench::Workbench;

/// What is read of compressed bytes at a time.
const READ_BYTES: usize = 64 << 10;

/// How the values of a column lie in a plain page.
#[derive(Clone, Copy)]
pub struct Layout {
    pub physical: Type,
    pub optional: bool,
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

    pub fn is_supported(physical: Type) -> bool {
        matches!(physical, Type::INT32 | Type::FLOAT | Type::INT64 | Type::DOUBLE | Type::BYTE_ARRAY)
    }
}

/// Whether a data page has more rows than wanted, and is of a kind that can be taken apart here.
pub fn can_cut(header: &PageHeader, rows: usize, has_dictionary: bool) -> bool {
    let Body::Data { values, encoding, def_levels, .. } = header.body else { return false };
    let known = match encoding {
        Encoding::PLAIN => !has_dictionary,
        Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY => has_dictionary,
        _ => false,
    };
    // A checksum can only be checked on the whole page.
    known && values as usize > rows && header.crc.is_none() && def_levels == Encoding::RLE
}

/// The first `rows` rows as a plain page. `data` and `dictionary` are headers with the starts of their bodies;
/// `can_cut` has agreed.
pub fn first_rows(
    bench: &Workbench,
    layout: Layout,
    data: (&PageHeader, u64),
    rows: usize,
    dictionary: Option<(&PageHeader, u64)>,
) -> Result<Page> {
    let mut page = Preview::new(bench, data)?;
    let (levels, from) = if layout.optional {
        let size = u32_at(page.reach(4)?, 0) as usize;
        let bytes = page.reach(size.saturating_add(4))?;
        (Some(levels(&bytes[4..4 + size], rows)?), 4 + size)
    } else {
        (None, 0)
    };
    let present = levels.as_deref().map_or(rows, count_present);
    let Some(dictionary) = dictionary else {
        let to = page.reach_values(layout, from, present)?;
        return Ok(data_page(levels.as_deref(), &page.bytes()[from..to], rows, Encoding::PLAIN));
    };
    // A run of a single index takes at most its length and the index.
    let likely = from.saturating_add(15).saturating_add(present.saturating_mul(14)).min(page.length());
    let indices = indices(&page.reach(likely)?[from..], present)?.1;
    drop(page);
    let plain = gather(bench, layout, dictionary, &indices)?;
    Ok(data_page(levels.as_deref(), &plain, rows, Encoding::PLAIN))
}

/// The page without its first `rows` rows, which were delivered by `first_rows`.
pub fn without(layout: Layout, page: Page, rows: usize) -> Result<Page> {
    let Page::DataPage { buf, num_values, encoding, .. } = page else {
        return Err(Error::corrupt("a page of another kind than its header said"));
    };
    let rest_rows = num_values as usize - rows;
    let (first_levels, rest_levels, from) = if layout.optional {
        let size = u32_at(buf.get(..4).ok_or_else(short)?, 0) as usize;
        let encoded = buf.get(4..4 + size).ok_or_else(short)?;
        let mut first = levels(encoded, num_values as usize)?;
        let rest = first.split_off(rows);
        (Some(first), Some(rest), 4 + size)
    } else {
        (None, None, 0)
    };
    let delivered = first_levels.as_deref().map_or(rows, count_present);
    if encoding == Encoding::PLAIN {
        let mut at = from;
        for _ in 0..delivered {
            at += match layout.width() {
                Some(width) => width,
                None => 4 + u32_at(buf.get(at..at + 4).ok_or_else(short)?, 0) as usize,
            };
        }
        let values = buf.get(at..).ok_or_else(short)?;
        if rest_levels.is_none() {
            return Ok(page_of(buf.slice(at..), rest_rows, encoding));
        }
        return Ok(data_page(rest_levels.as_deref(), values, rest_rows, encoding));
    }
    let present = rest_levels.as_deref().map_or(rest_rows, count_present);
    let (width, mut all) = indices(&buf[from..], delivered + present)?;
    let mut packed = vec![width as u8];
    packed.extend(hybrid::encode(&all.split_off(delivered), width));
    Ok(data_page(rest_levels.as_deref(), &packed, rest_rows, encoding))
}

fn short() -> Error {
    Error::corrupt("the values of a page end early")
}

pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn count_present(levels: &[u32]) -> usize {
    levels.iter().filter(|&&level| level == 1).count()
}

fn levels(encoded: &[u8], count: usize) -> Result<Vec<u32>> {
    let levels = hybrid::decode(encoded, 1, count)?;
    if levels.len() == count { Ok(levels) } else { Err(short()) }
}

/// Bits per index, and `count` indices.
fn indices(bytes: &[u8], count: usize) -> Result<(u32, Vec<u32>)> {
    let (&width, packed) = bytes.split_first().ok_or_else(short)?;
    let indices = hybrid::decode(packed, u32::from(width), count)?;
    if indices.len() == count { Ok((u32::from(width), indices)) } else { Err(short()) }
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
    let mut edges = vec![0];
    for index in 0..=last as usize {
        edges.push(page.reach_values(layout, edges[index], 1)?);
    }
    let bytes = page.bytes();
    let spans = indices.iter().map(|&index| edges[index as usize]..edges[index as usize + 1]);
    let total = spans.clone().fold(0_usize, |total, span| total.saturating_add(span.len()));
    if total > bench.max_page_bytes {
        return Err(Error::limit(format!(
            "the first rows take {total} bytes, more than max_page_bytes={}",
            bench.max_page_bytes
        )));
    }
    let mut values = Vec::with_capacity(total);
    spans.for_each(|span| values.extend_from_slice(&bytes[span]));
    Ok(values)
}

/// A data page in memory: definition levels where there are any, then the values.
fn data_page(levels: Option<&[u32]>, values: &[u8], rows: usize, encoding: Encoding) -> Page {
    let encoded = levels.map(|levels| hybrid::encode(levels, 1));
    let mut bytes = Vec::with_capacity(values.len() + encoded.as_ref().map_or(0, |levels| 4 + levels.len()));
    if let Some(levels) = encoded {
        bytes.extend((levels.len() as u32).to_le_bytes());
        bytes.extend(levels);
    }
    bytes.extend_from_slice(values);
    page_of(bytes.into(), rows, encoding)
}

fn page_of(buf: bytes::Bytes, rows: usize, encoding: Encoding) -> Page {
    Page::DataPage {
        buf,
        // Rows of one page: its header has them as a 32-bit number.
        num_values: rows as u32,
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
