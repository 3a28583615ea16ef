//! Runs of the hybrid encoding, taken as far as they are needed: validity and dictionary indices of a page.

use arrow_buffer::bit_chunk_iterator::UnalignedBitChunk;
use arrow_buffer::{BooleanBufferBuilder, NullBuffer};
use bytes::Bytes;

use crate::error::{Error, Result};
use crate::format::thrift::Reader;
use crate::memory::size::in_memory;

/// Numbers are handed out so many at a time, from memory on the stack.
const PART: usize = 512;
/// What `read_bits` gives at most.
pub const WORD: usize = 64;

pub struct Runs {
    bytes: Bytes,
    /// Where the next run's header is.
    at: usize,
    width: u32,
    run: Run,
    /// Numbers that the current run claims and that its bytes do not hold.
    missing: usize,
}

/// What is left of a run.
#[derive(Clone, Copy)]
enum Run {
    Repeated { value: u32, left: usize },
    Packed { start: usize, end: usize, next: usize, left: usize },
}

fn short() -> Error {
    Error::corrupt("levels or dictionary indices end early")
}

fn above(number: u32, highest: u32) -> Error {
    Error::corrupt(format!("level {number}, above {highest}"))
}

impl Runs {
    pub fn new(bytes: Bytes, width: u32) -> Result<Self> {
        if width > 32 {
            return Err(Error::corrupt(format!("dictionary indices of {width} bits")));
        }
        Ok(Self { bytes, at: 0, width, run: Run::Repeated { value: 0, left: 0 }, missing: 0 })
    }

    /// Fill `out` with the next numbers.
    pub fn read(&mut self, mut out: &mut [u32]) -> Result<()> {
        while !out.is_empty() {
            let (run, count) = self.some(out.len())?;
            let (now, later) = out.split_at_mut(count);
            match run {
                Run::Repeated { value, .. } => now.fill(value),
                Run::Packed { start, end, next, .. } => {
                    unpack(&self.bytes[start..end], next, self.width, now);
                }
            }
            out = later;
        }
        Ok(())
    }

    /// Hand the next `count` numbers to `take`, a part of them at a time.
    pub fn each_part(&mut self, count: usize, mut take: impl FnMut(&[u32]) -> Result<()>) -> Result<()> {
        let mut numbers = [0; PART];
        let mut left = count;
        while left > 0 {
            let part = &mut numbers[..left.min(PART)];
            self.read(part)?;
            take(part)?;
            left -= part.len();
        }
        Ok(())
    }

    /// Hand the next `count` numbers to `take`, each with how often it comes at least; repeated runs all at once.
    pub fn each_run(&mut self, count: usize, mut take: impl FnMut(u32, usize) -> Result<()>) -> Result<()> {
        let mut numbers = [0; PART];
        let mut left = count;
        while left > 0 {
            let (run, now) = self.some(left)?;
            match run {
                Run::Repeated { value, .. } => take(value, now)?,
                Run::Packed { start, end, next, .. } => {
                    for done in (0..now).step_by(PART) {
                        let part = &mut numbers[..PART.min(now - done)];
                        unpack(&self.bytes[start..end], next + done, self.width, part);
                        part.iter().try_for_each(|&number| take(number, 1))?;
                    }
                }
            }
            left -= now;
        }
        Ok(())
    }

    /// The next `count` numbers, at most `WORD`, of one bit each; the first is the lowest bit.
    pub fn read_bits(&mut self, count: usize) -> Result<u64> {
        let (mut bits, mut at) = (0, 0);
        while at < count {
            let (run, now) = self.some(count - at)?;
            let part = match run {
                Run::Repeated { value: 0, .. } => 0,
                Run::Repeated { value: 1, .. } => ones(now),
                Run::Repeated { value, .. } => {
                    return Err(Error::corrupt(format!("{value} as a number of one bit")));
                }
                Run::Packed { start, end, next, .. } => word(&self.bytes[start..end], next) & ones(now),
            };
            bits |= part << at;
            at += now;
        }
        Ok(bits)
    }

