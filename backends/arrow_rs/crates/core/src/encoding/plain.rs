//! Plain byte arrays: each value behind its length.

use crate::error::{Error, Result};

/// The length in front of each value.
pub const LENGTH_BYTES: usize = 4;

/// The length at `at`.
pub fn length_at(page: &[u8], at: usize) -> Result<usize> {
    let size = page.get(at..).and_then(|rest| rest.first_chunk::<LENGTH_BYTES>()).ok_or_else(short)?;
    Ok(u32::from_le_bytes(*size) as usize)
}

fn short() -> Error {
    Error::corrupt("the values of a page end early")
}
