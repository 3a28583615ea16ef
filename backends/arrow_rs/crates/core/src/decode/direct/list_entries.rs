//! Levels of a list's entries, up to 64 at a time: what each stands for is a bit in a mask.
//!
//! An entry is an item, or an empty list, or a list that is null. As masks they are counted and cut by the
//! word: most pages have no nulls, and then the time goes by rows rather than items.

use crate::encoding::hybrid::{Runs, WORD, nth_one, ones};
use crate::error::{Error, Result};

pub const MOST: usize = WORD;

/// What definition levels stand for: below `empty` a list that is null, `empty` one without items, above it an
/// item, and `highest` an item that has a value.
#[derive(Clone, Copy)]
pub struct Meaning {
    pub empty: u32,
    pub highest: u32,
}

/// The lowest bit of each mask is the first entry.
#[derive(Clone, Copy, Default)]
pub struct Entries {
    count: usize,
    /// The first entry of each row.
    pub starts: u64,
    /// Entries of lists that are not null.
    pub lists: u64,
    pub items: u64,
    /// Items that have a value.
    pub values: u64,
}

impl Entries {
    /// The next `count` entries.
    pub fn read(
        repetition: &mut Runs,
        definition: &mut Runs,
        count: usize,
        meaning: Meaning,
    ) -> Result<Self> {
        let all = ones(count);
        let continues = repetition.read_bits(count)?;
        let [lists, items, values] = match definition.read_repeated(count)? {
            Some(level) => masks(&[level], meaning)?.map(|mask| if mask == 0 { 0 } else { all }),
            None => {
                let mut levels = [0; MOST];
                definition.read(&mut levels[..count])?;
                masks(&levels[..count], meaning)?
            }
        };
        if continues & !items != 0 {
            return Err(Error::corrupt("a list goes on with what is not an item"));
        }
        Ok(Self { count, starts: all & !continues, lists, items, values })
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn begin_row(&self) -> bool {
        self.starts & 1 == 1
    }

    /// How many entries are before the one at which the row after `rows` further ones begins; None where that
    /// is not among these.
    pub fn before_row(&self, rows: usize) -> Option<usize> {
        if rows >= self.starts.count_ones() as usize {
            return None;
        }
        Some(nth_one(self.starts, rows))
    }

    /// Take the first `count` of them.
    pub fn take(&mut self, count: usize) -> Self {
        let count = count.min(self.count);
        let first = |mask: &mut u64| {
            let taken = *mask & ones(count);
            *mask = if count < WORD { *mask >> count } else { 0 };
            taken
        };
        self.count -= count;
        Self {
            count,
            starts: first(&mut self.starts),
            lists: first(&mut self.lists),
            items: first(&mut self.items),
            values: first(&mut self.values),
        }
    }

    /// For each row that begins here, how many items are before it.
    pub fn items_before_rows(&self) -> impl Iterator<Item = usize> + use<> {
        let (mut starts, items) = (self.starts, self.items);
        let only_items = items == ones(self.count);
        std::iter::from_fn(move || {
            let at = (starts != 0).then(|| starts.trailing_zeros() as usize)?;
            starts &= starts - 1;
            Some(if only_items { at } else { (items & ones(at)).count_ones() as usize })
        })
    }
}

/// Masks of the lists, items and values.
fn masks(levels: &[u32], meaning: Meaning) -> Result<[u64; 3]> {
    let (mut lists, mut items, mut values) = (0, 0, 0);
    for (at, &level) in levels.iter().enumerate() {
        if level > meaning.highest {
            return Err(Error::corrupt(format!("definition level {level}, above {}", meaning.highest)));
        }
        lists |= u64::from(level >= meaning.empty) << at;
        items |= u64::from(level > meaning.empty) << at;
        values |= u64::from(level == meaning.highest) << at;
    }
    Ok([lists, items, values])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::hybrid;

    const OPTIONAL: Meaning = Meaning { empty: 1, highest: 3 };

    fn read(repetition: &[u32], definition: &[u32]) -> Result<Entries> {
        let runs = |levels: &[u32], width| Runs::new(hybrid::encode(levels, width).into(), width).unwrap();
        Entries::read(&mut runs(repetition, 1), &mut runs(definition, 2), repetition.len(), OPTIONAL)
    }

    #[test]
    fn entries_are_what_the_levels_say() {
        // [value, null], null, [], [value, value]
        let mut entries = read(&[0, 1, 0, 0, 0, 1], &[3, 2, 0, 1, 3, 3]).unwrap();
        assert_eq!((entries.starts, entries.lists), (0b01_1101, 0b11_1011));
        assert_eq!((entries.items, entries.values), (0b11_0011, 0b11_0001));
        assert_eq!(entries.items_before_rows().collect::<Vec<_>>(), [0, 2, 2, 2]);
        let before: Vec<_> = (0..5).map(|rows| entries.before_row(rows)).collect();
        assert_eq!(before, [Some(0), Some(2), Some(3), Some(4), None]);
        let first = entries.take(2);
        assert_eq!((first.starts, first.items, first.count), (1, 0b11, 2));
        assert_eq!((entries.starts, entries.items, entries.count), (0b111, 0b1100, 4));
    }

    #[test]
    fn a_whole_word_of_items_is_taken_whole() {
        let mut entries = read(&[1; MOST], &[3; MOST]).unwrap();
        assert_eq!((entries.starts, entries.values), (0, u64::MAX));
        assert_eq!(entries.take(MOST).values, u64::MAX);
        assert!(entries.is_empty() && entries.items == 0);
    }

    #[test]
    fn levels_that_contradict_each_other_are_corrupt() {
        for empty in [0, 1] {
            assert!(read(&[0, 1], &[3, empty]).is_err(), "a list goes on with no item");
        }
        let two = Meaning { empty: 0, highest: 2 };
        let runs = |bytes: Vec<u8>, width| Runs::new(bytes.into(), width).unwrap();
        assert!(Entries::read(&mut runs(vec![2, 0], 1), &mut runs(vec![2, 3], 2), 1, two).is_err());
        assert!(Entries::read(&mut runs(vec![2, 2], 1), &mut runs(vec![2, 2], 2), 1, two).is_err());
    }
}
