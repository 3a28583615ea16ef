//! How levels, indices and values are written.
//!
//! An encoding of values is one file: a `Decoder` of a page's bytes, entered in `table`. Which type the values
//! are of is the business of the sink that they go to.

pub mod decoder;
pub mod delta;
mod dictionary;
pub mod hybrid;
pub mod int96;
pub mod levels;
pub mod plain;
pub mod table;

use parquet::basic::Encoding;

use crate::error::Error;

/// Whether values are indices into a dictionary.
pub fn is_dictionary(encoding: Encoding) -> bool {
    matches!(encoding, Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY)
}

pub fn values_end_early() -> Error {
    Error::corrupt("the values of a page end early")
}

pub fn unexpected(encoding: Encoding) -> Error {
    Error::corrupt(format!("a page with {encoding}, which the footer does not list"))
}

/// Whether levels can be in this encoding.
#[expect(deprecated, reason = "old files have such levels")]
pub fn is_of_levels(encoding: Encoding) -> bool {
    matches!(encoding, Encoding::RLE | Encoding::BIT_PACKED)
}
