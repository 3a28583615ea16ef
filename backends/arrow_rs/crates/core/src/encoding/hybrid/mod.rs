//! The hybrid of run-length encoding and bit-packing, in which levels and dictionary indices are written.

mod decode;
mod encode;

pub use decode::{Runs, Validity, WORD, nth_one, ones};
pub use encode::encode;
