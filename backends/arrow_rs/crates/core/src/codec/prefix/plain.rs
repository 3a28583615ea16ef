//! Bytes that are not compressed.

use crate::codec::prefix::step::Prefix;
use crate::error::Result;

pub struct Plain;

impl Prefix for Plain {
    fn advance(&mut self, input: &[u8], page: &mut Vec<u8>, target: usize) -> Result<usize> {
        let count = input.len().min(target.saturating_sub(page.len()));
        page.extend_from_slice(&input[..count]);
        Ok(count)
    }
}
