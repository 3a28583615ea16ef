//! What decompression that stops and goes on has to do, whatever the codec.

use crate::codec::whole::bad;
use crate::error::{Error, Result};

/// One page on its way out of its codec.
pub trait Prefix {
    /// Append to `page` what comes next, until it has `target` bytes or `input` gives no more. Returns how much of the
    /// input was used; what was not must come again, with more behind it.
    fn advance(&mut self, input: &[u8], page: &mut Vec<u8>, target: usize) -> Result<usize>;
}

pub fn ends_early() -> Error {
    bad("its bytes end early")
}