    /// The next `count` numbers, if they are one repeated number. Otherwise they are still to come.
    pub fn read_repeated(&mut self, count: usize) -> Result<Option<u32>> {
        while let Run::Repeated { left: 0, .. } | Run::Packed { left: 0, .. } = self.run {
            self.run = self.next_run()?;
        }
        match &mut self.run {
            Run::Repeated { value, left } if *left >= count => {
                *left -= count;
                Ok(Some(*value))
            }
            _ => Ok(None),
        }
    }

    /// Step over the next `count` numbers.
    pub fn skip(&mut self, mut count: usize) -> Result<()> {
        while count > 0 {
            count -= self.some(count)?.1;
        }
        Ok(())
    }

    /// Fails where the last run, now that all numbers were taken, was cut short and claims more than fill up eight.
    pub fn check_end(&self) -> Result<()> {
        let (Run::Repeated { left, .. } | Run::Packed { left, .. }) = self.run;
        if self.missing > 0 && left.saturating_add(self.missing) >= 8 {
            return Err(Error::corrupt("a run of levels claims more than there are"));
        }
        Ok(())
    }

    /// How many of the next `count` numbers are `sought`; none may be above `highest`.
    pub fn tally(&mut self, mut count: usize, highest: u32, sought: u32) -> Result<usize> {
        let mut found = 0;
        while count > 0 {
            let (run, now) = self.some(count)?;
            found += match run {
                Run::Repeated { value, .. } if value > highest => return Err(above(value, highest)),
                Run::Repeated { value, .. } => {
                    if value == sought {
                        now
                    } else {
                        0
                    }
                }
                Run::Packed { start, end, next, .. } if self.width == 1 => {
                    let set = UnalignedBitChunk::new(&self.bytes[start..end], next, now).count_ones();
                    if sought == 1 { set } else { now - set }
                }
                Run::Packed { start, end, next, .. } => {
                    self.tally_packed(&(start..end), next, now, highest, sought)?
                }
            };
            count -= now;
        }
        Ok(found)
    }

    fn tally_packed(
        &self,
        packed: &std::ops::Range<usize>,
        first: usize,
        count: usize,
        highest: u32,
        sought: u32,
    ) -> Result<usize> {
        let (mut numbers, mut found) = ([0; PART], 0);
        for at in (0..count).step_by(PART) {
            let part = &mut numbers[..PART.min(count - at)];
            unpack(&self.bytes[packed.clone()], first + at, self.width, part);
            if let Some(&number) = part.iter().find(|&&number| number > highest) {
                return Err(above(number, highest));
            }
            found += part.iter().filter(|&&number| number == sought).count();
        }
        Ok(found)
    }

    /// Add the next `count` levels, of which 1 is a value and 0 is null. Returns the number of values.
    pub fn read_validity(&mut self, mut count: usize, validity: &mut Validity) -> Result<usize> {
        let mut present = 0;
        while count > 0 {
            let (run, now) = self.some(count)?;
            present += match run {
                Run::Repeated { value, .. } => validity.repeat(value == 1, now),
                Run::Packed { start, end, next, .. } => validity.copy(&self.bytes[start..end], next, now),
            };
            count -= now;
        }
        Ok(present)
    }

    /// The current run, and how many of its numbers, at most `wanted`, the caller must take.
    fn some(&mut self, wanted: usize) -> Result<(Run, usize)> {
        loop {
            let run = self.run;
            let (Run::Repeated { left, .. } | Run::Packed { left, .. }) = &mut self.run;
            let count = wanted.min(*left);
            if count > 0 {
                *left -= count;
                if let Run::Packed { next, .. } = &mut self.run {
                    *next += count;
                }
                return Ok((run, count));
            }
            self.run = self.next_run()?;
        }
    }

