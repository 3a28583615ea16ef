//! The levels in front of a page's values: where they lie, and whether there are as many as it declares.

use std::ops::Range;

use bytes::Bytes;
use parquet::basic::Encoding;

use crate::encoding::hybrid::{self, Runs};
use crate::error::{Error, Result};
use crate::format::page_header::Body;

/// Highest levels of a column.
#[derive(Clone, Copy, Debug)]
pub struct Highest {
    pub repetition: i16,
    pub definition: i16,
}

/// What a stream of a V1 page has in front: its length.
pub const LENGTH_BYTES: usize = 4;

/// A stream of levels in the hybrid encoding.
struct Stream {
    bytes: Range<usize>,
    width: u32,
    highest: u32,
}

impl Stream {
    fn runs(&self, page: &Bytes) -> Result<Runs> {
        Runs::new(page.slice(self.bytes.clone()), self.width)
    }
}

/// Levels are held against each other so many at a time.
const PART: usize = 512;

/// The levels of a data page, of which there are as many as it declares, none above its highest.
pub struct Levels {
    /// Where the values begin.
    pub end: usize,
    /// Rows that begin on the page, where that was counted.
    pub rows: Option<u64>,
    /// The most entries, nulls among them, that a batch can have of the page; 0 where it is not nested, or `Nesting`
    /// was not given.
    pub most_entries: usize,
}

/// What the levels of nested values must keep to, and how many rows of them come at once.
#[derive(Clone, Copy)]
pub struct Nesting<'a> {
    /// For each repetition level the definition level from which on a list goes on: what is below goes on with
    /// nothing.
    pub least: &'a [u32],
    pub batch_rows: u64,
}

/// Check the levels of a data page, and what its header says of them.
///
/// Levels above the highest, or too few, would become nulls, or make arrow-rs skip rows for ever.
pub fn check(body: &Body, page: &Bytes, highest: Highest, nesting: Option<Nesting>) -> Result<Levels> {
    let Found { values, repetition, definition, end } = find(body, page, highest)?;
    let stated = match *body {
        Body::DataV2 { rows, nulls, .. } => Some((rows, nulls)),
        _ => None,
    };
    let Some(repetition) = repetition else {
        let present = match definition {
            Some(levels) => {
                let mut runs = levels.runs(page)?;
                let present = runs.tally(values, levels.highest, levels.highest)?;
                runs.check_end()?;
                present
            }
            None => values,
        };
        if let Some((_, Some(nulls))) = stated
            && nulls as usize != values - present
        {
            return Err(Error::corrupt(format!(
                "{} nulls on a page whose header says {nulls}",
                values - present
            )));
        }
        return Ok(Levels { end, rows: Some(values as u64), most_entries: 0 });
    };
    let (rows, most_entries) = match (nesting, definition) {
        (Some(nesting), Some(definition)) => {
            let (rows, most) = hold_together(&repetition, &definition, page, values, nesting)?;
            (Some(rows), most)
        }
        (_, definition) => {
            // Whoever decodes them holds them together; only their number must be right by now.
            if let Some(levels) = definition {
                let mut runs = levels.runs(page)?;
                runs.skip(values)?;
                runs.check_end()?;
            }
            let mut runs = repetition.runs(page)?;
            let rows = match stated {
                Some(_) => Some(runs.tally(values, repetition.highest, 0)? as u64),
                None => runs.skip(values).map(|()| None)?,
            };
            runs.check_end()?;
            (rows, 0)
        }
    };
    if let (Some((stated, _)), Some(rows)) = (stated, rows)
        && u64::from(stated) != rows
    {
        return Err(Error::corrupt(format!("{rows} rows on a page whose header says {stated}")));
    }
    Ok(Levels { end, rows, most_entries })
}

/// Returns how many rows begin, and the most entries that a batch can have.
fn hold_together(
    repetition: &Stream,
    definition: &Stream,
    page: &Bytes,
    values: usize,
    nesting: Nesting,
) -> Result<(u64, usize)> {
    let (mut repeats, mut defines) = (repetition.runs(page)?, definition.runs(page)?);
    let (mut repeated, mut defined) = ([0; PART], [0; PART]);
    let (mut rows, mut left) = (0, values);
    let mut batches = Batches::new(nesting.batch_rows);
    while left > 0 {
        let count = left.min(PART);
        repeats.read(&mut repeated[..count])?;
        defines.read(&mut defined[..count])?;
        for (at, (&repeated, &defined)) in repeated[..count].iter().zip(&defined[..count]).enumerate() {
            let least =
                nesting.least.get(repeated as usize).ok_or_else(|| above(repeated, repetition.highest))?;
            if defined > definition.highest {
                return Err(above(defined, definition.highest));
            }
            if defined < *least {
                return Err(Error::corrupt("a list goes on with what is not an item"));
            }
            if repeated == 0 {
                rows += 1;
                batches.begin_row(values - left + at);
            }
        }
        left -= count;
    }
    repeats.check_end()?;
    defines.check_end()?;
    Ok((rows, batches.most_entries(values)))
}

