//! What snappy and LZ4 are made of: bytes of the input, then bytes of the page again.

use crate::codec::whole::bad;
use crate::error::Result;

/// Bytes of the input that are copied, then bytes of the page that come again.
#[derive(Default)]
pub struct Run {
    pub literal: usize,
    pub distance: usize,
    pub again: usize,
}

impl Run {
    /// Go on as far as input and target allow. Returns how much of the input was used.
    pub fn advance(&mut self, input: &[u8], page: &mut Vec<u8>, target: usize) -> Result<usize> {
        let literal = self.literal.min(input.len()).min(target.saturating_sub(page.len()));
        page.extend_from_slice(&input[..literal]);
        self.literal -= literal;
        if self.literal == 0 && self.again > 0 {
            let again = self.again.min(target.saturating_sub(page.len()));
            repeat(page, self.distance, again)?;
            self.again -= again;
        }
        Ok(literal)
    }

    pub fn is_done(&self) -> bool {
        self.literal == 0 && self.again == 0
    }
}

/// Append `count` bytes that begin `distance` before the end of the page; where that is less, they repeat.
fn repeat(page: &mut Vec<u8>, distance: usize, mut count: usize) -> Result<()> {
    if distance == 0 || distance > page.len() {
        return Err(bad("a reference to before the page"));
    }
    let start = page.len() - distance;
    while count > 0 {
        let some = count.min(page.len() - start);
        page.extend_from_within(start..start + some);
        count -= some;
    }
    Ok(())
}