    fn next_run(&mut self) -> Result<Run> {
        let mut reader = Reader::new(&self.bytes[self.at..]);
        let header = reader.varint().map_err(|_| short())?;
        self.at += reader.position();
        let count = in_memory(header >> 1);
        self.missing = 0;
        if header & 1 == 0 {
            let size = self.width.div_ceil(8) as usize;
            let repeated = self.bytes.get(self.at..self.at + size).ok_or_else(short)?;
            self.at += size;
            let value = repeated.iter().rev().fold(0, |value, &byte| (value << 8) | u32::from(byte));
            return Ok(Run::Repeated { value, left: count });
        }
        if self.width == 0 {
            return Ok(Run::Repeated { value: 0, left: count.saturating_mul(8) });
        }
        // The last run may be cut short after the values that it really has.
        let claimed = count.saturating_mul(self.width as usize);
        let (start, end) = (self.at, self.at.saturating_add(claimed).min(self.bytes.len()));
        self.at = end;
        let left = (end - start) * 8 / self.width as usize;
        self.missing = count.saturating_mul(8).saturating_sub(left);
        Ok(Run::Packed { start, end, next: 0, left })
    }
}

/// The lowest `count` bits, at most 64.
pub fn ones(count: usize) -> u64 {
    if count == 0 { 0 } else { u64::MAX >> (WORD - count) }
}

/// The place of the bit that is set after `before` others, of which there must be one.
pub fn nth_one(word: u64, before: usize) -> usize {
    (0..before).fold(word, |rest, _| rest & (rest - 1)).trailing_zeros() as usize
}

#[expect(clippy::cast_possible_truncation, reason = "the lowest 64 bits are what is asked for")]
/// 64 bits from bit `first` on; zeros where `packed` ends before.
fn word(packed: &[u8], first: usize) -> u64 {
    let mut bytes = [0; 16];
    let rest = &packed[first / 8..];
    let size = rest.len().min(9);
    bytes[..size].copy_from_slice(&rest[..size]);
    (u128::from_le_bytes(bytes) >> (first % 8)) as u64
}

#[expect(clippy::cast_possible_truncation, reason = "the mask leaves 32 bits")]
/// Numbers of `width` bits, 1 to 32, from the one with index `first` on.
fn unpack(packed: &[u8], first: usize, width: u32, out: &mut [u32]) {
    let mask = (1_u64 << width) - 1;
    let mut bit = first * width as usize;
    for value in out {
        let word = match packed.get(bit / 8..bit / 8 + 8).and_then(<[u8]>::first_chunk) {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => {
                let rest = packed[bit / 8..].iter().rev();
                rest.fold(0, |word, &byte| (word << 8) | u64::from(byte))
            }
        };
        *value = ((word >> (bit % 8)) & mask) as u32;
        bit += width as usize;
    }
}

/// Which rows of a batch have a value. Holds no bits as long as all have.
#[derive(Default)]
pub struct Validity {
    rows: usize,
    bits: Option<BooleanBufferBuilder>,
}

impl Validity {
    /// Returns how many of the rows have a value, as does `copy`.
    pub fn repeat(&mut self, valid: bool, count: usize) -> usize {
        if !valid || self.bits.is_some() {
            self.bits().append_n(count, valid);
        }
        self.rows += count;
        if valid { count } else { 0 }
    }

    /// Bits of `packed` from `first` on.
    fn copy(&mut self, packed: &[u8], first: usize, count: usize) -> usize {
        let present = UnalignedBitChunk::new(packed, first, count).count_ones();
        if present < count || self.bits.is_some() {
            self.bits().append_packed_range(first..first + count, packed);
        }
        self.rows += count;
        present
    }

    /// Rows for the bits that are set in `rows`, from the lowest on: those with a value are set in `valid`.
    pub fn pick(&mut self, mut rows: u64, valid: u64) {
        if rows & valid == rows {
            self.repeat(true, rows.count_ones() as usize);
            return;
        }
        while rows != 0 {
            self.repeat(rows & valid & rows.wrapping_neg() != 0, 1);
            rows &= rows - 1;
        }
    }

    fn bits(&mut self) -> &mut BooleanBufferBuilder {
        let rows = self.rows;
        self.bits.get_or_insert_with(|| {
            let mut bits = BooleanBufferBuilder::new(rows);
            bits.append_n(rows, true);
            bits
        })
    }

