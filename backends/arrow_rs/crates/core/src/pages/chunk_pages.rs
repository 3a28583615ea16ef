//! The pages of one column chunk, as a decoder takes them: one at a time, with the dictionary where it is needed.

use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};

use crate::encoding::is_dictionary;
use crate::error::{Error, Result};
use crate::format::page_header::Body;
use crate::memory::size::in_memory;
use crate::pages::boundary;
use crate::pages::chunk::Chunk;
use crate::pages::headers::{Headers, LocatedPage, PEEK_BYTES};
use crate::pages::map::PageMap;
use crate::pages::row_starts::{self, RowStarts};
use crate::pages::{batch_bytes, body, first_rows};

pub struct ChunkPages {
    chunk: Chunk,
    headers: Headers,
    first: FirstRows,
    dictionary: Dictionary,
    /// Whether a dictionary that no page refers to any more is taken from the decoder.
    frees_dictionary: bool,
    /// Rows that began on pages that came, as long as that is known of all.
    rows: Option<u64>,
    /// Set where a page that is also needed by others is to be decompressed once.
    shared: Option<boundary::Span>,
}

/// The rows of a first batch that comes early, before whole pages are decompressed.
#[derive(Clone, Copy)]
enum FirstRows {
    /// So many are asked for, and nothing has been read.
    Wanted(usize),
    /// So many were delivered, and the first data page is still to come.
    Delivered(usize),
    /// So many were delivered, and are once more on the page that came last.
    Repeated(usize),
    /// They were not asked for, or nothing is left to do for them.
    Past,
}

/// The dictionary page, read again where a page needs it and the decoder does not have it.
#[derive(Clone, Copy)]
enum Dictionary {
    /// None came until now.
    Unseen,
    /// It was stepped over, or taken from the decoder.
    Lacked(LocatedPage),
    /// The decoder has it.
    Held(LocatedPage),
}

impl ChunkPages {
    /// `first_rows` asks for a page of so many rows before the first, where that is possible. Then pages must be
    /// taken one after another, none skipped, and for decoders that pass over them the page after it has the rows once
    /// more: see `take_delivered`. `frees_dictionary` replaces the dictionary by an empty one when plain pages begin, as
    /// they do when a writer finds it too large. `map` spares the headers of pages that are stepped over.
    pub fn new(
        chunk: Chunk,
        first_rows: Option<usize>,
        frees_dictionary: bool,
        map: Option<PageMap>,
    ) -> Self {
        Self {
            headers: Headers::new(&chunk, map),
            chunk,
            first: first_rows.map_or(FirstRows::Past, FirstRows::Wanted),
            dictionary: Dictionary::Unseen,
            frees_dictionary,
            rows: Some(0),
            shared: None,
        }
    }

    /// What is wanted from the next page on.
    pub fn wants(&mut self, span: boundary::Span) {
        self.shared = Some(span);
    }

    pub fn next_page(&mut self) -> Result<Option<Page>> {
        if let FirstRows::Wanted(rows) = self.first {
            self.first = FirstRows::Past;
            if let Some(page) = first_rows::of_chunk(&self.chunk, &mut self.headers, rows)? {
                self.first = FirstRows::Delivered(rows);
                return Ok(Some(page));
            }
        }
        let ahead = self.headers.likely_bytes();
        let Some(next) = self.headers.peek(&self.chunk, ahead)? else { return self.end() };
        if let Some(page) = self.dictionary_before(&next.header.body)? {
            return Ok(Some(page));
        }
        self.headers.pass(next);
        self.headers.check_end(&self.chunk)?;
        batch_bytes::charge(&self.chunk, &next.header)?;
        let page = self.load_shared(next)?;
        if page.is_dictionary_page() {
            self.dictionary = Dictionary::Held(next);
            return Ok(Some(page));
        }
        let FirstRows::Delivered(rows) = self.first else { return Ok(Some(page)) };
        if self.chunk.handling.passes_delivered {
            self.first = FirstRows::Repeated(rows);
            return Ok(Some(page));
        }
        self.first = FirstRows::Past;
        first_rows::without(&self.chunk, page, rows).map(Some)
    }

    /// Rows at the start of a page that were delivered before it.
    pub fn take_delivered(&mut self) -> usize {
        let FirstRows::Repeated(rows) = self.first else { return 0 };
        self.first = FirstRows::Past;
        rows
    }

    /// A dictionary page that must come before a page with this body: the dictionary where the decoder lacks
    /// it, an empty one where it holds it for nothing.
    fn dictionary_before(&mut self, body: &Body) -> Result<Option<Page>> {
        let (Body::Data { encoding, .. } | Body::DataV2 { encoding, .. }) = *body else { return Ok(None) };
        match self.dictionary {
            Dictionary::Lacked(page) if is_dictionary(encoding) => {
                self.dictionary = Dictionary::Held(page);
                let (page, ..) = body::load(&self.chunk, page)?;
                Ok(Some(page))
            }
            Dictionary::Held(page) if self.frees_dictionary && !is_dictionary(encoding) => {
                self.dictionary = Dictionary::Lacked(page);
                Ok(Some(Page::DictionaryPage {
                    buf: Bytes::new(),
                    num_values: 0,
                    encoding: Encoding::PLAIN,
                    is_sorted: false,
                }))
            }
            _ => Ok(None),
        }
    }

