//! The headers of a chunk's pages, one after another, each checked before a byte is allocated on its word.

use std::sync::atomic::Ordering::Relaxed;

use crate::error::{Error, Result};
use crate::format::page_header::{Body, PageHeader};
use crate::format::page_index::Span;
use crate::format::thrift::Stop;
use crate::memory::size::in_memory;
use crate::pages::chunk::Chunk;
use crate::pages::map::PageMap;

/// What the first read of a chunk fetches: a header and a good part of its page.
pub const FIRST_READ_BYTES: usize = 64 << 10;
/// The most that is read together with a header. Larger pages of zstd are read and decompressed block by
/// block, so that their compressed bytes never are in memory all at once.
pub const READ_AHEAD_BYTES: usize = 128 << 10;
/// What is fetched to see a header alone.
pub const PEEK_BYTES: usize = 1 << 10;
/// A page header holds at most a few statistics.
const MAX_HEADER_BYTES: usize = 8 << 20;

/// A page's header, and where in the file the body behind it starts.
#[derive(Clone, Copy, Debug)]
pub struct LocatedPage {
    pub header: PageHeader,
    pub start: u64,
}

impl LocatedPage {
    pub fn end(&self) -> u64 {
        self.start + self.header.compressed_bytes as u64
    }
}

/// What comes next in the chunk.
#[derive(Clone, Copy)]
enum Next {
    /// The page at this offset, whose header was not looked at; nothing where the chunk ends there.
    At(u64),
    Page(LocatedPage),
}

pub struct Headers {
    next: Next,
    /// Values that the footer promises and that have not come yet.
    values_left: u64,
    /// Bytes of the page looked at last, header included: the next is likely to be as large.
    page_bytes: usize,
    /// Bytes of the dictionary's header, which the chunk's size may lack.
    forgotten: u64,
    /// The pages as the index lists them, where some are to be stepped over without a look.
    map: Option<PageMap>,
}

impl Headers {
    pub fn new(chunk: &Chunk, map: Option<PageMap>) -> Self {
        Self {
            next: Next::At(chunk.start),
            values_left: chunk.values,
            page_bytes: FIRST_READ_BYTES,
            forgotten: 0,
            map,
        }
    }

    /// How much to read together with the header of a page that is wanted.
    pub fn likely_bytes(&self) -> usize {
        self.page_bytes.min(READ_AHEAD_BYTES)
    }

    /// The next page, which stays the next; None at the end of the chunk. Where the header must be read,
    /// `ahead` bytes are read with it.
    pub fn peek(&mut self, chunk: &Chunk, ahead: usize) -> Result<Option<LocatedPage>> {
        loop {
            let start = match self.next {
                Next::Page(page) => return Ok(Some(page)),
                Next::At(start) => start,
            };
            chunk.context.check()?;
            // What follows the last value of a column that does not repeat can hold no row.
            let is_done = self.values_left == 0 && (!chunk.is_repeated() || chunk.values == 0);
            if start >= chunk.end || is_done {
                if self.values_left > 0 {
                    return Err(Error::corrupt(format!(
                        "the column chunk ends {} values early",
                        self.values_left
                    )));
                }
                return Ok(None);
            }
            chunk.marker.offset.store(start, Relaxed);
            let listed = self.map.as_mut().and_then(|map| map.at(start));
            let ahead = listed.map_or(ahead, |span| in_memory(span.bytes).min(READ_AHEAD_BYTES));
            let (header, length) = read(chunk, start, ahead)?;
            let page = LocatedPage { header, start: start + length as u64 };
            if start == chunk.start && matches!(header.body, Body::Dictionary { .. }) {
                self.forgotten = (length as u64).min(chunk.limit - chunk.end);
            }
            self.admit(chunk, page)?;
            if let Some(map) = &mut self.map {
                // No column with a map repeats: each value is a row.
                let rows = header.body.is_data().then(|| u64::from(header.body.data_values()));
                map.confirm(start, (length + header.compressed_bytes) as u64, rows)?;
            }
            // Decoders of lists take a page without values for the start of a row.
            let is_empty = header.body.is_data() && header.body.data_values() == 0;
            if is_empty || header.body == Body::Other {
                self.next = Next::At(page.end());
            } else {
                self.page_bytes = length + header.compressed_bytes;
                self.next = Next::Page(page);
            }
        }
    }

    /// The page behind `page`, which is the next and stays it.
    pub fn peek_behind(
        &mut self,
        chunk: &Chunk,
        page: LocatedPage,
        ahead: usize,
    ) -> Result<Option<LocatedPage>> {
        let values_left = self.values_left;
        self.pass(page);
        let behind = self.peek(chunk, ahead)?;
        self.next = Next::Page(page);
        self.values_left = values_left;
        Ok(behind)
    }

