//! Which rows are read, in which order: everything comes down to a list of pieces of row groups.

pub mod divide;

use crate::error::{Error, Result};

/// Consecutive rows of one row group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Piece {
    pub group: usize,
    pub start: u64,
    pub rows: u64,
}

/// Pieces that one thread decodes, one after another.
pub type Task = Vec<Piece>;

/// Whole row groups in the order asked for; all of them in file order for None.
pub fn groups(rows: &[u64], wanted: Option<&[usize]>) -> Result<Vec<Piece>> {
    let whole = |group: usize| {
        let rows = rows.get(group).copied();
        rows.map(|rows| Piece { group, start: 0, rows }).ok_or(group)
    };
    let pieces: std::result::Result<Vec<_>, usize> = match wanted {
        None => (0..rows.len()).map(whole).collect(),
        Some(wanted) => wanted.iter().copied().map(whole).collect(),
    };
    pieces.map_err(|group| Error::usage(format!("no row group {group} (the file has {})", rows.len())))
}

pub fn total(pieces: &[Piece]) -> u64 {
    pieces.iter().map(|piece| piece.rows).sum()
}

/// How many rows come before each task.
pub fn rows_before(tasks: &[Task]) -> Vec<u64> {
    let mut before = 0;
    let count = |task: &Task| {
        let rows = total(task);
        before += rows;
        before - rows
    };
    tasks.iter().map(count).collect()
}

/// The rows from `from` up to, not including, `to`, counted through all pieces.
pub fn slice(pieces: &[Piece], from: u64, to: u64) -> Vec<Piece> {
    let mut before = 0;
    let mut kept = Vec::new();
    for piece in pieces {
        let start = from.clamp(before, before + piece.rows);
        let end = to.clamp(before, before + piece.rows);
        if end > start {
            kept.push(Piece { group: piece.group, start: piece.start + start - before, rows: end - start });
        }
        before += piece.rows;
    }
    kept
}

/// The same rows in smaller pieces, of at most about `rows_of(group)` rows each, that begin where batches of
/// `batch_rows` do.
pub fn split(pieces: &[Piece], batch_rows: usize, rows_of: impl Fn(usize) -> u64) -> Vec<Piece> {
    let batch = batch_rows as u64;
    let mut before = 0;
    let mut parts = Vec::new();
    for piece in pieces {
        let size = rows_of(piece.group).clamp(1, piece.rows.max(1)).div_ceil(batch).saturating_mul(batch);
        let mut taken = 0;
        while taken < piece.rows {
            // The end of the part, counted through all pieces, is at a multiple of the batch size.
            let end = (before + taken + size) / batch * batch - before;
            let end = if end + size / 2 >= piece.rows { piece.rows } else { end };
            parts.push(Piece { group: piece.group, start: piece.start + taken, rows: end - taken });
            taken = end;
        }
        before += piece.rows;
    }
    parts
}

/// The share of one of `world` readers: as many rows as any other's, give or take one.
pub fn shard(pieces: &[Piece], rank: u64, world: u64) -> Result<Vec<Piece>> {
    if rank >= world {
        return Err(Error::usage(format!("shard ({rank}, {world}): the rank must be less than the world")));
    }
    let total = u128::from(total(pieces));
    let edge = |rank: u64| u64::try_from(total * u128::from(rank) / u128::from(world)).unwrap_or(u64::MAX);
    Ok(slice(pieces, edge(rank), edge(rank + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(group: usize, start: u64, rows: u64) -> Piece {
        Piece { group, start, rows }
    }

    #[test]
    fn slices_cross_row_groups() {
        let all = groups(&[10, 10, 10], None).unwrap();
        assert_eq!(slice(&all, 5, 25), [piece(0, 5, 5), piece(1, 0, 10), piece(2, 0, 5)]);
        assert_eq!(slice(&all, 10, 10), []);
    }

    #[test]
    fn rows_before_are_those_of_all_tasks_before() {
        let tasks =
            [vec![piece(0, 0, 10)], vec![], vec![piece(1, 2, 3), piece(2, 0, 4)], vec![piece(3, 0, 1)]];
        assert_eq!(rows_before(&tasks), [0, 10, 10, 17]);
        assert!(rows_before(&[]).is_empty());
    }

    #[test]
    fn split_pieces_hold_the_same_rows_and_begin_with_batches() {
        let all = groups(&[1_000, 7, 0, 5_000], None).unwrap();
        let parts = split(&all, 64, |group| if group == 3 { 1_500 } else { 10_000 });
        let rows = |pieces: &[Piece]| -> Vec<_> {
            pieces.iter().flat_map(|p| (p.start..p.start + p.rows).map(|row| (p.group, row))).collect()
        };
        assert_eq!(rows(&parts), rows(&all));
        let mut before = 0;
        for (part, next) in parts.iter().zip(&parts[1..]) {
            before += part.rows;
            assert!(part.group != next.group || before % 64 == 0);
        }
        assert_eq!(parts.iter().filter(|part| part.group == 3).count(), 3);
    }

    #[test]
    fn shards_cover_every_row_once() {
        let all = groups(&[7, 100, 3], Some(&[1, 0, 2])).unwrap();
        let mut seen = Vec::new();
        for rank in 0..4 {
            let mine = shard(&all, rank, 4).unwrap();
            assert!((27..=28).contains(&total(&mine)));
            seen.extend(mine.iter().flat_map(|p| (p.start..p.start + p.rows).map(|row| (p.group, row))));
        }
        let expected: Vec<_> = all.iter().flat_map(|p| (0..p.rows).map(|row| (p.group, row))).collect();
        assert_eq!(seen, expected);
        assert!(shard(&all, 4, 4).is_err());
    }
}
