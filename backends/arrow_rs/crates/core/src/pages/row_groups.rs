//! The column chunks of the visited row groups, opened one after another.

use std::sync::Arc;

use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Type;
use parquet::column::page::{PageIterator, PageReader};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use crate::error::Result;
use crate::format::page_index;
use crate::memory::size::in_memory;
use crate::pages::chunk::{Chunk, Marker};
use crate::pages::chunk_pages::ChunkPages;
use crate::pages::context::ReadContext;
use crate::pages::map::PageMap;
use crate::pages::visits::Visit;

/// The column chunks of some row groups, as the decoders ask for them.
pub struct Chunks {
    pub metadata: Arc<ParquetMetaData>,
    pub visits: Arc<[Visit]>,
    pub context: Arc<ReadContext>,
    pub marker: Arc<Marker>,
    /// Rows of the first page of the first chunk: see `ChunkPages::new`.
    pub first_rows: Option<usize>,
    pub frees_dictionary: bool,
}

impl Chunks {
    pub fn leaf(&self, leaf: usize, frees_dictionary: bool) -> LeafChunks {
        LeafChunks {
            metadata: self.metadata.clone(),
            visits: self.visits.clone(),
            next: 0,
            leaf,
            context: self.context.clone(),
            marker: self.marker.clone(),
            first_rows: self.first_rows,
            frees_dictionary: self.frees_dictionary && frees_dictionary,
        }
    }
}

impl RowGroups for Chunks {
    fn num_rows(&self) -> usize {
        in_memory(self.row_groups().map(|group| group.num_rows().cast_unsigned()).sum())
    }

    fn column_chunks(&self, leaf: usize) -> parquet::errors::Result<Box<dyn PageIterator>> {
        let column = self.metadata.file_metadata().schema_descr().column(leaf);
        // Decoders of other types take one dictionary only.
        let frees_dictionary = column.physical_type() == Type::BYTE_ARRAY;
        let mut chunks = self.leaf(leaf, frees_dictionary);
        // Nor do they know what of a page of lists they had before.
        chunks.first_rows = chunks.first_rows.filter(|_| column.max_rep_level() == 0);
        Ok(Box::new(chunks))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.visits.iter().map(|visit| self.metadata.row_group(visit.group)))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// The chunks of one leaf column, one row group after another.
pub struct LeafChunks {
    metadata: Arc<ParquetMetaData>,
    visits: Arc<[Visit]>,
    next: usize,
    leaf: usize,
    context: Arc<ReadContext>,
    marker: Arc<Marker>,
    first_rows: Option<usize>,
    frees_dictionary: bool,
}

impl LeafChunks {
    /// The pages of the next visit's chunk.
    pub fn next_pages(&mut self) -> Option<Result<ChunkPages>> {
        let visits = self.visits.clone();
        let visit = visits.get(self.next)?;
        self.next += 1;
        Some(self.open(visit))
    }

    fn open(&mut self, visit: &Visit) -> Result<ChunkPages> {
        let metadata = self.metadata.row_group(visit.group).column(self.leaf);
        // Where every page is read, its header says all that the index does.
        let spans = if visit.is_whole() {
            None
        } else {
            page_index::spans(&self.context.file, metadata, visit.rows)?
        };
        Ok(ChunkPages::new(
            Chunk::new(self.context.clone(), self.marker.clone(), visit.group, metadata),
            self.first_rows.take(),
            self.frees_dictionary,
            spans.map(PageMap::new),
        ))
    }
}

impl Iterator for LeafChunks {
    type Item = parquet::errors::Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let opened = self.next_pages()?.map_err(|error| self.context.note(error));
        Some(opened.map(|pages| Box::new(pages) as Box<dyn PageReader>))
    }
}

impl PageIterator for LeafChunks {}
