//! How levels, indices and lengths are written.

pub mod delta;
pub mod hybrid;
pub mod levels;
pub mod plain;

use parquet::basic::Encoding;

/// Whether values are indices into a dictionary.
pub fn is_dictionary(encoding: Encoding) -> bool {
    matches!(encoding, Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY)
}
