//! Text that arrives in dictionary arrays with small keys, as it was when the file was written.
//!
//! As long as a batch refers to one dictionary its keys are the page's indices. Where it has values of several
//! dictionaries, or plain ones, it gets a dictionary of its own, in the order in which values first occur.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowDictionaryKeyType, Utf8Type};
use arrow_array::{Array, ArrayRef, DictionaryArray, PrimitiveArray, StringArray};
use arrow_buffer::{ArrowNativeType, NullBuffer, ScalarBuffer};
use bytes::Bytes;
use parquet::basic::Encoding;

use super::byte_arrays::ByteArrays;
use super::values::{ArraySink, no_entry, reserve, spaced};
use crate::encoding::decoder::{ByteArraySink, Open, Sink};
use crate::encoding::table;
use crate::error::{Error, Result};
use crate::pages::batch_bytes::Room;

pub struct Dictionaries<K: ArrowDictionaryKeyType> {
    strings: ByteArrays<Utf8Type>,
    /// The dictionary as an array, made for the first batch that needs it.
    entries: Option<ArrayRef>,
    /// The keys of the batch, unless its values are in `strings`.
    keys: Vec<K::Native>,
    is_spelled_out: bool,
    room: Room,
}

impl<K: ArrowDictionaryKeyType> Dictionaries<K> {
    pub fn new(room: Room) -> Self {
        Self {
            strings: ByteArrays::new(room.clone()),
            entries: None,
            keys: Vec::new(),
            is_spelled_out: false,
            room,
        }
    }
}

impl<K: ArrowDictionaryKeyType> Dictionaries<K> {
    /// From now on the batch has values instead of keys.
    fn spell_out(&mut self) -> Result<()> {
        if !self.is_spelled_out && !self.keys.is_empty() {
            let keys = std::mem::take(&mut self.keys);
            let indices: Vec<u32> = keys.iter().map(|key| index(key.as_usize())).collect();
            self.append_strings(&indices)?;
        }
        self.is_spelled_out = true;
        Ok(())
    }

    fn append_strings(&mut self, indices: &[u32]) -> Result<()> {
        self.strings.reserve_entries(indices.len())?;
        self.strings.append_entries(indices)
    }

    fn entries(&mut self) -> Result<ArrayRef> {
        if let Some(entries) = &self.entries {
            return Ok(entries.clone());
        }
        let all: Vec<u32> = (0..index(self.strings.entry_count())).collect();
        self.append_strings(&all)?;
        let entries = self.strings.finish(None)?;
        Ok(self.entries.insert(entries).clone())
    }
}

impl<K: ArrowDictionaryKeyType> Sink for Dictionaries<K> {
    fn decoder(encoding: Encoding) -> Option<Open<Self>> {
        table::of_byte_arrays(encoding)
    }

    fn set_dictionary(&mut self, page: Bytes, count: usize) -> Result<()> {
        if !self.keys.is_empty() {
            self.spell_out()?;
        }
        self.entries = None;
        self.strings.set_dictionary(page, count)
    }

    fn reserve_entries(&mut self, count: usize) -> Result<()> {
        if self.is_spelled_out {
            self.strings.reserve_entries(count)
        } else {
            reserve(&mut self.keys, count, &self.room)
        }
    }

    fn append_entries(&mut self, indices: &[u32]) -> Result<()> {
        if self.is_spelled_out {
            return self.strings.append_entries(indices);
        }
        // Checked at once: the largest tells of all.
        let largest = indices.iter().copied().max().unwrap_or(0);
        if largest as usize >= self.strings.entry_count() {
            return Err(no_entry(largest));
        }
        key::<K>(largest as usize)?;
        self.keys.extend(indices.iter().map(|&index| K::Native::usize_as(index as usize)));
        Ok(())
    }
}

impl<K: ArrowDictionaryKeyType> ByteArraySink for Dictionaries<K> {
    unsafe fn append<'a>(
        &mut self,
        page: &'a [u8],
        values: impl ExactSizeIterator<Item = Result<&'a [u8]>>,
        start: impl FnMut(usize) -> usize,
    ) -> Result<()> {
        self.spell_out()?;
        // SAFETY: the caller's promise.
        unsafe { self.strings.append(page, values, start) }
    }
}

impl<K: ArrowDictionaryKeyType> ArraySink for Dictionaries<K> {
    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        if std::mem::take(&mut self.is_spelled_out) {
            return dictionary::<K>(self.strings.finish(nulls)?.as_string());
        }
        let (keys, entries) = (std::mem::take(&mut self.keys), self.entries()?);
        array::<K>(spaced(keys, nulls.as_ref(), &self.room)?, nulls, entries)
    }
}

/// The strings with a dictionary that holds each of them once.
pub fn dictionary<K: ArrowDictionaryKeyType>(strings: &StringArray) -> Result<ArrayRef> {
    let mut seen = HashMap::new();
    let mut entries = Vec::new();
    let mut keys = Vec::with_capacity(strings.len());
    for string in strings {
        keys.push(match string {
            None => K::Native::default(),
            Some(string) => {
                let next = entries.len();
                let index = *seen.entry(string).or_insert(next);
                if index == next {
                    entries.push(string);
                }
                key::<K>(index)?
            }
        });
    }
    array::<K>(keys, strings.nulls().cloned(), Arc::new(StringArray::from_iter_values(entries)))
}

/// A place in a dictionary page, whose header has the number of its values in 32 bits.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn key<K: ArrowDictionaryKeyType>(index: usize) -> Result<K::Native> {
    let key = K::Native::from_usize(index);
    key.ok_or_else(|| Error::limit(format!("a dictionary too large for keys of {}", K::DATA_TYPE)))
}

fn array<K: ArrowDictionaryKeyType>(
    keys: Vec<K::Native>,
    nulls: Option<NullBuffer>,
    entries: ArrayRef,
) -> Result<ArrayRef> {
    let array = DictionaryArray::<K>::try_new(PrimitiveArray::new(ScalarBuffer::from(keys), nulls), entries);
    Ok(Arc::new(array.map_err(|error| Error::corrupt(error.to_string()))?))
}
