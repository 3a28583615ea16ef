//! Snappy without frames: the length of the page, then literals and references, one after another.

use crate::codec::prefix::run::Run;
use crate::codec::prefix::step::{Prefix, ends_early};
use crate::codec::whole::wrong_size;
use crate::error::Result;

/// The tag and what follows it take no more.
const MOST_TAG_BYTES: usize = 5;
const MOST_LENGTH_BYTES: usize = 5;

pub struct Snappy {
    page_bytes: usize,
    is_begun: bool,
    run: Run,
}

impl Snappy {
    pub fn new(page_bytes: usize) -> Self {
        Self { page_bytes, is_begun: false, run: Run::default() }
    }

    /// The length of the page, and how many bytes say so; None where more of them are to come.
    fn length(input: &[u8]) -> Result<Option<(usize, usize)>> {
        let mut length = 0_usize;
        for (at, &byte) in input.iter().take(MOST_LENGTH_BYTES).enumerate() {
            length |= usize::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                return Ok(Some((length, at + 1)));
            }
        }
        if input.len() < MOST_LENGTH_BYTES { Ok(None) } else { Err(ends_early()) }
    }
}

impl Prefix for Snappy {
    fn advance(&mut self, input: &[u8], page: &mut Vec<u8>, target: usize) -> Result<usize> {
        let mut used = 0;
        if !self.is_begun {
            let Some((length, bytes)) = Self::length(input)? else { return Ok(0) };
            if length != self.page_bytes {
                return Err(wrong_size(length, self.page_bytes));
            }
            (self.is_begun, used) = (true, bytes);
        }
        loop {
            used += self.run.advance(&input[used..], page, target)?;
            if page.len() >= target || !self.run.is_done() {
                return Ok(used);
            }
            let Some((run, bytes)) = element(&input[used..]) else { return Ok(used) };
            (self.run, used) = (run, used + bytes);
        }
    }
}

/// What the next tag asks for, and its bytes; None where more of them are to come.
fn element(input: &[u8]) -> Option<(Run, usize)> {
    let tag = usize::from(*input.first()?);
    let number = |bytes: usize| {
        let bytes = input.get(1..=bytes)?;
        Some(bytes.iter().rev().fold(0_usize, |number, &byte| number << 8 | usize::from(byte)))
    };
    let (run, bytes) = match tag & 3 {
        0 => match tag >> 2 {
            short @ 0..60 => (Run { literal: short + 1, ..Run::default() }, 0),
            long => (Run { literal: number(long - 59)?.saturating_add(1), ..Run::default() }, long - 59),
        },
        1 => {
            let distance = (tag >> 5) << 8 | number(1)?;
            (Run { literal: 0, distance, again: (tag >> 2 & 7) + 4 }, 1)
        }
        2 => (Run { literal: 0, distance: number(2)?, again: (tag >> 2) + 1 }, 2),
        _ => (Run { literal: 0, distance: number(4)?, again: (tag >> 2) + 1 }, 4),
    };
    debug_assert!(bytes < MOST_TAG_BYTES);
    Some((run, bytes + 1))
}