    /// Go on behind `page`, which `peek` gave.
    pub fn pass(&mut self, page: LocatedPage) {
        self.next = Next::At(page.end());
        self.values_left -= u64::from(page.header.body.data_values());
    }

    /// Refuse more values than the footer promises, where the page that came last had the last of these: a page that
    /// claims one too many would push what follows out of the chunk.
    pub fn check_end(&self, chunk: &Chunk) -> Result<()> {
        let Next::At(start) = self.next else { return Ok(()) };
        if self.values_left > 0 || start >= chunk.end || chunk.is_repeated() {
            return Ok(());
        }
        match read(chunk, start, PEEK_BYTES) {
            Ok((header, _)) if header.body.data_values() > 0 => {
                Err(Error::corrupt(format!("a column chunk of more than {} values", chunk.values)))
            }
            // Whatever else is there: some chunks are longer than their pages.
            _ => Ok(()),
        }
    }

    /// The next page as the index has it, as long as nobody looked at the page itself.
    pub fn listed(&mut self) -> Option<Span> {
        let Next::At(start) = self.next else { return None };
        self.map.as_mut().and_then(|map| map.at(start))
    }

    /// Go on behind a page that `listed` gave.
    pub fn pass_listed(&mut self, span: Span) -> Result<()> {
        self.next = Next::At(span.offset + span.bytes);
        self.values_left = self
            .values_left
            .checked_sub(span.rows)
            .ok_or_else(|| Error::corrupt("the page index has more rows than the column chunk has values"))?;
        Ok(())
    }

    /// Refuse a page before a byte is allocated for it.
    fn admit(&self, chunk: &Chunk, LocatedPage { header, start }: LocatedPage) -> Result<()> {
        let max_page_bytes = chunk.context.max_page_bytes;
        let left = (chunk.end + self.forgotten).saturating_sub(start);
        if header.compressed_bytes as u64 > left {
            return Err(Error::corrupt(format!(
                "a page of {} bytes in a column chunk that has {left} left",
                header.compressed_bytes
            )));
        }
        if header.uncompressed_bytes > max_page_bytes {
            return Err(Error::limit(format!(
                "a page of {} bytes, more than max_page_bytes={max_page_bytes}",
                header.uncompressed_bytes
            )));
        }
        if let Some(most) = chunk.uncompressed_bytes.filter(|&most| header.uncompressed_bytes as u64 > most) {
            return Err(Error::corrupt(format!(
                "a page of {} bytes in a column chunk of {most}",
                header.uncompressed_bytes
            )));
        }
        let values = match header.body {
            Body::Data { values, .. } => values,
            Body::DataV2 { values, nulls, rows, def_bytes, rep_bytes, .. } => {
                let levels = u64::from(def_bytes) + u64::from(rep_bytes);
                if levels > header.uncompressed_bytes.min(header.compressed_bytes) as u64 {
                    return Err(Error::corrupt("a page's levels are larger than the page"));
                }
                if nulls.is_some_and(|nulls| nulls > values)
                    || rows > values
                    || (!chunk.is_repeated() && rows != values)
                {
                    return Err(Error::corrupt("a page's counts contradict each other"));
                }
                values
            }
            Body::Dictionary { values, .. } => {
                // Each entry of a dictionary takes at least a bit.
                if u64::from(values) > header.uncompressed_bytes as u64 * 8 {
                    return Err(Error::corrupt("a dictionary has more entries than bits"));
                }
                0
            }
            Body::Other => 0,
        };
        if u64::from(values) > self.values_left {
            return Err(Error::corrupt(format!(
                "a page of {values} values in a column chunk that has {} left",
                self.values_left
            )));
        }
        if chunk.is_repeated() && values as usize > max_page_bytes / 4 {
            // Levels of nested values are kept as 16-bit integers, two for each.
            return Err(Error::limit(format!("a page of {values} nested values")));
        }
        Ok(())
    }
}

/// The header at `start`, and its length.
fn read(chunk: &Chunk, start: u64, ahead: usize) -> Result<(PageHeader, usize)> {
    let left = usize::try_from(chunk.limit - start).unwrap_or(usize::MAX);
    let mut need = left.min(64);
    loop {
        let context = &chunk.context;
        let mut tools = context.tools();
        let bytes = tools.window.get(&context.file, &context.pool, start, need, ahead, chunk.limit)?;
        match PageHeader::parse(bytes) {
            Ok(found) => return Ok(found),
            Err(Stop::More) if bytes.len() < left && bytes.len() < MAX_HEADER_BYTES => {
                need = bytes.len().saturating_mul(2).min(left);
            }
            Err(stop) => return Err(stop.into()),
        }
    }
}
