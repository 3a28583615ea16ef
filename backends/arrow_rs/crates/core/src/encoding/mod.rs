//! How levels, indices and lengths are written.

pub mod delta;
pub mod hybrid;
pub mod levels;
