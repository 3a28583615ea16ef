//! Numbers of four or eight bytes.

use std::sync::Arc;

use arrow_array::{ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow_buffer::{ArrowNativeType, NullBuffer, ScalarBuffer};
use bytes::Bytes;

use super::{Encoded, Values, no_entry, reserve, short, spaced};
use crate::error::{Error, Result};

/// A number as it lies in a page.
pub trait Number: ArrowNativeType {
    const BYTES: usize;

    /// From exactly `BYTES` bytes.
    fn from_page(bytes: &[u8]) -> Self;
}

macro_rules! number {
    ($($native:ty),*) => {
        $(impl Number for $native {
            const BYTES: usize = size_of::<$native>();

            fn from_page(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().expect("as many bytes as the number has"))
            }
        })*
    };
}

number!(i32, u32, f32, i64, u64, f64);

pub struct Fixed<T: ArrowPrimitiveType> {
    /// Plain values, as they are in the dictionary page.
    dictionary: Bytes,
    page: Encoded,
    values: Vec<T::Native>,
}

impl<T: ArrowPrimitiveType> Default for Fixed<T> {
    fn default() -> Self {
        Self { dictionary: Bytes::new(), page: Encoded::NONE, values: Vec::new() }
    }
}

impl<T: ArrowPrimitiveType<Native: Number>> Values for Fixed<T> {
    fn set_dictionary(&mut self, page: Bytes, count: usize) -> Result<()> {
        let size = count.saturating_mul(T::Native::BYTES);
        if size > page.len() {
            return Err(Error::corrupt("the values of a dictionary end early"));
        }
        self.dictionary = page.slice(..size);
        Ok(())
    }

    fn begin_page(&mut self, values: Encoded) {
        self.page = values;
    }

    fn read(&mut self, count: usize) -> Result<()> {
        reserve(&mut self.values, count)?;
        match &mut self.page {
            Encoded::Plain { bytes, at } => {
                let size = count.saturating_mul(T::Native::BYTES);
                let plain = bytes[*at..].get(..size).ok_or_else(short)?;
                *at += size;
                self.values.extend(plain.chunks_exact(T::Native::BYTES).map(T::Native::from_page));
            }
            Encoded::Indices(runs) => runs.each_part(count, |indices| {
                for &index in indices {
                    let at = index as usize * T::Native::BYTES;
                    let entry = self.dictionary.get(at..at + T::Native::BYTES);
                    self.values.push(T::Native::from_page(entry.ok_or_else(|| no_entry(index))?));
                }
                Ok(())
            })?,
        }
        Ok(())
    }

    fn skip(&mut self, count: usize) -> Result<()> {
        match &mut self.page {
            Encoded::Plain { bytes, at } => {
                let size = count.saturating_mul(T::Native::BYTES);
                *at += bytes[*at..].get(..size).ok_or_else(short)?.len();
                Ok(())
            }
            Encoded::Indices(runs) => runs.skip(count),
        }
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let values = spaced(std::mem::take(&mut self.values), nulls.as_ref())?;
        Ok(Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), nulls)))
    }
}
