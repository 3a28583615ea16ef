//! A column of lists of numbers or strings.
//!
//! A row ends where the next begins, and that may be on a later page: pages of the first version are cut
//! anywhere. So rows are counted by their starts, and a batch ends at the start of a row that it does not
//! have, or with the chunk.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::{ArrayRef, GenericListArray, OffsetSizeTrait};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::FieldRef;
use bytes::Bytes;
use parquet::column::page::Page;

use super::column::{Column, ends_early, fewer_rows};
use super::data_page::{DataPage, dictionary_is_plain};
use super::list_entries::{Entries, MOST, Meaning};
use super::values::{Values, no_memory};
use crate::encoding::hybrid::{Runs, Validity};
use crate::encoding::levels::Highest;
use crate::error::{Error, Result};
use crate::memory::size::in_memory;
use crate::pages::chunk_pages::ChunkPages;
use crate::pages::row_groups::LeafChunks;
use crate::pages::visits::Stretch;

pub struct Lists<O> {
    chunks: LeafChunks,
    stretches: VecDeque<Stretch>,
    pages: Option<ChunkPages>,
    /// Rows of the chunk that have not begun.
    chunk_rows: u64,
    /// Rows of the stretch that are still to come.
    wanted_rows: u64,
    /// The page's levels, and how many of its entries were not read from them.
    levels: Option<(Runs, Runs)>,
    page_entries: usize,
    /// The entries that are next.
    entries: Entries,
    values: Box<dyn Values>,
    item: FieldRef,
    highest: Highest,
    meaning: Meaning,
    offsets: PhantomData<O>,
}

/// The rows of a batch, without the values of their items.
struct Batch<O> {
    /// Where each row begins.
    offsets: Vec<O>,
    lists: Validity,
    items: Validity,
    item_count: usize,
}

impl<O> Default for Batch<O> {
    fn default() -> Self {
        Self { offsets: Vec::new(), lists: Validity::default(), items: Validity::default(), item_count: 0 }
    }
}

impl<O: OffsetSizeTrait> Batch<O> {
    fn new(rows: usize) -> Result<Self> {
        let mut batch = Self::default();
        batch.offsets.try_reserve_exact(rows + 1).map_err(no_memory)?;
        Ok(batch)
    }

    fn push(&mut self, entries: &Entries) -> Result<()> {
        let before = self.item_count;
        self.item_count += entries.items.count_ones() as usize;
        if O::from_usize(self.item_count).is_none() {
            return Err(Error::limit(
                "the lists of a batch have more than 2^31 items; smaller batches have less",
            ));
        }
        self.offsets.extend(entries.items_before_rows().map(|items| O::usize_as(before + items)));
        self.lists.pick(entries.starts, entries.lists);
        self.items.pick(entries.items, entries.values);
        Ok(())
    }

    fn finish(mut self, values: &mut dyn Values, item: FieldRef) -> Result<ArrayRef> {
        self.offsets.push(O::usize_as(self.item_count));
        let items = values.finish(self.items.finish())?;
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let lists = GenericListArray::<O>::try_new(item, offsets, items, self.lists.finish());
        Ok(Arc::new(lists.map_err(|error| Error::corrupt(error.to_string()))?))
    }
}

impl<O: OffsetSizeTrait> Lists<O> {
    pub fn new(
        chunks: LeafChunks,
        stretches: VecDeque<Stretch>,
        values: Box<dyn Values>,
        item: FieldRef,
        (highest, meaning): (Highest, Meaning),
    ) -> Self {
        Self {
            chunks,
            stretches,
            pages: None,
            chunk_rows: 0,
            wanted_rows: 0,
            levels: None,
            page_entries: 0,
            entries: Entries::default(),
            values,
            item,
            highest,
            meaning,
            offsets: PhantomData,
        }
    }

    /// Go on to the next stretch, or chunk, until there are rows.
    fn find_rows(&mut self) -> Result<()> {
        while self.wanted_rows == 0 {
            let stretch = self.stretches.pop_front().ok_or_else(fewer_rows)?;
            if let Some(rows) = stretch.opens {
                self.end_chunk()?;
                self.pages = Some(self.chunks.next_pages().ok_or_else(fewer_rows)??);
                self.chunk_rows = rows;
            }
            self.wanted_rows = stretch.rows;
            self.pass(stretch.skip, None)?;
        }
        Ok(())
    }

    /// Pass `rows` whole rows of the chunk, into the batch if there is one.
    fn pass(&mut self, mut rows: u64, mut batch: Option<&mut Batch<O>>) -> Result<()> {
        if rows == 0 {
            return Ok(());
        }
        self.chunk_rows = self.chunk_rows.checked_sub(rows).ok_or_else(fewer_rows)?;
        let is_last = self.chunk_rows == 0;
        let mut row_is_open = false;
        loop {
            if self.pass_in_page(&mut rows, &mut row_is_open, batch.as_deref_mut())? {
                return if is_last { Err(more_rows()) } else { Ok(()) };
            }
            if rows == 0 && !is_last && self.pages()?.begins_row()? {
                return Ok(());
            }
            let stepped = batch.is_none() && self.step_over(&mut rows, &mut row_is_open)?;
            if !stepped && !self.next_page()? {
                return if rows == 0 && is_last { Ok(()) } else { Err(ends_early()) };
            }
        }
    }

