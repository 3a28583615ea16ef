//! The leaves of a group, which all tell where it is there, and must agree.
//!
//! Decoders of arrow-rs ask the first leaf. Where the levels of another say otherwise, its values would be hidden, or
//! made up where it has none. So each leaf is held against the one before it, as far as both have come.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use parquet::basic::Repetition;
use parquet::schema::types::Type;

use crate::encoding::levels::{self, Highest};
use crate::error::{Error, Result};
use crate::format::page_header::Body;

/// What a page tells that was stepped over.
const UNKNOWN: u32 = u32::MAX;

/// What both leaves of a pair tell of the group that is around both: its levels.
#[derive(Debug)]
struct Pair {
    group: Highest,
    /// What one leaf told and the other did not tell yet, and how often in a row.
    ahead: VecDeque<(u32, usize)>,
    /// Whether it was the first leaf of the two.
    first_is_ahead: bool,
    /// A page was stepped over, of which nobody knows how often it tells of the group.
    is_lost: bool,
}

impl Pair {
    fn new(group: Highest) -> Self {
        Self { group, ahead: VecDeque::new(), first_is_ahead: true, is_lost: false }
    }

    fn tell(&mut self, is_first: bool, told: u32, mut count: usize) -> Result<()> {
        while count > 0 {
            if self.ahead.is_empty() {
                self.first_is_ahead = is_first;
            }
            if self.first_is_ahead == is_first {
                match self.ahead.back_mut() {
                    Some((last, times)) if *last == told => *times = times.saturating_add(count),
                    _ => self.ahead.push_back((told, count)),
                }
                return Ok(());
            }
            let Some((other, times)) = self.ahead.front_mut() else { continue };
            if *other != told && *other != UNKNOWN && told != UNKNOWN {
                return Err(Error::corrupt("columns of a group contradict each other about where it is"));
            }
            let both = count.min(*times);
            count -= both;
            *times -= both;
            if *times == 0 {
                self.ahead.pop_front();
            }
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        size_of_val(self.ahead.as_slices().0) as u64 + size_of_val(self.ahead.as_slices().1) as u64
    }
}

/// The leaves of a top-level column that are read.
#[derive(Debug)]
pub struct Siblings {
    leaves: Vec<usize>,
    /// Of each leaf but the first with the one before it; None where their group is always there once.
    pairs: Vec<Option<Mutex<Pair>>>,
}

impl Siblings {
    /// Of these leaves, in file order, of a column whose first leaf is `first`. None where there is nothing to hold
    /// against each other.
    pub fn of(column: &Type, first: usize, leaves: &[usize]) -> Option<Arc<Self>> {
        let mut groups = Vec::new();
        groups_between(column, Highest { repetition: 0, definition: 0 }, None, &mut groups);
        let pair = |two: &[usize]| {
            let between = groups.get(two[0] - first + 1..=two[1] - first)?;
            // Where the paths of all in between part, those of the two do first.
            let group = between.iter().copied().flatten().min_by_key(|group| group.definition)?;
            (group.definition > 0).then(|| Mutex::new(Pair::new(group)))
        };
        let pairs: Vec<_> = leaves.windows(2).map(pair).collect();
        pairs.iter().any(Option::is_some).then(|| Arc::new(Self { leaves: leaves.to_vec(), pairs }))
    }

