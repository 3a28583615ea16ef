//! A page must decompress to as many bytes as its header says.

use std::io::Read;

use crate::error::{Error, Result};

pub fn bad(error: impl std::fmt::Display) -> Error {
    Error::corrupt(format!("a page does not decompress: {error}"))
}

pub fn wrong_size(got: usize, expected: usize) -> Error {
    Error::corrupt(format!("a page decompresses to {got} bytes, its header says {expected}"))
}

/// Read until `output` is full, and see that nothing is left.
pub fn fill(mut from: impl Read, output: &mut [u8]) -> Result<usize> {
    from.read_exact(output).map_err(bad)?;
    match from.read(&mut [0]) {
        Ok(0) => Ok(output.len()),
        Ok(_) => Err(Error::corrupt("a page decompresses to more bytes than its header says")),
        Err(error) => Err(bad(error)),
    }
}
