//! What a predicate rules out before it is read: row groups by their statistics, pages by their index.

use std::ops::Range;

use crate::dataset::Dataset;
use crate::error::{Error, Place, Result};
use crate::filter::predicate::Filter;
use crate::format::bounds::Bounds;
use crate::format::{footer, page_index, statistics};
use crate::guard::guard;
use crate::plan::Piece;

/// The pieces of row groups whose statistics leave a match possible.
pub fn row_groups(dataset: &Dataset, all: &[Filter], pieces: &[Piece]) -> Result<Vec<Piece>> {
    let (footer, _) = footer::read_bytes(dataset.file())?;
    let mut possible = vec![true; dataset.row_group_rows().len()];
    for filter in all {
        let Some((leaf, notation)) = filter.bounds() else { continue };
        let bounds = statistics::bounds(&footer, leaf, notation)?;
        if bounds.len() != possible.len() {
            return Err(Error::corrupt("the footer is not the one that it was when the file was opened"));
        }
        for (possible, bounds) in possible.iter_mut().zip(&bounds) {
            *possible &= !filter.condition.excludes(bounds);
        }
    }
    Ok(pieces.iter().copied().filter(|piece| possible[piece.group]).collect())
}

/// The rows of the pieces that are on pages whose bounds leave a match possible, in the same order.
pub fn pages(dataset: &Dataset, all: &[Filter], pieces: &[Piece]) -> Result<Vec<Piece>> {
    let mut kept = Vec::new();
    for piece in pieces {
        let mut rows: Vec<_> = std::iter::once(piece.start..piece.start + piece.rows).collect();
        for filter in all {
            let place = Place {
                column: Some(filter.column.clone()),
                row_group: Some(piece.group),
                ..Place::default()
            };
            let excluded = guard(|| excluded_rows(filter, dataset, piece.group));
            rows = without(&rows, &excluded.map_err(|error| error.within(&place))?);
        }
        let pieces = rows.iter().map(|rows| Piece {
            group: piece.group,
            start: rows.start,
            rows: rows.end - rows.start,
        });
        kept.extend(pieces);
    }
    Ok(kept)
}

/// Rows of a row group that are on pages without a match, in ascending order.
fn excluded_rows(filter: &Filter, dataset: &Dataset, group: usize) -> Result<Vec<Range<u64>>> {
    let metadata = &dataset.meta().parquet;
    let Some((leaf, notation)) = filter.bounds() else { return Ok(Vec::new()) };
    let chunk = metadata.row_group(group).column(leaf);
    let rows = metadata.row_group(group).num_rows().cast_unsigned();
    let Some(spans) = page_index::spans(dataset.file(), chunk, rows)? else { return Ok(Vec::new()) };
    let Some(bounds) = page_index::bounds(dataset.file(), metadata, (group, leaf, notation), &spans)? else {
        return Ok(Vec::new());
    };
    let excludes = |bounds: &Option<Bounds>| match bounds {
        Some(bounds) => filter.condition.excludes(bounds),
        None => !filter.condition.takes_nulls(),
    };
    let pages = spans.iter().zip(&bounds);
    Ok(pages.filter(|(_, bounds)| excludes(bounds)).map(|(span, _)| span.row..span.row + span.rows).collect())
}

/// The ranges without those excluded; both ascending.
fn without(ranges: &[Range<u64>], excluded: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut kept = Vec::new();
    for range in ranges {
        let mut start = range.start;
        let first = excluded.partition_point(|hole| hole.end <= range.start);
        for hole in excluded[first..].iter().take_while(|hole| hole.start < range.end) {
            if hole.start > start {
                kept.push(start..hole.start);
            }
            start = start.max(hole.end);
        }
        if start < range.end {
            kept.push(start..range.end);
        }
    }
    kept
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "lists of ranges are what is tested")]
mod tests {
    use super::*;

    #[test]
    fn holes_are_cut_out() {
        let cut = |excluded: &[Range<u64>]| without(&[0..10, 20..30], excluded);
        assert_eq!(cut(&[]), [0..10, 20..30]);
        assert_eq!(cut(&[2..4, 4..5]), [0..2, 5..10, 20..30]);
        assert_eq!(cut(&[0..3, 8..25]), [3..8, 25..30]);
        assert_eq!(cut(&[0..30]), []);
        assert_eq!(cut(&[10..20]), [0..10, 20..30]);
    }
}