/// Entries of as many rows as a batch has, one batch after another from the start of a page. A batch that begins
/// elsewhere lies within two of them.
struct Batches {
    rows: u64,
    /// Rows that may still begin before the next one does.
    left: u64,
    /// Where the last two begin.
    starts: [usize; 2],
    most: usize,
}

impl Batches {
    fn new(rows: u64) -> Self {
        Self { rows, left: rows, starts: [0, 0], most: 0 }
    }

    fn begin_row(&mut self, entry: usize) {
        if self.left == 0 {
            self.most = self.most.max(entry - self.starts[0]);
            self.starts = [self.starts[1], entry];
            self.left = self.rows;
        }
        self.left = self.left.saturating_sub(1);
    }

    fn most_entries(&self, entries: usize) -> usize {
        self.most.max(entries - self.starts[0])
    }
}

/// Hand both levels of a page to `take`, with how often they come at least; they are 0 where the column has none.
pub fn each_run(
    body: &Body,
    page: &Bytes,
    highest: Highest,
    mut take: impl FnMut(u32, u32, usize) -> Result<()>,
) -> Result<()> {
    let Found { values, repetition, definition, .. } = find(body, page, highest)?;
    let (repetition, definition) = match (repetition, definition) {
        (None, None) => return take(0, 0, values),
        (None, Some(definition)) => {
            return definition.runs(page)?.each_run(values, |level, count| take(0, level, count));
        }
        // What is repeated has a definition.
        (Some(_), None) => return Ok(()),
        (Some(repetition), Some(definition)) => (repetition, definition),
    };
    let (mut repeats, mut defines) = (repetition.runs(page)?, definition.runs(page)?);
    let (mut repeated, mut defined) = ([0; PART], [0; PART]);
    let mut left = values;
    while left > 0 {
        let count = left.min(PART);
        repeats.read(&mut repeated[..count])?;
        defines.read(&mut defined[..count])?;
        for (&repeated, &defined) in repeated[..count].iter().zip(&defined[..count]) {
            take(repeated, defined, 1)?;
        }
        left -= count;
    }
    Ok(())
}

fn above(level: u32, highest: u32) -> Error {
    Error::corrupt(format!("level {level}, above {highest}"))
}

/// What `find` finds of a page: streams of the levels that the column has.
struct Found {
    /// Nulls among them.
    values: usize,
    repetition: Option<Stream>,
    definition: Option<Stream>,
    end: usize,
}

fn find(body: &Body, page: &[u8], highest: Highest) -> Result<Found> {
    let mut at = 0;
    let mut stream = |max: i16, before: usize, length: usize| {
        let bytes = at + before..(at + before).saturating_add(length);
        at = bytes.end;
        if at > page.len() {
            return Err(larger());
        }
        let highest = u32::from(max.unsigned_abs());
        Ok((max > 0).then(|| Stream { bytes, width: width(max), highest }))
    };
    let Highest { repetition, definition } = highest;
    let (values, repetition, definition) = match *body {
        Body::Data { values, .. } => {
            // Both are in the hybrid encoding by now: see `of_today`.
            let mut next = 0;
            let mut sized = |max: i16| -> Result<Option<Stream>> {
                if max == 0 {
                    return Ok(None);
                }
                let length = declared(page, next)?;
                let found = stream(max, LENGTH_BYTES, length)?;
                next = next.saturating_add(LENGTH_BYTES).saturating_add(length);
                Ok(found)
            };
            (values, sized(repetition)?, sized(definition)?)
        }
        Body::DataV2 { values, def_bytes, rep_bytes, .. } => {
            (values, stream(repetition, 0, rep_bytes as usize)?, stream(definition, 0, def_bytes as usize)?)
        }
        Body::Dictionary { .. } | Body::Other => (0, None, None),
    };
    Ok(Found { values: values as usize, repetition, definition, end: at })
}

