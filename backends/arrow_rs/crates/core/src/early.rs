//! The first rows of a column from the first blocks of its pages.
//!
//! A page is the unit of compression, but zstd works in blocks of at most 128 KiB. The first batch of a scan
//! needs the first few of them, so the first page of a column is cut in two: a small one with the rows of the
//! first batch, made from what is decompressed so far, and the rest. A dictionary, which often is a megabyte
//! by itself, is decompressed as far as the first rows refer to it; these are delivered as plain values.

use bytes::Bytes;
use parquet::basic::{Encoding, Type};
use parquet::column::page::Page;

use crate::codec::Zstd;
use crate::error::{Error, Result};
use crate::hybrid;
use crate::page_header::{Body, PageHeader};
use crate::pages::Workbench;
use crate::pool::PageBuffer;

/// What is read of compressed bytes at a time.
const READ_BYTES: usize = 64 << 10;

/// A page that is decompressed as far as was needed.
pub struct Partial {
    page: PageBuffer,
    zstd: Zstd,
    done: usize,
    /// Where in the file the compressed bytes that come next are, and where they end.
    at: u64,
    end: u64,
}

impl Partial {
    pub fn new(bench: &Workbench, header: &PageHeader, start: u64) -> Result<Self> {
        Ok(Self {
            page: bench.take_buffer(header.uncompressed_bytes),
            zstd: Zstd::begin()?,
            done: 0,
            at: start,
            end: start + header.compressed_bytes as u64,
        })
    }

    fn len(&self) -> usize {
        self.page.as_ref().len()
    }

    /// Decompress at least the first `target` bytes.
    fn reach(&mut self, bench: &Workbench, target: usize) -> Result<&[u8]> {
        if target > self.len() {
            return Err(Error::corrupt("values are longer than their page"));
        }
        while self.done < target {
            let need = self.zstd.next_input_bytes();
            if need == 0 {
                // One frame ended before the page did: another may follow.
                self.zstd.restart()?;
                continue;
            }
            if need as u64 > self.end - self.at {
                return Err(Error::corrupt("a page's compressed bytes end early"));
            }
            let (at, end) = (self.at, self.end);
            let (zstd, page, done) = (&mut self.zstd, &mut self.page, &mut self.done);
            let used = bench.with_bytes(at, need, READ_BYTES, end, |bytes| {
                // SAFETY: the page is this one from the first call to the last, its block of memory does not
                // move, and nothing else writes to it before it is finished.
                unsafe { zstd.advance(bytes, page.as_mut(), done, target) }
            })?;
            self.at += used as u64;
        }
        Ok(&self.page.as_ref()[..self.done])
    }

    /// Decompress the rest.
    fn finish(mut self, bench: &Workbench) -> Result<PageBuffer> {
        self.reach(bench, self.len())?;
        Ok(self.page)
    }
}

/// A dictionary page that was opened and not delivered yet.
pub struct OpenDictionary {
    pub partial: Partial,
    pub values: u32,
    pub encoding: Encoding,
    pub sorted: bool,
}

/// What follows after the first rows.
pub enum Rest {
    Dictionary(OpenDictionary, RestOfIndices),
    Indices(RestOfIndices),
    Plain(RestOfValues),
}

pub struct RestOfIndices {
    levels: Vec<u32>,
    indices: Vec<u32>,
    width: u32,
    rows: u32,
    optional: bool,
}

pub struct RestOfValues {
    partial: Partial,
    /// Where the values begin that were not delivered.
    from: usize,
    levels: Vec<u32>,
    rows: u32,
    optional: bool,
}

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

/// Cut the data page that starts at `start` after `rows` rows. None where it is not of a kind that can be
/// cut; nothing has been taken then, and the dictionary is given back.
pub fn cut(
    bench: &Workbench,
    layout: Layout,
    header: &PageHeader,
    start: u64,
    rows: usize,
    dictionary: Option<OpenDictionary>,
) -> Result<(Page, Rest)> {
    let Body::Data { values, encoding, .. } = header.body else {
        return Err(Error::corrupt("a page that cannot be cut"));
    };
    let mut page = Partial::new(bench, header, start)?;
    let (levels, from) = read_levels(bench, &mut page, layout, values as usize)?;
    let present = if layout.optional { count_present(&levels[..rows.min(levels.len())]) } else { rows };
    let first_levels = levels.get(..rows).unwrap_or_default();
    let rest_levels = levels.get(rows..).unwrap_or_default().to_vec();
    let rest_rows = values - rows as u32;
    if encoding == Encoding::PLAIN {
        let to = reach_values(bench, &mut page, layout, from, present)?;
        let first = data_page(
            first_levels,
            layout.optional,
            &[&page.page.as_ref()[from..to]],
            rows as u32,
            Encoding::PLAIN,
        );
        let rest = RestOfValues {
            partial: page,
            from: to,
            levels: rest_levels,
            rows: rest_rows,
            optional: layout.optional,
        };
        return Ok((first, Rest::Plain(rest)));
    }
    let mut dictionary =
        dictionary.ok_or_else(|| Error::corrupt("a page of indices without a dictionary"))?;
    let page = page.finish(bench)?;
    let (&width, packed) = page.as_ref()[from..].split_first().unwrap_or((&0, &[]));
    let total = if layout.optional { count_present(&levels) } else { values as usize };
    let mut indices = hybrid::decode(packed, u32::from(width), total)?;
    if indices.len() < total {
        return Err(Error::corrupt("dictionary indices end early"));
    }
    let rest_indices = indices.split_off(present);
    let plain = gather(bench, &mut dictionary, layout, &indices)?;
    let first = data_page(first_levels, layout.optional, &[&plain], rows as u32, Encoding::PLAIN);
    let rest = RestOfIndices {
        levels: rest_levels,
        indices: rest_indices,
        width: u32::from(width),
        rows: rest_rows,
        optional: layout.optional,
    };
    Ok((first, Rest::Dictionary(dictionary, rest)))
}