    /// The page, which is not decompressed again where a neighbour has done it.
    fn load_shared(&mut self, page: LocatedPage) -> Result<Page> {
        let rows = page.header.body.data_values() as usize;
        let early = match self.first {
            FirstRows::Delivered(rows) => rows,
            _ => 0,
        };
        let Some(boundary) = self.shared.as_ref().and_then(|span| span.shares(rows, early)) else {
            let (loaded, levels) = body::load(&self.chunk, page)?;
            if let Some(levels) = levels {
                if let Some(sibling) = &self.chunk.handling.sibling {
                    let most_bytes = self.chunk.context.max_batch_bytes;
                    sibling.tell(&page.header.body, loaded.buffer(), self.chunk.highest, most_bytes)?;
                }
                self.count_rows(levels.rows)?;
            }
            return Ok(loaded);
        };
        // Only columns without nesting share pages: their rows are their values.
        if let Some(page) = boundary.take(page.start) {
            return Ok(page);
        }
        let (loaded, _) = body::load(&self.chunk, page)?;
        boundary.leave(page.start, &loaded);
        Ok(loaded)
    }

    /// Rows of nested values are held against the row group's, so that none go into the next one's place.
    fn count_rows(&mut self, rows: Option<u64>) -> Result<()> {
        self.rows = self.rows.zip(rows).map(|(before, rows)| before + rows);
        match self.rows {
            Some(rows) if self.chunk.is_repeated() && rows > self.chunk.rows => Err(Error::corrupt(format!(
                "a column chunk of more rows than the {} of its row group",
                self.chunk.rows
            ))),
            _ => Ok(()),
        }
    }

    fn end(&self) -> Result<Option<Page>> {
        match self.rows {
            Some(rows) if self.chunk.is_repeated() && rows < self.chunk.rows => Err(Error::corrupt(format!(
                "a column chunk of {rows} rows in a row group of {}",
                self.chunk.rows
            ))),
            _ => Ok(None),
        }
    }

    /// What the next page is, for one who skips rows: what was taken until now is not kept for the batch.
    pub fn peek(&mut self) -> Result<Option<PageMetadata>> {
        self.chunk.marker.taken.store(0, Relaxed);
        self.look()
    }

    /// What is known of the rows on the next page, which does not say itself how many begin on it; None where
    /// only all of it would tell.
    pub fn row_starts(&mut self) -> Result<Option<RowStarts>> {
        let able = self.chunk.is_zstd() && self.chunk.highest.repetition == 1;
        match self.headers.peek(&self.chunk, PEEK_BYTES)? {
            Some(page) if able => row_starts::count(&self.chunk.context, page),
            _ => Ok(None),
        }
    }

    /// Whether a row ends where the page before did, as far as can be told without the next page.
    pub fn begins_row(&mut self) -> Result<bool> {
        if matches!(self.first, FirstRows::Delivered(_)) {
            // What was delivered early are whole rows.
            return Ok(true);
        }
        Ok(self.look()?.is_none_or(|page| page.num_rows.is_some()))
    }

    fn look(&mut self) -> Result<Option<PageMetadata>> {
        self.forgo_first_rows()?;
        if let Some(span) = self.headers.listed() {
            let num_rows = Some(in_memory(span.rows));
            return Ok(Some(PageMetadata { num_rows, num_levels: None, is_dict: false }));
        }
        let repeated = self.chunk.is_repeated();
        Ok(self.headers.peek(&self.chunk, PEEK_BYTES)?.map(|page| match page.header.body {
            Body::Data { values, .. } => PageMetadata {
                num_rows: (!repeated).then_some(values as usize),
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

    pub fn step_over(&mut self) -> Result<()> {
        self.forgo_first_rows()?;
        if let Some(span) = self.headers.listed() {
            self.siblings_step_over(Some(span.rows))?;
            return self.headers.pass_listed(span);
        }
        if let Some(page) = self.headers.peek(&self.chunk, PEEK_BYTES)? {
            self.headers.pass(page);
            match page.header.body {
                Body::DataV2 { rows, .. } => {
                    self.siblings_step_over(Some(rows.into()))?;
                    self.count_rows(Some(rows.into()))?;
                }
                Body::Data { values, .. } => {
                    self.siblings_step_over((!self.chunk.is_repeated()).then_some(values.into()))?;
                    self.count_rows(None)?;
                }
                _ => {}
            }
            if matches!(page.header.body, Body::Dictionary { .. }) {
                self.dictionary = Dictionary::Lacked(page);
            }
        }
        Ok(())
    }

    fn siblings_step_over(&self, rows: Option<u64>) -> Result<()> {
        self.chunk.handling.sibling.as_ref().map_or(Ok(()), |sibling| sibling.step_over(rows))
    }

    /// Who looks at pages or skips them gets no rows early.
    fn forgo_first_rows(&mut self) -> Result<()> {
        match self.first {
            FirstRows::Delivered(_) => {
                return Err(Error::usage("pages that were asked for early must be taken one after another"));
            }
            FirstRows::Wanted(_) => self.first = FirstRows::Past,
            FirstRows::Repeated(_) | FirstRows::Past => {}
        }
        Ok(())
    }
}

impl Iterator for ChunkPages {
    type Item = parquet::errors::Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for ChunkPages {
    fn get_next_page(&mut self) -> parquet::errors::Result<Option<Page>> {
        self.next_page().map_err(|error| self.chunk.context.note(error))
    }

    fn peek_next_page(&mut self) -> parquet::errors::Result<Option<PageMetadata>> {
        self.peek().map_err(|error| self.chunk.context.note(error))
    }

    fn at_record_boundary(&mut self) -> parquet::errors::Result<bool> {
        self.begins_row().map_err(|error| self.chunk.context.note(error))
    }

    fn skip_next_page(&mut self) -> parquet::errors::Result<()> {
        self.step_over().map_err(|error| self.chunk.context.note(error))
    }

    fn supports_deferred_dictionary(&self) -> bool {
        // `next_page` delivers it before the first page that needs it.
        true
    }
}