/// A page whose levels, if it has any, are in the hybrid encoding, as all of today's are.
pub fn of_today(body: &Body, page: Bytes, highest: Highest) -> Result<Bytes> {
    let Body::Data { values, def_levels, rep_levels, .. } = *body else { return Ok(page) };
    let levels = [(highest.repetition, rep_levels), (highest.definition, def_levels)];
    if levels.iter().all(|&(max, encoding)| max == 0 || encoding == Encoding::RLE) {
        return Ok(page);
    }
    let (mut at, mut written) = (0_usize, Vec::new());
    for (max, encoding) in levels.into_iter().filter(|&(max, _)| max > 0) {
        let length = stored_bytes(encoding, max, values as usize, &page, at)?;
        let stored = page.get(at..at.saturating_add(length)).ok_or_else(larger)?;
        at += length;
        if encoding == Encoding::RLE {
            written.extend_from_slice(stored);
        } else {
            let stream = hybrid::encode(&unpack(stored, width(max), values as usize), width(max));
            let length = u32::try_from(stream.len()).map_err(|_| larger())?;
            written.extend(length.to_le_bytes());
            written.extend(stream);
        }
    }
    written.extend_from_slice(&page[at..]);
    Ok(written.into())
}

/// How many bytes the levels of a V1 page take that begin at `at`.
pub fn stored_bytes(encoding: Encoding, max: i16, values: usize, page: &[u8], at: usize) -> Result<usize> {
    match encoding {
        Encoding::RLE => Ok(LENGTH_BYTES.saturating_add(declared(page, at)?)),
        #[expect(deprecated, reason = "old files have such levels")]
        Encoding::BIT_PACKED => Ok(values.saturating_mul(width(max) as usize).div_ceil(8)),
        other => Err(Error::corrupt(format!("levels in {other}"))),
    }
}

/// `count` levels back to back, the most significant bit first. They must be there.
pub fn unpack(packed: &[u8], width: u32, count: usize) -> Vec<u32> {
    let bit = |at: usize| u32::from(packed[at / 8] >> (7 - at % 8) & 1);
    let level = |index: usize| {
        let first = index * width as usize;
        (first..first + width as usize).fold(0, |level, at| level << 1 | bit(at))
    };
    (0..count).map(level).collect()
}

/// The length that the stream of a V1 page declares which begins at `at`.
pub fn declared(page: &[u8], at: usize) -> Result<usize> {
    let size = page.get(at..).and_then(|rest| rest.first_chunk::<LENGTH_BYTES>()).ok_or_else(larger)?;
    Ok(u32::from_le_bytes(*size) as usize)
}

/// Bits of each level.
pub fn width(max: i16) -> u32 {
    16 - max.leading_zeros()
}