    /// Pass up to `rows` row starts and the items that follow them. Returns whether the row after those is
    /// next; otherwise the page is used up.
    fn pass_in_page(
        &mut self,
        rows: &mut u64,
        row_is_open: &mut bool,
        mut batch: Option<&mut Batch<O>>,
    ) -> Result<bool> {
        let mut values = 0;
        let mut row_is_next = false;
        while !row_is_next && self.find_entries()? {
            let before = self.entries.before_row(in_memory(*rows));
            row_is_next = before.is_some();
            let passed = self.entries.take(before.unwrap_or(MOST));
            if passed.is_empty() {
                break;
            }
            if !*row_is_open && !passed.begin_row() {
                return Err(Error::corrupt("a list goes on where a row should begin"));
            }
            *row_is_open = true;
            *rows -= u64::from(passed.starts.count_ones());
            values += passed.values.count_ones() as usize;
            if let Some(batch) = &mut batch {
                batch.push(&passed)?;
            }
        }
        match batch {
            Some(_) => self.values.read(values)?,
            None => self.values.skip(values)?,
        }
        Ok(row_is_next)
    }

    /// Whether the page has further entries, which are then in hand.
    fn find_entries(&mut self) -> Result<bool> {
        if self.entries.is_empty()
            && self.page_entries > 0
            && let Some((repetition, definition)) = &mut self.levels
        {
            let count = self.page_entries.min(MOST);
            self.entries = Entries::read(repetition, definition, count, self.meaning)?;
            self.page_entries -= count;
        }
        Ok(!self.entries.is_empty())
    }

    /// Let go of the page, whose memory the next one then takes.
    fn end_page(&mut self) {
        self.levels = None;
        self.page_entries = 0;
        self.entries = Entries::default();
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

    /// Step over a page of which no row is wanted, where that can be told without decompressing all of it.
    fn step_over(&mut self, rows: &mut u64, row_is_open: &mut bool) -> Result<bool> {
        let Some(page) = self.pages()?.peek()? else { return Ok(false) };
        let (page_rows, stays_open) = match page.num_rows {
            // Dictionaries are stepped over as well: they come back with the first page that needs them.
            _ if page.is_dict => (0, *row_is_open),
            Some(page_rows) => (page_rows as u64, false),
            None if *rows > 0 => match self.pages()?.row_starts()? {
                // Where a row should begin and none does, the page itself is refused.
                Some(starts) if *row_is_open || starts.at_first => (starts.count, true),
                _ => return Ok(false),
            },
            None => return Ok(false),
        };
        if page_rows > *rows {
            return Ok(false);
        }
        *rows -= page_rows;
        *row_is_open = stays_open;
        self.end_page();
        self.pages()?.step_over()?;
        Ok(true)
    }

    /// Returns false at the end of the chunk.
    fn next_page(&mut self) -> Result<bool> {
        self.end_page();
        match self.pages()?.next_page()? {
            None => return Ok(false),
            Some(Page::DictionaryPage { buf, num_values, encoding, .. }) => {
                dictionary_is_plain(encoding)?;
                self.values.set_dictionary(buf, num_values as usize)?;
            }
            Some(page) => {
                self.begin_page(DataPage::new(page, self.highest)?)?;
                self.pass_delivered()?;
            }
        }
        Ok(true)
    }

    /// Pass the rows of the page that were delivered before it.
    fn pass_delivered(&mut self) -> Result<()> {
        let mut rows = self.pages()?.take_delivered() as u64;
        if rows > 0 && !self.pass_in_page(&mut rows, &mut false, None)? {
            return Err(Error::corrupt("a page has fewer rows than were delivered of it"));
        }
        Ok(())
    }

    fn begin_page(&mut self, page: DataPage) -> Result<()> {
        self.levels = page.repetition.zip(page.definition);
        self.page_entries = page.count;
        self.values.begin_page(page.encoding, page.values)?;
        if page.begins_row && self.find_entries()? && !self.entries.begin_row() {
            return Err(Error::corrupt("a page begins within a row"));
        }
        Ok(())
    }
}

impl<O: OffsetSizeTrait> Column for Lists<O> {
    fn next(&mut self, rows: usize) -> Result<ArrayRef> {
        let mut batch = Batch::<O>::new(rows)?;
        let mut left = rows as u64;
        while left > 0 {
            self.find_rows()?;
            let count = left.min(self.wanted_rows);
            self.pass(count, Some(&mut batch))?;
            self.wanted_rows -= count;
            left -= count;
        }
        batch.finish(&mut *self.values, self.item.clone())
    }
}

fn more_rows() -> Error {
    Error::corrupt("more rows than were promised")
}
