//! A column without nesting.

use std::collections::VecDeque;

use arrow_array::ArrayRef;
use bytes::Bytes;
use parquet::column::page::Page;

use super::column::{Column, ends_early, fewer_rows};
use super::data_page::{DataPage, dictionary_is_plain};
use super::values::Values;
use crate::encoding::hybrid::{Runs, Validity};
use crate::encoding::levels::Highest;
use crate::error::{Error, Result};
use crate::memory::size::in_memory;
use crate::pages::boundary::{Neighbours, Span};
use crate::pages::chunk_pages::ChunkPages;
use crate::pages::row_groups::LeafChunks;
use crate::pages::visits::Stretch;

pub struct Flat {
    chunks: LeafChunks,
    stretches: VecDeque<Stretch>,
    pages: Option<ChunkPages>,
    /// Rows of the stretch that are still to come.
    wanted_rows: usize,
    /// Rows of the page that are still to come.
    page_rows: usize,
    /// Definition levels of the page, where the column has nulls.
    levels: Option<Runs>,
    values: Box<dyn Values>,
    highest: Highest,
    /// Who else may need the pages at the ends of the only piece.
    neighbours: Option<Neighbours>,
}

impl Column for Flat {
    fn next(&mut self, rows: usize) -> Result<ArrayRef> {
        let mut validity = Validity::default();
        let mut left = rows;
        while left > 0 {
            self.find_rows()?;
            let count = left.min(self.page_rows).min(self.wanted_rows);
            let present = self.read_levels(count, &mut validity)?;
            self.values.read(present)?;
            self.wanted_rows -= count;
            left -= count;
        }
        self.values.finish(validity.finish())
    }
}

impl Flat {
    pub fn new(
        chunks: LeafChunks,
        stretches: VecDeque<Stretch>,
        values: Box<dyn Values>,
        highest: Highest,
        neighbours: Option<Neighbours>,
    ) -> Self {
        Self {
            chunks,
            stretches,
            pages: None,
            wanted_rows: 0,
            page_rows: 0,
            levels: None,
            values,
            highest,
            neighbours,
        }
    }

    fn read_levels(&mut self, count: usize, validity: &mut Validity) -> Result<usize> {
        self.page_rows -= count;
        match &mut self.levels {
            Some(levels) => levels.read_validity(count, validity),
            None => Ok(validity.repeat(true, count)),
        }
    }

    /// Go on to the next page, or chunk, until there are rows.
    fn find_rows(&mut self) -> Result<()> {
        while self.wanted_rows == 0 {
            let stretch = self.stretches.pop_front().ok_or_else(fewer_rows)?;
            if stretch.opens.is_some() {
                self.end_chunk()?;
                self.pages = Some(self.chunks.next_pages().ok_or_else(fewer_rows)??);
            }
            self.wanted_rows = in_memory(stretch.rows);
            self.skip(stretch.skip)?;
        }
        while self.page_rows == 0 {
            self.next_page(0)?;
        }
        Ok(())
    }

    /// Let go of the page, whose memory the next one then takes.
    fn end_page(&mut self) {
        self.page_rows = 0;
        self.levels = None;
        self.values.end_page();
    }

    /// Let go of the dictionary as well: its memory serves that of the next chunk, which does not refer to it.
    fn end_chunk(&mut self) -> Result<()> {
        self.end_page();
        self.values.set_dictionary(Bytes::new(), 0)
    }

    fn pages(&mut self) -> Result<&mut ChunkPages> {
        self.pages.as_mut().ok_or_else(ends_early)
    }

    fn skip(&mut self, rows: u64) -> Result<()> {
        let mut left = in_memory(rows);
        while left > 0 {
            if self.page_rows > 0 {
                let count = left.min(self.page_rows);
                let present = self.read_levels(count, &mut Validity::default())?;
                self.values.skip(present)?;
                left -= count;
                continue;
            }
            let page = self.pages()?.peek()?.ok_or_else(ends_early)?;
            // Dictionaries are stepped over as well: they come back with the first page that needs them.
            match page.num_rows.filter(|_| !page.is_dict) {
                Some(rows) if rows > left => self.next_page(left)?,
                rows => {
                    self.pages()?.step_over()?;
                    left -= rows.unwrap_or(0);
                }
            }
        }
        Ok(())
    }

    /// Pass the rows of the page that were delivered before it.
    fn pass_delivered(&mut self) -> Result<()> {
        let rows = self.pages()?.take_delivered();
        if rows > self.page_rows {
            return Err(Error::corrupt("a page has fewer rows than were delivered of it"));
        }
        let present = self.read_levels(rows, &mut Validity::default())?;
        self.values.skip(present)
    }

    /// `skipped` rows of the page are not wanted.
    fn next_page(&mut self, skipped: usize) -> Result<()> {
        self.end_page();
        if let (Some(neighbours), Some(pages)) = (&self.neighbours, &mut self.pages) {
            let neighbours = neighbours.clone();
            pages.wants(Span { neighbours, skipped, wanted: self.wanted_rows });
        }
        match self.pages()?.next_page()?.ok_or_else(ends_early)? {
            Page::DictionaryPage { buf, num_values, encoding, .. } => {
                dictionary_is_plain(encoding)?;
                self.values.set_dictionary(buf, num_values as usize)
            }
            page => {
                let page = DataPage::new(page, self.highest)?;
                self.levels = page.definition;
                self.values.begin_page(page.encoding, page.values)?;
                self.page_rows = page.count;
                self.pass_delivered()
            }
        }
    }
}
