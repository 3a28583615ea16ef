//! The pages of one column chunk, checked, read and decompressed one at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::schema::types::ColumnDescriptor;

use crate::encoding::delta;
use crate::encoding::levels::{self, Highest};
use crate::error::{Error, Result};
use crate::format::page_header::{Body, PageHeader};
use crate::format::page_index::Span;
use crate::format::thrift::Stop;
use crate::pages::boundary;
use crate::pages::first_rows::{self, Layout, Preview};
use crate::pages::map::PageMap;
use crate::pages::row_starts::{self, RowStarts};
use crate::pages::workbench::{Tools, Workbench};

/// What the first read of a chunk fetches: a header and a good part of its page.
const FIRST_READ_BYTES: usize = 64 << 10;
/// The most that is read together with a header. Larger pages of zstd are read and decompressed block by
/// block, so that their compressed bytes never are in memory all at once.
const READ_AHEAD_BYTES: usize = 128 << 10;
/// What is fetched to see a header alone.
const PEEK_BYTES: usize = 1 << 10;
/// A page header holds at most a few statistics.
const MAX_HEADER_BYTES: usize = 8 << 20;

/// Where a column's decoder is, for error messages, and what it has taken.
#[derive(Debug, Default)]
pub struct Marker {
    pub group: AtomicUsize,
    pub offset: AtomicU64,
    /// Bytes of the pages that the current batch takes, with the levels of nested values.
    pub taken: AtomicU64,
}

/// What of a column chunk's metadata is needed to read its pages.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    codec: Compression,
    physical: Type,
    /// Bytes of each value, where the schema fixes them.
    width: Option<u64>,
    nested: bool,
    max_def: i16,
    max_rep: i16,
    uncompressed_bytes: u64,
}

pub struct ChunkPages {
    bench: Arc<Workbench>,
    marker: Arc<Marker>,
    chunk: Chunk,
    at: u64,
    end: u64,
    /// Values that the footer promises and that have not come yet.
    values_left: u64,
    /// A header that was looked at; `at` is then the start of its page's body.
    peeked: Option<PageHeader>,
    /// The dictionary page, read again where a page needs it and the decoder does not have it.
    dictionary: Option<(PageHeader, u64)>,
    decoder_has_dictionary: bool,
    /// Whether a dictionary that no page refers to any more is taken from the decoder.
    frees_dictionary: bool,
    /// Rows of a first batch that is to come early, before whole pages are decompressed.
    early_rows: Option<usize>,
    /// Rows of the next page that were delivered early.
    early: Option<usize>,
    /// Rows of the last page that were delivered before it, and are on it all the same.
    delivered: usize,
    /// Bytes of the page before, header included: the next is likely to be as large.
    page_bytes: usize,
    /// The pages as the index lists them, where some are to be stepped over without a look.
    map: Option<PageMap>,
    /// Set where a page that is also needed by others is to be decompressed once.
    shared: Option<boundary::Span>,
}

impl ChunkPages {
    /// The footer has been checked: the chunk lies within the file.
    ///
    /// `early_rows` asks for a page of so many rows before the first, where that is possible. Then pages must be
    /// taken one after another, none skipped, and what comes after a page of lists has the rows once more: see
    /// `take_delivered`. `frees_dictionary` replaces the
    /// dictionary by an empty one when plain pages begin, as they do when a writer finds it too large. `map`
    /// spares the headers of pages that are stepped over.
    pub fn new(
        bench: Arc<Workbench>,
        marker: Arc<Marker>,
        group: usize,
        meta: &ColumnChunkMetaData,
        early_rows: Option<usize>,
        frees_dictionary: bool,
        map: Option<PageMap>,
    ) -> Self {
        let (start, length) = meta.byte_range();
        marker.group.store(group, Relaxed);
        marker.offset.store(start, Relaxed);
        let column = meta.column_descr();
        Self {
            bench,
            marker,
            chunk: Chunk {
                codec: meta.compression(),
                physical: meta.column_type(),
                width: width(column),
                nested: column.max_rep_level() > 0,
                max_def: column.max_def_level(),
                max_rep: column.max_rep_level(),
                uncompressed_bytes: meta.uncompressed_size() as u64,
            },
            at: start,
            end: start + length,
            values_left: meta.num_values() as u64,
            peeked: None,
            dictionary: None,
            decoder_has_dictionary: false,
            frees_dictionary,
            early_rows,
            early: None,
            delivered: 0,
            page_bytes: FIRST_READ_BYTES,
            map,
            shared: None,
        }
    }