    /// None where all rows have a value.
    pub fn finish(self) -> Option<NullBuffer> {
        self.bits.map(|mut bits| NullBuffer::new(bits.finish()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::hybrid;
    use crate::random::Random;

    /// A packed, a repeated and another packed run.
    fn runs(width: u32) -> (Vec<u32>, Vec<u8>) {
        let mut random = Random::new(&[width.into()]);
        let mask = u32::MAX >> (32 - width);
        let mut numbers: Vec<u32> = (0..72).map(|_| random.next_u64() as u32 & mask).collect();
        let mut bytes = hybrid::encode(&numbers, width);
        bytes.extend(hybrid::encode(&[mask; 100], width));
        bytes.extend(hybrid::encode(&numbers, width));
        numbers.extend([mask; 100]);
        numbers.extend_from_within(..72);
        (numbers, bytes)
    }

    #[test]
    fn pieces_of_any_size_make_the_whole() {
        for width in 1..=32 {
            let (numbers, bytes) = runs(width);
            for step in [1, 7, 64, 244] {
                let mut runs = Runs::new(bytes.clone().into(), width).unwrap();
                let mut read = vec![0; numbers.len()];
                read.chunks_mut(step).for_each(|chunk| runs.read(chunk).unwrap());
                assert_eq!(read, numbers, "{width} {step}");
                assert!(runs.read(&mut [0]).is_err(), "nothing is left");
            }
        }
    }

    #[test]
    fn validity_is_what_the_levels_say() {
        let (levels, bytes) = runs(1);
        let expected: Vec<bool> = levels.iter().map(|&level| level == 1).collect();
        for step in [1, 7, 64, 244] {
            let mut runs = Runs::new(bytes.clone().into(), 1).unwrap();
            let (mut validity, mut present, mut left) = (Validity::default(), 0, levels.len());
            while left > 0 {
                let count = step.min(left);
                present += runs.read_validity(count, &mut validity).unwrap();
                left -= count;
            }
            assert_eq!(present, expected.iter().filter(|&&valid| valid).count());
            let nulls = validity.finish().unwrap();
            assert_eq!(nulls.iter().collect::<Vec<_>>(), expected, "{step}");
        }
    }

    #[test]
    fn rows_that_all_have_a_value_need_no_bits() {
        let mut validity = Validity::default();
        assert_eq!(validity.repeat(true, 100) + validity.copy(&[0xff; 4], 3, 20), 120);
        assert!(validity.finish().is_none());
    }

    #[test]
    fn a_run_that_is_cut_claims_no_more_than_fill_up_eight() {
        // 12 numbers of one bit: two bytes claimed, as they should be, or four.
        for (header, sound) in [(5, true), (9, false)] {
            for bytes in [vec![header, 0xff, 0x0f], vec![header, 0xff, 0x0f, 0, 0]] {
                let is_cut = bytes.len() == 3;
                let mut runs = Runs::new(bytes.into(), 1).unwrap();
                assert_eq!(runs.tally(12, 1, 1).unwrap(), 12);
                assert_eq!(runs.check_end().is_ok(), sound || !is_cut, "{header}");
            }
        }
    }

    #[test]
    fn numbers_are_tallied() {
        for width in 1..=4 {
            let (numbers, bytes) = runs(width);
            let highest = u32::MAX >> (32 - width);
            for sought in [0, 1, highest] {
                let expected = numbers.iter().filter(|&&number| number == sought).count();
                let tally =
                    |highest| Runs::new(bytes.clone().into(), width)?.tally(numbers.len(), highest, sought);
                assert_eq!(tally(highest).unwrap(), expected, "{width} {sought}");
                assert!(width == 1 || tally(highest - 1).is_err());
            }
        }
    }

    #[test]
    fn empty_runs_end() {
        let mut runs = Runs::new(vec![0, 1, 0, 1, 1, 1].into(), 1).unwrap();
        assert!(runs.read(&mut [0; 4]).is_err());
        assert!(Runs::new(Bytes::new(), 33).is_err());
    }
}