fn count_present(levels: &[u32]) -> usize {
    levels.iter().filter(|&&level| level == 1).count()
}

/// The definition levels, none for a column without nulls, and where the values begin.
fn read_levels(
    bench: &Workbench,
    page: &mut Partial,
    layout: Layout,
    values: usize,
) -> Result<(Vec<u32>, usize)> {
    if !layout.optional {
        return Ok((Vec::new(), 0));
    }
    let size = page.reach(bench, 4)?;
    let size = u32::from_le_bytes([size[0], size[1], size[2], size[3]]) as usize;
    let bytes = page.reach(bench, size.saturating_add(4))?;
    let levels = hybrid::decode(&bytes[4..4 + size], 1, values)?;
    if levels.len() < values {
        return Err(Error::corrupt("definition levels end early"));
    }
    Ok((levels, 4 + size))
}

/// Decompress `count` plain values from `from` on; where they end.
fn reach_values(
    bench: &Workbench,
    page: &mut Partial,
    layout: Layout,
    from: usize,
    count: usize,
) -> Result<usize> {
    if let Some(width) = layout.width() {
        let to = from.saturating_add(count.saturating_mul(width));
        page.reach(bench, to)?;
        return Ok(to);
    }
    let mut at = from;
    for _ in 0..count {
        let bytes = page.reach(bench, at.saturating_add(4))?;
        let size = u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        at = at.saturating_add(4).saturating_add(size as usize);
        page.reach(bench, at)?;
    }
    Ok(at)
}

/// The values that the indices mean, as plain values.
fn gather(
    bench: &Workbench,
    dictionary: &mut OpenDictionary,
    layout: Layout,
    indices: &[u32],
) -> Result<Vec<u8>> {
    let Some(&last) = indices.iter().max() else { return Ok(Vec::new()) };
    if last >= dictionary.values {
        return Err(Error::corrupt(format!("index {last} in a dictionary of {}", dictionary.values)));
    }
    let count = last as usize + 1;
    let page = &mut dictionary.partial;
    if let Some(width) = layout.width() {
        let to = reach_values(bench, page, layout, 0, count)?;
        let entries: Vec<&[u8]> = page.page.as_ref()[..to].chunks_exact(width).collect();
        return Ok(indices.iter().flat_map(|&index| entries[index as usize]).copied().collect());
    }
    let mut edges = Vec::with_capacity(count + 1);
    edges.push(0);
    for index in 0..count {
        edges.push(reach_values(bench, page, layout, edges[index], 1)?);
    }
    let bytes = page.page.as_ref();
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

/// A data page in memory: definition levels where there are any, then the parts of the values.
fn data_page(levels: &[u32], optional: bool, parts: &[&[u8]], rows: u32, encoding: Encoding) -> Page {
    let mut bytes = Vec::new();
    if optional {
        let levels = hybrid::encode(levels, 1);
        bytes.reserve_exact(4 + levels.len() + parts.iter().map(|part| part.len()).sum::<usize>());
        bytes.extend((levels.len() as u32).to_le_bytes());
        bytes.extend(levels);
    }
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    page_of(bytes.into(), rows, encoding)
}

fn page_of(buf: Bytes, rows: u32, encoding: Encoding) -> Page {
    Page::DataPage {
        buf,
        num_values: rows,
        encoding,
        def_level_encoding: Encoding::RLE,
        rep_level_encoding: Encoding::RLE,
        statistics: None,
    }
}

impl Rest {
    /// The next page, and what is left after it.
    pub fn deliver(self, bench: &Workbench) -> Result<(Page, Option<Rest>)> {
        match self {
            Self::Dictionary(dictionary, indices) => {
                let page = Page::DictionaryPage {
                    buf: dictionary.partial.finish(bench)?.freeze(),
                    num_values: dictionary.values,
                    encoding: dictionary.encoding,
                    is_sorted: dictionary.sorted,
                };
                Ok((page, (indices.rows > 0).then_some(Self::Indices(indices))))
            }
            Self::Indices(rest) => {
                let packed = hybrid::encode(&rest.indices, rest.width);
                let parts: [&[u8]; 2] = [&[rest.width as u8], &packed];
                Ok((
                    data_page(&rest.levels, rest.optional, &parts, rest.rows, Encoding::RLE_DICTIONARY),
                    None,
                ))
            }
            Self::Plain(rest) => Ok((rest.deliver(bench)?, None)),
        }
    }
}

impl RestOfValues {
    /// The levels take the place of what was delivered, so that the values need not move.
    fn deliver(self, bench: &Workbench) -> Result<Page> {
        let mut page = self.partial.finish(bench)?;
        let mut from = self.from;
        if self.optional {
            let levels = hybrid::encode(&self.levels, 1);
            let size = (levels.len() as u32).to_le_bytes();
            let Some(start) = from.checked_sub(levels.len() + size.len()) else {
                let values = &page.as_ref()[from..];
                return Ok(data_page(&self.levels, true, &[values], self.rows, Encoding::PLAIN));
            };
            page.as_mut()[start..start + size.len()].copy_from_slice(&size);
            page.as_mut()[start + size.len()..from].copy_from_slice(&levels);
            from = start;
        }
        Ok(page_of(page.freeze().slice(from..), self.rows, Encoding::PLAIN))
    }
}
