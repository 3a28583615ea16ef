//! How the work of a scan is divided among its threads.
//!
//! By row groups nothing is done twice, but there must be many, and small ones: decoded rows wait for those
//! before them. Otherwise each thread takes some of the columns, if they can be dealt out evenly. Where one
//! column is most of a file its row groups are cut: dictionaries, and pages of lists across the ends of two
//! pieces, are then decompressed for both.

use std::cmp::Reverse;

use crate::plan::{self, Piece, Task};

/// What a piece decompresses to, about: larger row groups are cut, and pieces are not made smaller than this
/// for a file that is small.
const LARGE_BYTES: u64 = 16 << 20;
const SMALL_BYTES: u64 = 1 << 20;

/// Some of the columns of a scan, for some of its threads.
#[derive(Debug, PartialEq, Eq)]
pub struct Share {
    /// Places in the batch, in ascending order.
    pub columns: Vec<usize>,
    pub tasks: Vec<Task>,
    pub threads: usize,
}

/// Shares of the pieces, whose batches have `batch_rows` rows. `sizes` are the rows of a row group, and what each
/// column of it decompresses to, in bytes.
pub fn divide(
    pieces: Vec<Piece>,
    threads: usize,
    batch_rows: usize,
    sizes: impl Fn(usize) -> (u64, Vec<u64>),
) -> Vec<Share> {
    let of_piece = |piece: &Piece| {
        let (rows, bytes) = sizes(piece.group);
        bytes.into_iter().map(|bytes| part(bytes, piece.rows, rows)).collect::<Vec<u64>>()
    };
    let by_piece: Vec<_> = pieces.iter().map(of_piece).collect();
    let columns = by_piece.first().map_or(0, Vec::len);
    let by_column: Vec<u64> = (0..columns).map(|at| total(by_piece.iter().map(|bytes| bytes[at]))).collect();
    let has_large = by_piece.iter().any(|bytes| total(bytes.iter().copied()) > LARGE_BYTES);
    if (pieces.len() < threads.saturating_mul(2) || has_large)
        && let Some(sets) = even_sets(&by_column, threads)
    {
        let share = |columns| Share { columns, tasks: vec![pieces.clone()], threads: 1 };
        return sets.into_iter().map(share).collect();
    }
    let tasks = if threads == 1 {
        vec![pieces]
    } else {
        let piece_bytes = (total(by_column.iter().copied()) / threads as u64).clamp(SMALL_BYTES, LARGE_BYTES);
        let rows_of = |group| {
            let (rows, bytes) = sizes(group);
            part(rows, piece_bytes, total(bytes))
        };
        plan::split(&pieces, batch_rows, rows_of).into_iter().map(|piece| vec![piece]).collect()
    };
    vec![Share { columns: (0..columns).collect(), tasks, threads }]
}

/// A footer can claim any size.
fn total(bytes: impl IntoIterator<Item = u64>) -> u64 {
    bytes.into_iter().fold(0, u64::saturating_add)
}

/// As much of an amount as `some` is of `all`.
fn part(amount: u64, some: u64, all: u64) -> u64 {
    let part = u128::from(amount) * u128::from(some) / u128::from(all.max(1));
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// Columns in as many sets as asked for, none much larger than the others; None where there is no such thing.
fn even_sets(bytes: &[u64], count: usize) -> Option<Vec<Vec<usize>>> {
    if count > bytes.len() {
        return None;
    }
    let mut sets = vec![(0_u64, Vec::new()); count];
    let mut columns: Vec<usize> = (0..bytes.len()).collect();
    // The largest first, each to the smallest set: at most a third more than the best there is (Graham, 1969).
    columns.sort_by_key(|&column| Reverse(bytes[column]));
    for column in columns {
        let smallest = sets.iter_mut().min_by_key(|(size, _)| *size)?;
        smallest.0 = smallest.0.saturating_add(bytes[column]);
        smallest.1.push(column);
    }
    let even = total(bytes.iter().copied()) / count as u64;
    let most = even.saturating_add(even / 8);
    let is_even = |(size, columns): &(u64, Vec<usize>)| *size <= most && !columns.is_empty();
    sets.iter().all(is_even).then(|| {
        sets.into_iter()
            .map(|(_, mut columns)| {
                columns.sort_unstable();
                columns
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    fn whole(groups: usize) -> Vec<Piece> {
        (0..groups).map(|group| Piece { group, start: 0, rows: 10_000 }).collect()
    }

    /// Threads, columns, and rows of each task of each share.
    fn shares(groups: usize, threads: usize, bytes: &[u64]) -> Vec<(usize, Vec<usize>, Vec<u64>)> {
        let shares = divide(whole(groups), threads, 100, |_| (10_000, bytes.to_vec()));
        let rows = |share: &Share| share.tasks.iter().map(|task| plan::total(task)).collect();
        shares.into_iter().map(|share| (share.threads, share.columns.clone(), rows(&share))).collect()
    }

    #[test]
    fn many_small_row_groups_are_shared_whole() {
        assert_eq!(shares(4, 2, &[MB, MB]), [(2, vec![0, 1], vec![10_000; 4])]);
        assert_eq!(shares(9, 4, &[MB]), [(4, vec![0], vec![10_000; 9])]);
    }

    #[test]
    fn few_or_large_row_groups_are_shared_by_column() {
        for (groups, size) in [(1, MB), (3, MB), (4, 9 * MB)] {
            let rows = vec![10_000 * groups as u64];
            let expected = [(1, vec![0, 3], rows.clone()), (1, vec![1, 2], rows)];
            assert_eq!(shares(groups, 2, &[3 * size, 2 * size, 2 * size, size]), expected);
        }
    }

    #[test]
    fn a_column_that_is_most_of_the_file_is_shared_by_rows() {
        assert_eq!(shares(1, 2, &[8 * MB, MB]), [(2, vec![0, 1], vec![5_000; 2])]);
        assert_eq!(shares(1, 2, &[64 * MB]), [(2, vec![0], vec![2_500; 4])]);
        assert_eq!(shares(1, 2, &[MB / 2]), [(2, vec![0], vec![10_000])], "not worth two decoders");
    }

    #[test]
    fn sizes_that_no_file_has_are_shared_somehow() {
        for (groups, threads) in [(1, 2), (1, 3), (9, 2)] {
            let rows: u64 = shares(groups, threads, &[u64::MAX; 4])[0].2.iter().sum();
            assert_eq!(rows, 10_000 * groups as u64);
        }
    }

    #[test]
    fn one_thread_has_all() {
        assert_eq!(shares(3, 1, &[64 * MB, MB]), [(1, vec![0, 1], vec![30_000])]);
        assert_eq!(shares(0, 2, &[MB]), [(2, vec![], vec![])]);
    }

    #[test]
    fn columns_are_dealt_out_where_none_is_most_of_the_file() {
        assert_eq!(even_sets(&[22, 18, 5, 5], 2), Some(vec![vec![0, 3], vec![1, 2]]));
        assert_eq!(even_sets(&[5, 5, 18, 22], 2), Some(vec![vec![1, 3], vec![0, 2]]));
        assert_eq!(even_sets(&[90, 5, 5], 2), None);
        assert_eq!(even_sets(&[10, 10], 3), None, "a thread would have no column");
        assert_eq!(even_sets(&[], 2), None);
        assert_eq!(even_sets(&[7, 1], 1), Some(vec![vec![0, 1]]));
        assert_eq!(even_sets(&[7, 1], usize::MAX), None);
        assert_eq!(even_sets(&[0, 0], 2), None, "nothing to share");
    }
}
