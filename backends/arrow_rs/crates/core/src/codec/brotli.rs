//! Brotli, with no larger a window than a page can use.

use std::io::Read;

use super::whole::{bad, fill};
use crate::error::Result;

/// The decoder reserves the window that the stream asks for, up to 16 MiB, but none larger than the page is of use.
pub fn decompress(input: &[u8], output: &mut [u8]) -> Result<usize> {
    let (first, rest) = input.split_first().ok_or_else(|| bad("no bytes"))?;
    let first = [narrowed(*first, output.len())];
    fill(brotli_decompressor::Decompressor::new(first.as_slice().chain(rest), 4096), output)
}

/// The first byte of a brotli stream with the smallest window of the same notation that holds `bytes`
/// (RFC 7932, 9.1): windows of 2^18 to 2^24 bytes are four bits, the lowest of them set.
fn narrowed(first: u8, bytes: usize) -> u8 {
    let declared = first >> 1 & 7;
    if first & 1 == 0 || declared == 0 {
        return first;
    }
    // 16 bytes of a window are no part of it.
    let needed = (1..declared).find(|&size| (1_usize << (17 + size)) - 16 >= bytes).unwrap_or(declared);
    first & !0xE | needed << 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_brotli_is_no_larger_than_the_page_needs() {
        let bits = |first: u8| 17 + (first >> 1 & 7);
        for declared in 1..=7 {
            let first = 0xF0 | declared << 1 | 1;
            assert_eq!(bits(narrowed(first, 1000)), 18);
            assert_eq!(bits(narrowed(first, 1 << 20)), bits(first).min(21), "16 bytes are no part of it");
            assert_eq!(narrowed(first, 1 << 30), first);
            assert_eq!(narrowed(first, 1000) & 0xF1, first & 0xF1, "the rest of the byte is the stream's");
        }
        // 16 bits, and the notations of 17, of 10 to 15 and of large windows.
        for first in [0b0000, 0b0000_0001, 0b0010_0001, 0b0001_0001] {
            assert_eq!(narrowed(first, 1000), first);
        }
    }
}