fn larger() -> Error {
    Error::corrupt("a page's levels are larger than the page")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NESTED: Highest = Highest { repetition: 1, definition: 3 };

    fn v1(values: u32) -> Body {
        Body::Data { values, encoding: Encoding::PLAIN, def_levels: Encoding::RLE, rep_levels: Encoding::RLE }
    }

    fn page(repetition: &[u32], definition: &[u32]) -> Bytes {
        let mut page = Vec::new();
        for (levels, width) in [(repetition, 1), (definition, 2)] {
            let stream = hybrid::encode(levels, width);
            page.extend((stream.len() as u32).to_le_bytes());
            page.extend(stream);
        }
        page.into()
    }

    fn end(body: &Body, page: &Bytes, highest: Highest) -> Result<usize> {
        check(body, page, highest, None).map(|levels| levels.end)
    }

    #[test]
    fn values_begin_behind_both_streams() {
        let page = page(&[0, 1, 1, 0], &[3, 3, 0, 2]);
        assert_eq!(end(&v1(4), &page, NESTED).unwrap(), page.len());
        let flat = Highest { repetition: 0, definition: 1 };
        let one = page.slice(..4 + page[0] as usize);
        assert_eq!(end(&v1(4), &one, flat).unwrap(), one.len(), "one stream");
    }

    #[test]
    fn a_stream_that_ends_early_is_corrupt() {
        let one_run = page(&[0; 4], &[3; 4]);
        assert!(end(&v1(5), &one_run, NESTED).is_err());
        assert!(end(&v1(4), &one_run, NESTED).is_ok());
        assert!(end(&v1(4), &page(&[0; 4], &[3; 3]), NESTED).is_err());
        let flat = Highest { repetition: 0, definition: 1 };
        let levels = |count: usize| {
            let stream = hybrid::encode(&vec![1; count], 1);
            Bytes::from([&(stream.len() as u32).to_le_bytes()[..], &stream].concat())
        };
        assert!(end(&v1(4), &levels(4), flat).is_ok());
        assert!(end(&v1(4), &levels(3), flat).is_err());
    }

    #[test]
    fn levels_above_the_highest_are_corrupt() {
        let highest = Highest { repetition: 0, definition: 2 };
        for (definition, sound) in [([1, 0, 2], true), ([3, 3, 3], false), ([0, 3, 0], false)] {
            let stream = hybrid::encode(&definition, 2);
            let page = Bytes::from([&(stream.len() as u32).to_le_bytes()[..], &stream].concat());
            assert_eq!(end(&v1(3), &page, highest).is_ok(), sound, "{definition:?}");
        }
        // A repeated run of a single bit has a whole byte.
        let page = Bytes::from_static(&[2, 0, 0, 0, 6, 2]);
        assert!(end(&v1(3), &page, Highest { repetition: 0, definition: 1 }).is_err());
    }

    #[test]
    fn levels_of_nested_values_are_held_together() {
        let check = |repetition: &[u32], definition: &[u32]| {
            let count = repetition.len() as u32;
            let nesting = Nesting { least: &[0, 2], batch_rows: 1 };
            check(&v1(count), &page(repetition, definition), NESTED, Some(nesting)).map(|levels| levels.rows)
        };
        assert_eq!(check(&[0, 1, 0, 0], &[3, 2, 0, 1]).unwrap(), Some(3));
        assert!(check(&[0, 1], &[3, 1]).is_err(), "a list goes on with no item");
    }

    #[test]
    fn counts_of_a_header_are_held_against_the_levels() {
        let v2 = |nulls, rows, levels: &[u8], highest: Highest| {
            let (rep, def) =
                if highest.repetition > 0 { (levels.len() / 2, levels.len() / 2) } else { (0, levels.len()) };
            let body = Body::DataV2 {
                values: 3,
                nulls,
                rows,
                encoding: Encoding::PLAIN,
                def_bytes: def as u32,
                rep_bytes: rep as u32,
                compressed: false,
            };
            end(&body, &Bytes::copy_from_slice(levels), highest)
        };
        let flat = Highest { repetition: 0, definition: 1 };
        let levels = hybrid::encode(&[1, 0, 1], 1);
        assert!(v2(Some(1), 3, &levels, flat).is_ok() && v2(None, 3, &levels, flat).is_ok());
        assert!(v2(Some(0), 3, &levels, flat).is_err());
        assert!(v2(Some(1), 3, &[], Highest { repetition: 0, definition: 0 }).is_err());
        let lists = Highest { repetition: 1, definition: 1 };
        let both = [hybrid::encode(&[0, 1, 0], 1), hybrid::encode(&[1, 1, 0], 1)].concat();
        assert!(v2(Some(1), 2, &both, lists).is_ok());
        assert!(v2(Some(1), 3, &both, lists).is_err());
    }

    #[test]
    #[expect(deprecated, reason = "old files have such levels")]
    fn levels_of_old_writers_become_those_of_today() {
        let body = Body::Data {
            values: 5,
            encoding: Encoding::PLAIN,
            def_levels: Encoding::BIT_PACKED,
            rep_levels: Encoding::RLE,
        };
        let highest = Highest { repetition: 0, definition: 2 };
        // 2, 1, 0, 2 and 1, two bits each.
        let page = of_today(&body, Bytes::from_static(&[0b1001_0010, 0b0100_0000, 7]), highest).unwrap();
        let stream = hybrid::encode(&[2, 1, 0, 2, 1], 2);
        let expected = [&(stream.len() as u32).to_le_bytes()[..], &stream, &[7]].concat();
        assert_eq!(page, expected);
        assert!(of_today(&body, Bytes::from_static(&[0]), highest).is_err(), "they end early");
    }

    #[test]
    fn streams_beyond_the_page_are_corrupt() {
        let whole = page(&[0, 1], &[3, 3]);
        assert!(end(&v1(2), &whole.slice(..whole.len() - 1), NESTED).is_err());
        assert!(end(&v1(2), &Bytes::from_static(&[255, 255, 255, 255, 0]), NESTED).is_err());
    }

    #[test]
    fn the_most_entries_of_a_batch_are_no_fewer_than_any_has_and_less_than_those_of_two() {
        let mut random = crate::random::Random::new(&[3]);
        for rows in [1, 2, 7, 50, 1_000] {
            let lengths: Vec<usize> = (0..100).map(|_| (random.next_u64() % 9) as usize + 1).collect();
            let mut batches = Batches::new(rows as u64);
            let mut entries = 0;
            for length in &lengths {
                batches.begin_row(entries);
                entries += length;
            }
            let most = batches.most_entries(entries);
            let of = |rows: usize| lengths.windows(rows.min(100)).map(|some| some.iter().sum()).max();
            assert!(of(rows).is_some_and(|any: usize| any <= most), "{rows}");
            assert!(of(2 * rows).is_some_and(|two: usize| most <= two), "{rows}");
        }
    }
}
