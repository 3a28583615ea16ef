//! What an encoding does, where its values go, and which encodings there are.

use bytes::Bytes;
use parquet::basic::Encoding;

use super::{dictionary, is_dictionary, plain};
use crate::error::{Error, Result};

/// The values of a page that are still to come, in one encoding.
pub trait Decoder<S>: Send {
    /// Hand the next `count` values to the sink.
    fn read(&mut self, count: usize, sink: &mut S) -> Result<()>;
    fn skip(&mut self, count: usize) -> Result<()>;
}

/// Where values of one type go, and the dictionary of its column.
pub trait Sink: Send + 'static {
    /// The decoder of a page's values.
    fn decoder(encoding: Encoding, values: Bytes) -> Result<Box<dyn Decoder<Self>>>;
    /// `count` plain values that indices refer to from now on.
    fn set_dictionary(&mut self, page: Bytes, count: usize) -> Result<()>;
    /// So many values of the dictionary are about to come.
    fn reserve_entries(&mut self, count: usize) -> Result<()>;
    /// Values of the dictionary.
    fn append_entries(&mut self, indices: &[u32]) -> Result<()>;
}

/// A number as it lies in a page.
pub trait Number: Copy {
    const BYTES: usize;

    /// From exactly `BYTES` bytes.
    fn from_page(bytes: &[u8]) -> Self;
}

/// Takes numbers of four or eight bytes.
pub trait NumberSink: Sink {
    type Number: Number;

    fn append(&mut self, numbers: impl ExactSizeIterator<Item = Self::Number>) -> Result<()>;
}

/// Takes byte arrays.
pub trait ByteArraySink: Sink {
    /// `count` values that lie in `page`. They are walked through twice: `start` gives, for the size of each, where
    /// it starts.
    fn append<'a>(
        &mut self,
        page: &'a [u8],
        count: usize,
        values: impl Iterator<Item = Result<&'a [u8]>>,
        start: impl FnMut(usize) -> usize,
    ) -> Result<()>;
}

/// Whether pages of this encoding, or levels, can be decoded here.
pub fn is_supported(encoding: Encoding) -> bool {
    matches!(encoding, Encoding::PLAIN | Encoding::RLE) || is_dictionary(encoding)
}

pub fn of_numbers<S: NumberSink>(encoding: Encoding, values: Bytes) -> Result<Box<dyn Decoder<S>>> {
    match encoding {
        Encoding::PLAIN => Ok(Box::new(plain::Numbers::new(values))),
        other => of_any(other, values),
    }
}

pub fn of_byte_arrays<S: ByteArraySink>(encoding: Encoding, values: Bytes) -> Result<Box<dyn Decoder<S>>> {
    match encoding {
        Encoding::PLAIN => Ok(Box::new(plain::ByteArrays::new(values))),
        other => of_any(other, values),
    }
}

/// Encodings that all types have.
fn of_any<S: Sink>(encoding: Encoding, values: Bytes) -> Result<Box<dyn Decoder<S>>> {
    if is_dictionary(encoding) {
        return Ok(Box::new(dictionary::Indices::new(&values)?));
    }
    Err(unexpected(encoding))
}

pub fn unexpected(encoding: Encoding) -> Error {
    Error::corrupt(format!("a page with {encoding}, which the footer does not list"))
}
