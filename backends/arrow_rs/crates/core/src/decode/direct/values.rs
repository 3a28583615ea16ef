//! Values of one type, decoded one after another without gaps for nulls.

use std::collections::TryReserveError;

use arrow_array::ArrayRef;
use arrow_buffer::NullBuffer;
use bytes::Bytes;
use parquet::basic::Encoding;

use crate::encoding::decoder::{Decoder, Sink};
use crate::encoding::{unexpected, values_end_early};
use crate::error::{Error, Result};
use crate::pages::batch_bytes::Room;

/// The values of a leaf column, whatever their type and encodings.
pub trait Values: Send {
    /// `count` plain values that indices refer to from now on.
    fn set_dictionary(&mut self, page: Bytes, count: usize) -> Result<()>;
    /// Whether pages of this encoding can be read.
    fn can_decode(&self, encoding: Encoding) -> bool;
    /// A page's values.
    fn begin_page(&mut self, encoding: Encoding, values: Bytes) -> Result<()>;
    /// Let go of the page.
    fn end_page(&mut self);
    fn read(&mut self, count: usize) -> Result<()>;
    fn skip(&mut self, count: usize) -> Result<()>;
    /// All that was read since the last time.
    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef>;
}

/// A sink whose values become an array.
pub trait ArraySink: Sink {
    /// All that was taken since the last time, with a gap for each null.
    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef>;
}

/// A type's sink, and the decoder of the page that it takes values from.
pub struct Decoded<S> {
    sink: S,
    page: Option<Box<dyn Decoder<S>>>,
}

impl<S: ArraySink> Decoded<S> {
    pub fn new(sink: S) -> Self {
        Self { sink, page: None }
    }

    fn page(&mut self) -> Result<(&mut dyn Decoder<S>, &mut S)> {
        let page = self.page.as_deref_mut().ok_or_else(values_end_early)?;
        Ok((page, &mut self.sink))
    }
}

impl<S: ArraySink> Values for Decoded<S> {
    fn set_dictionary(&mut self, page: Bytes, count: usize) -> Result<()> {
        self.sink.set_dictionary(page, count)
    }

    fn can_decode(&self, encoding: Encoding) -> bool {
        S::decoder(encoding).is_some()
    }

    fn begin_page(&mut self, encoding: Encoding, values: Bytes) -> Result<()> {
        let open = S::decoder(encoding).ok_or_else(|| unexpected(encoding))?;
        self.page = Some(open(values)?);
        Ok(())
    }

    fn end_page(&mut self) {
        self.page = None;
    }

    fn read(&mut self, count: usize) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let (page, sink) = self.page()?;
        page.read(count, sink)
    }

    fn skip(&mut self, count: usize) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        self.page()?.0.skip(count)
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        self.sink.finish(nulls)
    }
}

pub fn no_entry(index: u32) -> Error {
    Error::corrupt(format!("index {index} is beyond the dictionary"))
}

pub fn no_memory(_: TryReserveError) -> Error {
    Error::limit("no memory for the values of a batch")
}

/// Room for `count` more values: as many as asked for, but never so few that a batch of many small pages
/// would move with each of them.
pub fn reserve<T>(values: &mut Vec<T>, count: usize, room: &Room) -> Result<()> {
    room.take(count, size_of::<T>())?;
    if count > values.capacity() - values.len() {
        values.try_reserve_exact(count.max(values.len() / 8)).map_err(no_memory)?;
    }
    Ok(())
}

/// The values with a gap for each null.
pub fn spaced<T: Copy + Default>(values: Vec<T>, nulls: Option<&NullBuffer>, room: &Room) -> Result<Vec<T>> {
    let Some(nulls) = nulls else { return Ok(values) };
    room.take(nulls.len(), size_of::<T>())?;
    let mut spaced = Vec::with_capacity(nulls.len());
    space_out(&mut spaced, values.into_iter(), nulls, |_| T::default())?;
    Ok(spaced)
}

/// Append something for each row: the next value, or for a null what `gap` makes of what came before it.
pub fn space_out<T: Copy + Default>(
    spaced: &mut Vec<T>,
    mut values: impl Iterator<Item = T>,
    nulls: &NullBuffer,
    gap: impl Fn(T) -> T,
) -> Result<()> {
    let mut last = spaced.last().copied().unwrap_or_default();
    for valid in nulls {
        last = if valid { values.next().ok_or_else(values_end_early)? } else { gap(last) };
        spaced.push(last);
    }
    Ok(())
}
