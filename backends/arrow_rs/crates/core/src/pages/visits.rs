//! Which column chunks are opened in which order, and which of their rows are wanted.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use parquet::arrow::arrow_reader::{RowGroups, RowSelection, RowSelector};
use parquet::basic::Type;
use parquet::column::page::{PageIterator, PageReader};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use crate::error::Result;
use crate::format::page_index;
use crate::pages::chunk::{ChunkPages, Marker};
use crate::pages::map::PageMap;
use crate::pages::workbench::Workbench;
use crate::plan::Piece;

/// One way through the chunks of a row group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    pub group: usize,
    /// All rows of the group.
    pub rows: u64,
    /// Those that are wanted, in ascending order.
    pub wanted: Vec<Range<u64>>,
}

impl Visit {
    fn is_whole(&self) -> bool {
        self.wanted.len() == 1 && self.wanted[0] == (0..self.rows)
    }
}

/// Wanted rows without a gap.
pub struct Stretch {
    /// Whether they are the first of their chunk, which then has so many rows.
    pub opens: Option<u64>,
    /// Rows before them, from the stretch before or the start of the chunk.
    pub skip: u64,
    pub rows: u64,
}

pub fn stretches(visits: &[Visit]) -> VecDeque<Stretch> {
    let of = |visit: &Visit| {
        let (mut at, mut opens) = (0, Some(visit.rows));
        let stretch = visit.wanted.iter().map(move |rows| {
            let skip = rows.start - at;
            at = rows.end;
            Stretch { opens: opens.take(), skip, rows: rows.end - rows.start }
        });
        stretch.collect::<Vec<_>>()
    };
    visits.iter().flat_map(of).collect()
}

/// Pieces of one row group that follow each other share a visit.
pub fn visits(pieces: &[Piece], rows_of: impl Fn(usize) -> u64) -> Arc<[Visit]> {
    let follows = |a: &Piece, b: &Piece| a.group == b.group && a.start + a.rows <= b.start;
    let visit = |pieces: &[Piece]| Visit {
        group: pieces[0].group,
        rows: rows_of(pieces[0].group),
        wanted: pieces.iter().map(|piece| piece.start..piece.start + piece.rows).collect(),
    };
    pieces.chunk_by(follows).map(visit).collect()
}

/// Which rows of the visited row groups are wanted; None for all.
pub fn selection(visits: &[Visit]) -> Option<RowSelection> {
    if visits.iter().all(Visit::is_whole) {
        return None;
    }
    let mut selectors = Vec::new();
    for visit in visits {
        let mut at = 0;
        for rows in &visit.wanted {
            selectors.push(RowSelector::skip((rows.start - at) as usize));
            selectors.push(RowSelector::select((rows.end - rows.start) as usize));
            at = rows.end;
        }
        selectors.push(RowSelector::skip((visit.rows - at) as usize));
    }
    // What comes after the last row is not even looked for.
    selectors.pop();
    // Empty ones are left out, and neighbours joined.
    Some(selectors.into())
}

/// The column chunks of some row groups, as the decoders ask for them.
pub struct Chunks {
    pub metadata: Arc<ParquetMetaData>,
    pub visits: Arc<[Visit]>,
    pub bench: Arc<Workbench>,
    pub marker: Arc<Marker>,
    /// Rows of the first page of the first chunk: see `ChunkPages::new`.
    pub early_rows: Option<usize>,
    pub frees_dictionary: bool,
}

impl Chunks {
    pub fn leaf(&self, leaf: usize, frees_dictionary: bool) -> LeafChunks {
        LeafChunks {
            metadata: self.metadata.clone(),
            visits: self.visits.clone(),
            next: 0,
            leaf,
            bench: self.bench.clone(),
            marker: self.marker.clone(),
            early_rows: self.early_rows,
            frees_dictionary: self.frees_dictionary && frees_dictionary,
        }
    }
}

impl RowGroups for Chunks {
    fn num_rows(&self) -> usize {
        self.row_groups().map(|group| group.num_rows() as usize).sum()
    }

    fn column_chunks(&self, leaf: usize) -> parquet::errors::Result<Box<dyn PageIterator>> {
        let column = self.metadata.file_metadata().schema_descr().column(leaf);
        // Decoders of other types take one dictionary only.
        let frees_dictionary = column.physical_type() == Type::BYTE_ARRAY;
        let mut chunks = self.leaf(leaf, frees_dictionary);
        // Nor do they know what of a page of lists they had before.
        chunks.early_rows = chunks.early_rows.filter(|_| column.max_rep_level() == 0);
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
    bench: Arc<Workbench>,
    marker: Arc<Marker>,
    early_rows: Option<usize>,
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
        let chunk = self.metadata.row_group(visit.group).column(self.leaf);
        // Where every page is read, its header says all that the index does.
        let spans =
            if visit.is_whole() { None } else { page_index::spans(&self.bench.file, chunk, visit.rows)? };
        Ok(ChunkPages::new(
            self.bench.clone(),
            self.marker.clone(),
            visit.group,
            chunk,
            self.early_rows.take(),
            self.frees_dictionary,
            spans.map(PageMap::new),
        ))
    }
}

impl Iterator for LeafChunks {
    type Item = parquet::errors::Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let opened = self.next_pages()?.map_err(|error| self.bench.note(error));
        Some(opened.map(|pages| Box::new(pages) as Box<dyn PageReader>))
    }
}

impl PageIterator for LeafChunks {}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "lists of ranges are what is tested")]
mod tests {
    use super::*;

    fn piece(group: usize, start: u64, rows: u64) -> Piece {
        Piece { group, start, rows }
    }

    #[test]
    fn pieces_of_a_row_group_share_a_visit_as_long_as_they_ascend() {
        let visits = visits(
            &[piece(0, 2, 3), piece(0, 5, 1), piece(0, 8, 2), piece(0, 0, 2), piece(1, 0, 4)],
            |group| [10, 4][group],
        );
        let wanted: Vec<_> = visits.iter().map(|visit| (visit.group, visit.wanted.as_slice())).collect();
        assert_eq!(wanted, [(0, &[2..5, 5..6, 8..10][..]), (0, &[0..2]), (1, &[0..4])]);
        let expected = [
            RowSelector::skip(2),
            RowSelector::select(4),
            RowSelector::skip(2),
            RowSelector::select(4),
            RowSelector::skip(8),
            RowSelector::select(4),
        ];
        assert_eq!(selection(&visits), Some(expected.to_vec().into()));
        assert_eq!(selection(&visits[2..]), None);
    }
}