    /// What is wanted from the next page on.
    pub fn wants(&mut self, span: boundary::Span) {
        self.shared = Some(span);
    }

    /// The next page's header, which is then in `peeked`; None at the end of the chunk.
    fn header(&mut self, ahead: usize) -> Result<Option<&PageHeader>> {
        while self.peeked.is_none() {
            self.bench.check()?;
            if self.at == self.end {
                if self.values_left > 0 {
                    return Err(Error::corrupt(format!(
                        "the column chunk ends {} values early",
                        self.values_left
                    )));
                }
                return Ok(None);
            }
            let start = self.at;
            self.marker.offset.store(start, Relaxed);
            let listed = self.map.as_mut().and_then(|map| map.at(start));
            let ahead = listed.map_or(ahead, |span| (span.bytes as usize).min(READ_AHEAD_BYTES));
            let (header, length) = self.read_header(ahead)?;
            self.at += length as u64;
            self.admit(&header)?;
            if let Some(map) = &mut self.map {
                // No column with a map repeats: each value is a row.
                let rows = is_data(&header.body).then(|| u64::from(data_values(&header.body)));
                map.confirm(start, (length + header.compressed_bytes) as u64, rows)?;
            }
            if header.body == Body::Other {
                self.at += header.compressed_bytes as u64;
            } else {
                self.page_bytes = length + header.compressed_bytes;
                self.peeked = Some(header);
            }
        }
        Ok(self.peeked.as_ref())
    }

