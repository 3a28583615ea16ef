//! An LZ4 block: literals and a reference after each other, until literals alone end it.

use crate::codec::prefix::run::Run;
use crate::codec::prefix::step::Prefix;
use crate::error::Result;

/// References are of so many bytes at least.
const LEAST_AGAIN: usize = 4;
/// A length of four bits goes on where all are set.
const GOES_ON: usize = 15;

#[derive(Default)]
pub struct Lz4 {
    run: Run,
    /// The lower half of the token whose literals are on their way: its reference follows them.
    reference: Option<usize>,
}

impl Prefix for Lz4 {
    fn advance(&mut self, input: &[u8], page: &mut Vec<u8>, target: usize) -> Result<usize> {
        let mut used = 0;
        loop {
            used += self.run.advance(&input[used..], page, target)?;
            if page.len() >= target || !self.run.is_done() {
                return Ok(used);
            }
            let bytes = match self.reference {
                None => self.token(&input[used..]),
                Some(again) => self.reference(&input[used..], again),
            };
            let Some(bytes) = bytes else { return Ok(used) };
            used += bytes;
        }
    }
}

impl Lz4 {
    /// Begin with the literals of the next token. How many bytes that took; None where more are to come.
    fn token(&mut self, input: &[u8]) -> Option<usize> {
        let token = usize::from(*input.first()?);
        let (literal, bytes) = length(token >> 4, &input[1..])?;
        self.run = Run { literal, ..Run::default() };
        self.reference = Some(token & 15);
        Some(1 + bytes)
    }

    fn reference(&mut self, input: &[u8], again: usize) -> Option<usize> {
        let distance = usize::from(u16::from_le_bytes(*input.first_chunk::<2>()?));
        let (again, bytes) = length(again, &input[2..])?;
        self.run = Run { literal: 0, distance, again: again.saturating_add(LEAST_AGAIN) };
        self.reference = None;
        Some(2 + bytes)
    }
}

/// A length of four bits, with the bytes that go on with it, and how many these are.
fn length(bits: usize, input: &[u8]) -> Option<(usize, usize)> {
    if bits < GOES_ON {
        return Some((bits, 0));
    }
    let mut length = bits;
    for (at, &byte) in input.iter().enumerate() {
        length = length.saturating_add(byte.into());
        if byte < u8::MAX {
            return Some((length, at + 1));
        }
    }
    None
}
