//! What an encoding does, and where its values go.

use bytes::Bytes;
use parquet::basic::Encoding;

use crate::error::Result;

/// The values of a page that are still to come, in one encoding.
pub trait Decoder<S>: Send {
    /// Hand the next `count` values to the sink.
    fn read(&mut self, count: usize, sink: &mut S) -> Result<()>;
    fn skip(&mut self, count: usize) -> Result<()>;
}

/// Makes the decoder of a page's values.
pub type Open<S> = fn(Bytes) -> Result<Box<dyn Decoder<S>>>;

/// Where values of one type go, and the dictionary of its column.
pub trait Sink: Send + 'static {
    /// What decodes this encoding of such values; None where it has no decoder here.
    fn decoder(encoding: Encoding) -> Option<Open<Self>>;
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
    /// Values that lie in `page`. They are copied once all are known: `start` then gives, for the size of each, where
    /// it starts.
    ///
    /// # Safety
    ///
    /// What `start` gives is where the values lie, as text is checked value by value before it is copied.
    unsafe fn append<'a>(
        &mut self,
        page: &'a [u8],
        values: impl ExactSizeIterator<Item = Result<&'a [u8]>>,
        start: impl FnMut(usize) -> usize,
    ) -> Result<()>;
}
