//! Which row groups are visited in which order, and which of their rows are wanted.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use parquet::arrow::arrow_reader::{RowSelection, RowSelector};

use crate::memory::size::in_memory;
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
    pub fn is_whole(&self) -> bool {
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
            selectors.push(RowSelector::skip(in_memory(rows.start - at)));
            selectors.push(RowSelector::select(in_memory(rows.end - rows.start)));
            at = rows.end;
        }
        selectors.push(RowSelector::skip(in_memory(visit.rows - at)));
    }
    // What comes after the last row is not even looked for.
    selectors.pop();
    // Empty ones are left out, and neighbours joined.
    Some(selectors.into())
}

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
