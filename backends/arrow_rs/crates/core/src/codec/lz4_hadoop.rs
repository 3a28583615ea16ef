//! The framing of Hadoop's LZ4: blocks with both sizes in front, big-endian.

use lz4_flex::block::decompress_into;

use super::whole::bad;
use crate::error::Result;

pub fn decompress(mut input: &[u8], output: &mut [u8]) -> Result<usize> {
    let mut written = 0;
    while let Some((sizes, rest)) = input.split_at_checked(8) {
        let word = |at: usize| u32::from_be_bytes([sizes[at], sizes[at + 1], sizes[at + 2], sizes[at + 3]]);
        let (plain, packed) = (word(0) as usize, word(4) as usize);
        let (block, rest) = rest.split_at_checked(packed).ok_or_else(|| bad("a block ends early"))?;
        let room = output[written..].get_mut(..plain).ok_or_else(|| bad("a block is too large"))?;
        if decompress_into(block, room).map_err(bad)? != plain {
            return Err(bad("a block is too short"));
        }
        written += plain;
        input = rest;
    }
    if input.is_empty() { Ok(written) } else { Err(bad("bytes are left over")) }
}