    fn read_header(&self, ahead: usize) -> Result<(PageHeader, usize)> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let mut need = left.min(64);
        loop {
            let mut tools = self.bench.tools();
            let bytes =
                tools.window.get(&self.bench.file, &self.bench.pool, self.at, need, ahead, self.end)?;
            match PageHeader::parse(bytes) {
                Ok(found) => return Ok(found),
                Err(Stop::More) if bytes.len() < left && bytes.len() < MAX_HEADER_BYTES => {
                    need = bytes.len().saturating_mul(2).min(left);
                }
                Err(stop) => return Err(stop.into()),
            }
        }
    }

    /// Refuse a page before a byte is allocated for it.
    fn admit(&self, header: &PageHeader) -> Result<()> {
        if header.compressed_bytes as u64 > self.end - self.at {
            return Err(Error::corrupt(format!(
                "a page of {} bytes in a column chunk that has {} left",
                header.compressed_bytes,
                self.end - self.at
            )));
        }
        if header.uncompressed_bytes > self.bench.max_page_bytes {
            return Err(Error::limit(format!(
                "a page of {} bytes, more than max_page_bytes={}",
                header.uncompressed_bytes, self.bench.max_page_bytes
            )));
        }
        if header.uncompressed_bytes as u64 > self.chunk.uncompressed_bytes {
            return Err(Error::corrupt(format!(
                "a page of {} bytes in a column chunk of {}",
                header.uncompressed_bytes, self.chunk.uncompressed_bytes
            )));
        }
        let values = match header.body {
            Body::Data { values, .. } => values,
            Body::DataV2 { values, nulls, rows, def_bytes, rep_bytes, .. } => {
                let levels = u64::from(def_bytes) + u64::from(rep_bytes);
                if levels > header.uncompressed_bytes.min(header.compressed_bytes) as u64 {
                    return Err(Error::corrupt("a page's levels are larger than the page"));
                }
                if nulls > values || rows > values || (!self.chunk.nested && rows != values) {
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
        if self.chunk.nested && values as usize > self.bench.max_page_bytes / 4 {
            // Levels of nested values are kept as 16-bit integers, two for each.
            return Err(Error::limit(format!("a page of {values} nested values")));
        }
        Ok(())
    }

    pub fn next_page(&mut self) -> Result<Option<Page>> {
        if let Some(rows) = self.early_rows.take()
            && let Some(page) = self.first_rows(rows)?
        {
            return Ok(Some(page));
        }
        let Some(header) = self.header(self.page_bytes.min(READ_AHEAD_BYTES))?.cloned() else {
            return Ok(None);
        };
        if let Some(page) = self.dictionary_before(&header.body)? {
            return Ok(Some(page));
        }
        let start = self.at;
        self.peeked = None;
        self.at += header.compressed_bytes as u64;
        let values = data_values(&header.body);
        self.values_left -= u64::from(values);
        self.count_taken(&header)?;
        let page = self.load_shared(&header, start)?;
        if page.is_dictionary_page() {
            self.dictionary = Some((header, start));
            self.decoder_has_dictionary = true;
        } else if let Some(rows) = self.early.take() {
            if !self.chunk.nested {
                return first_rows::without(self.layout(), page, rows).map(Some);
            }
            self.delivered = rows;
        }
        Ok(Some(page))
    }

    /// Rows at the start of a page of lists that were delivered before it.
    pub fn take_delivered(&mut self) -> usize {
        std::mem::take(&mut self.delivered)
    }

    /// Refuse a batch that takes too much: rows of nested values can be of any size, and a few bytes can stand
    /// for millions of them.
    fn count_taken(&self, header: &PageHeader) -> Result<()> {
        let (Body::Data { values, encoding, .. } | Body::DataV2 { values, encoding, .. }) = header.body
        else {
            return Ok(());
        };
        let reserved = self.reserved(values, encoding);
        let bytes = (header.uncompressed_bytes as u64).saturating_add(reserved);
        let limit = self.bench.max_batch_bytes;
        // A batch of a single page is bounded as that is, but not what is reserved for its values.
        let before = self.marker.taken.fetch_add(bytes, Relaxed);
        if reserved > limit || before > 0 && before.saturating_add(bytes) > limit {
            return Err(Error::limit(format!(
                "the pages of one batch take more than max_batch_bytes={limit}; smaller batches take less"
            )));
        }
        Ok(())
    }

    /// Memory for the levels of nested values, and for values of a fixed width that are not in the page.
    fn reserved(&self, values: u32, encoding: Encoding) -> u64 {
        if !self.chunk.nested {
            return 0;
        }
        let width = self.chunk.width.filter(|_| refers(encoding)).unwrap_or(0);
        u64::from(values).saturating_mul(width.saturating_add(4))
    }

    /// A dictionary page that must come before a page with this body: the dictionary where the decoder lacks
    /// it, an empty one where it holds it for nothing.
    fn dictionary_before(&mut self, body: &Body) -> Result<Option<Page>> {
        let (Body::Data { encoding, .. } | Body::DataV2 { encoding, .. }) = *body else { return Ok(None) };
        let needed = refers(encoding);
        if needed == self.decoder_has_dictionary || !(needed || self.frees_dictionary) {
            return Ok(None);
        }
        let Some((header, start)) = &self.dictionary else { return Ok(None) };
        self.decoder_has_dictionary = needed;
        if needed {
            return self.load(header, *start).map(Some);
        }
        let empty = Page::DictionaryPage {
            buf: Bytes::new(),
            num_values: 0,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        Ok(Some(empty))
    }

    fn layout(&self) -> Layout {
        let highest = Highest { repetition: self.chunk.max_rep, definition: self.chunk.max_def };
        Layout { physical: self.chunk.physical, highest }
    }

    /// A page of the first `rows` rows, where the chunk begins with pages of which a part is enough for
    /// that. All pages are still to come then, the first data page without these rows.
    fn first_rows(&mut self, rows: usize) -> Result<Option<Page>> {
        let chunk = self.chunk;
        let able = matches!(chunk.codec, Compression::ZSTD(_)) && self.layout().is_supported();
        let Some(header) = self.header(FIRST_READ_BYTES)?.filter(|_| able).cloned() else { return Ok(None) };
        let start = self.at;
        let page = match header.body {
            Body::Dictionary { encoding: Encoding::PLAIN | Encoding::PLAIN_DICTIONARY, .. }
                if header.crc.is_none() =>
            {
                self.at += header.compressed_bytes as u64;
                self.peeked = None;
                let data = self.header(FIRST_READ_BYTES)?.cloned();
                let data_start = self.at;
                // The dictionary is the next page all the same; the data page's header is read again.
                self.at = start;
                self.peeked = Some(header.clone());
                let Some(data) = data.filter(|data| first_rows::can_cut(data, rows, true)) else {
                    return Ok(None);
                };
                first_rows::first_rows(
                    &self.bench,
                    self.layout(),
                    (&data, data_start),
                    rows,
                    Some((&header, start)),
                )?
            }
            _ if first_rows::can_cut(&header, rows, false) => {
                first_rows::first_rows(&self.bench, self.layout(), (&header, start), rows, None)?
            }
            _ => return Ok(None),
        };
        self.early = page.is_some().then_some(rows);
        Ok(page)
    }

    /// As `load`, but not again where a neighbour has done it.
    fn load_shared(&self, header: &PageHeader, start: u64) -> Result<Page> {
        let rows = data_values(&header.body) as usize;
        let early = self.early.unwrap_or(0);
        let Some(boundary) = self.shared.as_ref().and_then(|span| span.shares(rows, early)) else {
            return self.load(header, start);
        };
        if let Some(page) = boundary.take(start) {
            return Ok(page);
        }
        let page = self.load(header, start)?;
        boundary.leave(start, &page);
        Ok(page)
    }

    /// Read and decompress the page whose body starts at `start`.
    fn load(&self, header: &PageHeader, start: u64) -> Result<Page> {
        self.marker.offset.store(start, Relaxed);
        let buffer = self.body(header, start)?;
        self.check_values(&header.body, &buffer)?;
        Ok(match header.body {
            Body::Data { values, encoding, def_levels, rep_levels } => Page::DataPage {
                buf: buffer,
                num_values: values,
                encoding,
                def_level_encoding: def_levels,
                rep_level_encoding: rep_levels,
                statistics: None,
            },
            Body::DataV2 { values, nulls, rows, encoding, def_bytes, rep_bytes, compressed } => {
                Page::DataPageV2 {
                    buf: buffer,
                    num_values: values,
                    encoding,
                    num_nulls: nulls,
                    num_rows: rows,
                    def_levels_byte_len: def_bytes,
                    rep_levels_byte_len: rep_bytes,
                    is_compressed: compressed,
                    statistics: None,
                }
            }
            Body::Dictionary { values, encoding, sorted } => {
                Page::DictionaryPage { buf: buffer, num_values: values, encoding, is_sorted: sorted }
            }
            Body::Other => return Err(Error::corrupt("a page of unknown type")),
        })
    }

    fn body(&self, header: &PageHeader, start: u64) -> Result<Bytes> {
        let bench = &self.bench;
        // Levels of a V2 page are never compressed; its values may be left as they are, too.
        let (plain_bytes, codec) = match header.body {
            Body::DataV2 { compressed: false, .. } => (0, Compression::UNCOMPRESSED),
            Body::DataV2 { def_bytes, rep_bytes, .. } => ((def_bytes + rep_bytes) as usize, self.chunk.codec),
            _ => (0, self.chunk.codec),
        };
        if matches!(codec, Compression::ZSTD(_))
            && plain_bytes == 0
            && header.crc.is_none()
            && header.compressed_bytes > READ_AHEAD_BYTES
        {
            return Ok(Preview::new(bench, (header, start))?.finish()?.freeze());
        }
        let mut page = bench.pool.take(header.uncompressed_bytes);
        let mut tools = bench.tools();
        let Tools { window, codecs } = &mut *tools;
        let packed = window.get(&bench.file, &bench.pool, start, header.compressed_bytes, 0, self.end)?;
        let packed = &packed[..header.compressed_bytes];
        if let Some(expected) = header.crc {
            let found = crc32fast::hash(packed);
            if found != expected {
                return Err(Error::corrupt(format!(
                    "checksum {found:08x} of a page, expected {expected:08x}"
                )));
            }
        }
        page.put(&packed[..plain_bytes]);
        // A page without values may have an empty body, which is no valid frame for some codecs.
        if header.uncompressed_bytes > plain_bytes {
            codecs.decompress(codec, &packed[plain_bytes..], &mut page, plain_bytes)?;
        }
        Ok(page.freeze())
    }

    /// What decoders must not believe: the number of levels, and the lengths that delta encodings declare.
    fn check_values(&self, body: &Body, page: &Bytes) -> Result<()> {
        let (Body::Data { values, encoding, .. } | Body::DataV2 { values, encoding, .. }) = *body else {
            return Ok(());
        };
        if self.chunk.max_rep == 0 && !is_delta(encoding) {
            return Ok(());
        }
        let begin = levels::end(body, page, self.layout().highest)?;
        if !is_delta(encoding) {
            return Ok(());
        }
        delta::check(encoding, self.chunk.width, &page[begin..], values as usize, self.bench.max_page_bytes)
    }

    /// What the next page is, for one who skips rows: what was taken until now is not kept for the batch.
    pub fn peek(&mut self) -> Result<Option<PageMetadata>> {
        self.marker.taken.store(0, Relaxed);
        self.look()
    }

    /// What is known of the rows on the next page, which does not say itself how many begin on it; None where
    /// only all of it would tell.
    pub fn row_starts(&mut self) -> Result<Option<RowStarts>> {
        let able = matches!(self.chunk.codec, Compression::ZSTD(_)) && self.chunk.max_rep == 1;
        let Some(header) = self.header(PEEK_BYTES)?.filter(|_| able).cloned() else { return Ok(None) };
        row_starts::count(&self.bench, (&header, self.at))
    }

    /// Whether a row ends where the page before did, as far as can be told without the next page.
    pub fn begins_row(&mut self) -> Result<bool> {
        if self.early.is_some() {
            // What was delivered early are whole rows.
            return Ok(true);
        }
        Ok(self.look()?.is_none_or(|page| page.num_rows.is_some()))
    }

    fn look(&mut self) -> Result<Option<PageMetadata>> {
        if self.early.is_some() {
            return Err(Error::usage("pages that were asked for early must be taken one after another"));
        }
        self.early_rows = None;
        if let Some(span) = self.listed() {
            let num_rows = Some(span.rows as usize);
            return Ok(Some(PageMetadata { num_rows, num_levels: None, is_dict: false }));
        }
        let nested = self.chunk.nested;
        Ok(self.header(PEEK_BYTES)?.map(|header| match header.body {
            Body::Data { values, .. } => PageMetadata {
                num_rows: (!nested).then_some(values as usize),
                num_levels: Some(values as usize),
                is_dict: false,
            },
            Body::DataV2 { values, rows, .. } => PageMetadata {
                num_rows: Some(rows as usize),
                num_levels: Some(values as usize),
                is_dict: false,
            },
            Body::Dictionary { .. } | Body::Other => {
                PageMetadata { num_rows: None, num_levels: None, is_dict: true }
            }
        }))
    }

    /// The next page as the index has it, as long as nobody looked at the page itself.
    fn listed(&mut self) -> Option<Span> {
        let at = self.at;
        self.map.as_mut().filter(|_| self.peeked.is_none()).and_then(|map| map.at(at))
    }

    pub fn step_over(&mut self) -> Result<()> {
        if self.early.is_some() {
            return Err(Error::usage("pages that were asked for early must be taken one after another"));
        }
        self.early_rows = None;
        if let Some(span) = self.listed() {
            self.at += span.bytes;
            self.values_left = self.values_left.checked_sub(span.rows).ok_or_else(|| {
                Error::corrupt("the page index has more rows than the column chunk has values")
            })?;
            return Ok(());
        }
        self.header(PEEK_BYTES)?;
        if let Some(header) = self.peeked.take() {
            let start = self.at;
            self.at += header.compressed_bytes as u64;
            self.values_left -= u64::from(data_values(&header.body));
            if matches!(header.body, Body::Dictionary { .. }) {
                self.dictionary = Some((header, start));
            }
        }
        Ok(())
    }
}

fn data_values(body: &Body) -> u32 {
    match *body {
        Body::Data { values, .. } | Body::DataV2 { values, .. } => values,
        Body::Dictionary { .. } | Body::Other => 0,
    }
}

fn is_data(body: &Body) -> bool {
    matches!(body, Body::Data { .. } | Body::DataV2 { .. })
}

/// Bytes of each value of a column whose schema fixes them.
pub fn width(column: &ColumnDescriptor) -> Option<u64> {
    let fixed = column.physical_type() == Type::FIXED_LEN_BYTE_ARRAY;
    fixed.then(|| u64::try_from(column.type_length()).unwrap_or(0))
}

/// Whether values are indices into a dictionary.
fn refers(encoding: Encoding) -> bool {
    matches!(encoding, Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY)
}

fn is_delta(encoding: Encoding) -> bool {
    matches!(
        encoding,
        Encoding::DELTA_BINARY_PACKED | Encoding::DELTA_LENGTH_BYTE_ARRAY | Encoding::DELTA_BYTE_ARRAY
    )
}

impl Iterator for ChunkPages {
    type Item = parquet::errors::Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for ChunkPages {
    fn get_next_page(&mut self) -> parquet::errors::Result<Option<Page>> {
        self.next_page().map_err(|error| self.bench.note(error))
    }

    fn peek_next_page(&mut self) -> parquet::errors::Result<Option<PageMetadata>> {
        self.peek().map_err(|error| self.bench.note(error))
    }

    fn at_record_boundary(&mut self) -> parquet::errors::Result<bool> {
        self.begins_row().map_err(|error| self.bench.note(error))
    }

    fn skip_next_page(&mut self) -> parquet::errors::Result<()> {
        self.step_over().map_err(|error| self.bench.note(error))
    }

    fn supports_deferred_dictionary(&self) -> bool {
        // `next_page` delivers it before the first page that needs it.
        true
    }
}

/// Read and decompress every page of a chunk and throw it away: the floor under the time of any scan.
/// Returns how many bytes were decompressed.
pub fn decompress_all(bench: &Arc<Workbench>, group: usize, meta: &ColumnChunkMetaData) -> Result<u64> {
    let mut pages = ChunkPages::new(bench.clone(), Arc::default(), group, meta, None, false, None);
    let mut bytes = 0;
    while let Some(page) = pages.next_page()? {
        bytes += page.buffer().len() as u64;
    }
    Ok(bytes)
}

/// What the dictionary and the largest page of a chunk take together, decompressed: whoever reads page by page
/// has that in hand. Only headers are read.
pub fn in_hand(bench: &Arc<Workbench>, group: usize, meta: &ColumnChunkMetaData) -> Result<u64> {
    let mut pages = ChunkPages::new(bench.clone(), Arc::default(), group, meta, None, false, None);
    let (mut dictionary, mut largest) = (0, 0);
    while let Some(header) = pages.header(PEEK_BYTES)? {
        let bytes = header.uncompressed_bytes as u64;
        let place = if is_data(&header.body) { &mut largest } else { &mut dictionary };
        *place = bytes.max(*place);
        pages.step_over()?;
    }
    Ok(dictionary + largest)
}
