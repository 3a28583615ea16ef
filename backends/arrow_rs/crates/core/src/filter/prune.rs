//! What a predicate rules out before it is read: row groups by their statistics, pages by their index.

use std::ops::Range;

use arrow_buffer::BooleanBuffer;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::file::metadata::ParquetMetaData;

use crate::dataset::Dataset;
use crate::error::{Place, Result};
use crate::filter::comparison::Comparison;
use crate::format::page_index;
use crate::guard::guard;
use crate::plan::Piece;

/// The pieces of row groups whose minima and maxima leave a match possible.
pub fn row_groups(dataset: &Dataset, all: &[Comparison], pieces: &[Piece]) -> Result<Vec<Piece>> {
    let metadata = dataset.with_statistics()?;
    let mut possible = vec![true; metadata.num_row_groups()];
    for comparison in all {
        let excluded = guard(|| excluded_groups(comparison, dataset, &metadata))?;
        for (possible, excluded) in possible.iter_mut().zip(excluded.iter().flatten()) {
            *possible &= !excluded;
        }
    }
    Ok(pieces.iter().copied().filter(|piece| possible[piece.group]).collect())
}

/// For each row group whether its statistics exclude every row; None where they say nothing.
fn excluded_groups(
    comparison: &Comparison,
    dataset: &Dataset,
    metadata: &ParquetMetaData,
) -> Result<Option<BooleanBuffer>> {
    let columns = metadata.file_metadata().schema_descr();
    let Ok(converter) = StatisticsConverter::try_new(&comparison.column, dataset.schema(), columns) else {
        return Ok(None);
    };
    let groups = || metadata.row_groups().iter();
    let (Ok(minima), Ok(maxima)) = (converter.row_group_mins(groups()), converter.row_group_maxes(groups()))
    else {
        return Ok(None);
    };
    comparison.excludes(&minima, &maxima).map(Some)
}

/// The rows of the pieces that are on pages whose bounds leave a match possible, in the same order.
pub fn pages(dataset: &Dataset, all: &[Comparison], pieces: &[Piece]) -> Result<Vec<Piece>> {
    let mut kept = Vec::new();
    for piece in pieces {
        let mut rows: Vec<_> = std::iter::once(piece.start..piece.start + piece.rows).collect();
        for comparison in all {
            let place = Place {
                column: Some(comparison.column.clone()),
                row_group: Some(piece.group),
                ..Place::default()
            };
            let excluded = guard(|| excluded_rows(comparison, dataset, piece.group));
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
fn excluded_rows(comparison: &Comparison, dataset: &Dataset, group: usize) -> Result<Vec<Range<u64>>> {
    let metadata = &dataset.meta().parquet;
    let root = dataset.roots(Some(std::slice::from_ref(&comparison.column)))?[0];
    let schema = metadata.file_metadata().schema_descr();
    let leaf = (0..schema.num_columns()).find(|&leaf| schema.get_column_root_idx(leaf) == root);
    let Some(leaf) = leaf.filter(|&leaf| schema.get_column_root(leaf).is_primitive()) else {
        return Ok(Vec::new());
    };
    let chunk = metadata.row_group(group).column(leaf);
    let rows = metadata.row_group(group).num_rows() as u64;
    let Some(spans) = page_index::spans(dataset.file(), chunk, rows)? else { return Ok(Vec::new()) };
    let data_type = dataset.schema().field(root).data_type();
    let Some(bounds) = page_index::bounds(dataset.file(), metadata, (group, leaf), data_type, &spans)? else {
        return Ok(Vec::new());
    };
    let excluded = comparison.excludes(&bounds.minima, &bounds.maxima)?;
    let pages = spans.iter().zip(excluded.iter().zip(bounds.only_nulls));
    Ok(pages
        .filter(|(_, (excluded, only_nulls))| *excluded || *only_nulls)
        .map(|(span, _)| span.row..span.row + span.rows)
        .collect())
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
