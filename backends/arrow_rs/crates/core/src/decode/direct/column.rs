//! What decodes a column, and how it ends too early.

use arrow_array::ArrayRef;

use crate::error::{Error, Result};

/// The rows of one top-level column.
pub trait Column: Send {
    /// The next `rows` rows, of which the caller knows that they were promised.
    fn next(&mut self, rows: usize) -> Result<ArrayRef>;
}

pub fn ends_early() -> Error {
    Error::corrupt("the column chunk ends early")
}

pub fn fewer_rows() -> Error {
    Error::corrupt("fewer rows than were promised")
}
