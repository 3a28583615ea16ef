//! Numbers of four or eight bytes.

use std::sync::Arc;

use arrow_array::{ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use bytes::Bytes;
use parquet::basic::Encoding;

use super::values::{ArraySink, no_entry, reserve, spaced};
use crate::encoding::decoder::{Number, NumberSink, Open, Sink};
use crate::encoding::table;
use crate::error::{Error, Result};
use crate::pages::batch_bytes::Room;

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

pub struct Numbers<T: ArrowPrimitiveType> {
    /// Plain values, as they are in the dictionary page.
    dictionary: Bytes,
    values: Vec<T::Native>,
    room: Room,
}

impl<T: ArrowPrimitiveType> Numbers<T> {
    pub fn new(room: Room) -> Self {
        Self { dictionary: Bytes::new(), values: Vec::new(), room }
    }
}

impl<T: ArrowPrimitiveType<Native: Number>> Sink for Numbers<T> {
    fn decoder(encoding: Encoding) -> Option<Open<Self>> {
        table::of_numbers(encoding)
    }

    fn set_dictionary(&mut self, page: Bytes, count: usize) -> Result<()> {
        let size = count.saturating_mul(T::Native::BYTES);
        if size > page.len() {
            return Err(Error::corrupt("the values of a dictionary end early"));
        }
        self.dictionary = page.slice(..size);
        Ok(())
    }

    fn reserve_entries(&mut self, count: usize) -> Result<()> {
        reserve(&mut self.values, count, &self.room)
    }

    fn append_entries(&mut self, indices: &[u32]) -> Result<()> {
        for &index in indices {
            let at = index as usize * T::Native::BYTES;
            let entry = self.dictionary.get(at..at + T::Native::BYTES);
            self.values.push(T::Native::from_page(entry.ok_or_else(|| no_entry(index))?));
        }
        Ok(())
    }
}

impl<T: ArrowPrimitiveType<Native: Number>> NumberSink for Numbers<T> {
    type Number = T::Native;

    fn append(&mut self, numbers: impl ExactSizeIterator<Item = T::Native>) -> Result<()> {
        reserve(&mut self.values, numbers.len(), &self.room)?;
        self.values.extend(numbers);
        Ok(())
    }
}

impl<T: ArrowPrimitiveType<Native: Number>> ArraySink for Numbers<T> {
    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let values = spaced(std::mem::take(&mut self.values), nulls.as_ref(), &self.room)?;
        Ok(Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), nulls)))
    }
}