    /// The pairs of a leaf, and whether it is the first leaf of them.
    fn of_leaf(&self, leaf: usize) -> impl Iterator<Item = (MutexGuard<'_, Pair>, bool)> {
        let at = self.leaves.binary_search(&leaf).ok();
        let pairs = [(at.and_then(|at| at.checked_sub(1)), false), (at, true)];
        pairs.into_iter().filter_map(move |(pair, is_first)| {
            let pair = self.pairs.get(pair?)?.as_ref()?;
            Some((pair.lock().unwrap_or_else(PoisonError::into_inner), is_first))
        })
    }
}

/// For each leaf below `node` the levels of the group that it shares with the leaf before it.
fn groups_between(
    node: &Type,
    around: Highest,
    mut shared: Option<Highest>,
    groups: &mut Vec<Option<Highest>>,
) {
    let own = match node.get_basic_info().repetition() {
        Repetition::REQUIRED => around,
        Repetition::OPTIONAL => Highest { definition: around.definition + 1, ..around },
        Repetition::REPEATED => {
            Highest { definition: around.definition + 1, repetition: around.repetition + 1 }
        }
    };
    if node.is_primitive() {
        groups.push(shared);
        return;
    }
    for child in node.get_fields() {
        groups_between(child, own, shared, groups);
        shared = Some(own);
    }
}

/// One leaf among its siblings.
#[derive(Clone, Debug)]
pub struct Sibling {
    pub all: Arc<Siblings>,
    pub leaf: usize,
}

impl Sibling {
    /// The levels of the leaf's next page, which were checked. What is known of one leaf alone may take `most_bytes`.
    pub fn tell(&self, body: &Body, page: &Bytes, highest: Highest, most_bytes: u64) -> Result<()> {
        for (mut pair, is_first) in self.all.of_leaf(self.leaf).filter(|(pair, _)| !pair.is_lost) {
            let group = pair.group;
            let (repetition, definition) =
                (u32::from(group.repetition.unsigned_abs()), u32::from(group.definition.unsigned_abs()));
            let mut run = (0, 0);
            levels::each_run(body, page, highest, |repeated, defined, count| {
                if repeated > repetition {
                    return Ok(()); // within one of the group
                }
                let told = repeated * (definition + 1) + defined.min(definition);
                if told == run.0 {
                    run.1 += count;
                    return Ok(());
                }
                pair.tell(is_first, run.0, run.1)?;
                run = (told, count);
                if pair.bytes() > most_bytes {
                    return Err(Error::limit(format!(
                        "levels of nested values take more than max_batch_bytes={most_bytes}"
                    )));
                }
                Ok(())
            })?;
            pair.tell(is_first, run.0, run.1)?;
        }
        Ok(())
    }

    /// The leaf's next page is stepped over, with so many rows where that is known.
    pub fn step_over(&self, rows: Option<u64>) -> Result<()> {
        for (mut pair, is_first) in self.all.of_leaf(self.leaf).filter(|(pair, _)| !pair.is_lost) {
            match rows.and_then(|rows| usize::try_from(rows).ok()) {
                // Each row tells of the group once.
                Some(rows) if pair.group.repetition == 0 => pair.tell(is_first, UNKNOWN, rows)?,
                _ => {
                    pair.is_lost = true;
                    pair.ahead = VecDeque::new();
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use parquet::schema::parser::parse_message_type;

    use super::*;

    fn column(text: &str) -> Arc<Type> {
        parse_message_type(&format!("message m {{ {text} }}")).unwrap().get_fields()[0].clone()
    }

    #[test]
    fn leaves_share_the_group_where_their_paths_part() {
        let tree = column(
            "optional group a { optional group b { required int32 c; optional int32 d; } \
             repeated group e { required int32 f; required int32 g; } required int32 h; }",
        );
        let mut groups = Vec::new();
        groups_between(&tree, Highest { repetition: 0, definition: 0 }, None, &mut groups);
        let levels: Vec<_> =
            groups.iter().map(|group| group.map(|group| (group.repetition, group.definition))).collect();
        assert_eq!(levels, [None, Some((0, 2)), Some((0, 1)), Some((1, 2)), Some((0, 1))]);
        let levels_of = |leaves: &[usize]| {
            let found = Siblings::of(&tree, 7, leaves)?;
            let levels = |pair: &Option<Mutex<Pair>>| {
                pair.as_ref().map(|pair| {
                    let group = pair.lock().unwrap().group;
                    (group.repetition, group.definition)
                })
            };
            Some(found.pairs.iter().map(levels).collect::<Vec<_>>())
        };
        assert_eq!(levels_of(&[7, 8, 10, 11]), Some(vec![Some((0, 2)), Some((0, 1)), Some((0, 1))]));
        assert_eq!(levels_of(&[9, 10]), Some(vec![Some((1, 2))]));
        assert_eq!(levels_of(&[8]), None);
        let required = column("required group a { required int32 b; optional int32 c; }");
        assert!(Siblings::of(&required, 0, &[0, 1]).is_none());
    }

    #[test]
    fn what_both_tell_is_compared_as_far_as_both_have_come() {
        let mut pair = Pair::new(Highest { repetition: 0, definition: 1 });
        pair.tell(true, 1, 5).unwrap();
        pair.tell(true, 0, 2).unwrap();
        pair.tell(false, 1, 3).unwrap();
        pair.tell(false, 1, 2).unwrap();
        pair.tell(false, 0, 4).unwrap();
        pair.tell(true, 0, 1).unwrap();
        assert_eq!(pair.ahead, [(0, 1)]);
        pair.tell(true, UNKNOWN, 2).unwrap();
        pair.tell(false, 1, 1).unwrap();
        assert!(pair.tell(true, 1, 1).is_ok());
        assert!(pair.tell(false, 0, 1).is_err());
    }
}
