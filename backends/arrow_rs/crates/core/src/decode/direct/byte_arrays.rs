//! Text and binary values.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::types::ByteArrayType;
use arrow_array::{ArrayRef, GenericByteArray};
use arrow_buffer::{ArrowNativeType, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType;
use bytes::Bytes;
use parquet::basic::Encoding;

use super::values::{ArraySink, no_entry, no_memory, reserve, space_out};
use crate::encoding::decoder::{ByteArraySink, Open, Sink};
use crate::encoding::plain::{LENGTH_BYTES, value_at};
use crate::encoding::table;
use crate::error::{Error, Result};
use crate::memory::pool::size_class;
use crate::pages::batch_bytes::Room;

/// Values up to this size are copied as if they had it: most words of a language are, and a copy of known
/// size takes two instructions.
const SHORT_BYTES: usize = 32;
/// Entries of a dictionary are checked about so many bytes at a time.
const CHECKED_BYTES: usize = 16 << 10;

pub struct ByteArrays<T: ByteArrayType> {
    dictionary: Dictionary<T>,
    batch: Batch<T>,
}

/// The dictionary page, and where in it each value starts. One more, so that the next value's start says where a
/// value ends.
struct Dictionary<T> {
    page: Bytes,
    starts: Vec<u32>,
    values: PhantomData<T>,
}

struct Batch<T: ByteArrayType> {
    /// Where each value ends, after the zero at which the first starts.
    offsets: Vec<T::Offset>,
    values: Vec<u8>,
    /// What the values of the batch before took.
    last_bytes: usize,
    room: Room,
}

impl<T: ByteArrayType> ByteArrays<T> {
    pub fn new(room: Room) -> Self {
        Self {
            dictionary: Dictionary { page: Bytes::new(), starts: Vec::new(), values: PhantomData },
            batch: Batch { offsets: Vec::new(), values: Vec::new(), last_bytes: 0, room },
        }
    }
}

impl<T: ByteArrayType> ByteArrays<T> {
    /// How many values the dictionary has.
    pub fn entry_count(&self) -> usize {
        self.dictionary.starts.len().saturating_sub(1)
    }
}

fn is_text<T: ByteArrayType>() -> bool {
    matches!(T::DATA_TYPE, DataType::Utf8 | DataType::LargeUtf8)
}

/// Whether a value, which is a part of valid text, begins in the middle of a character.
fn splits_character(value: &[u8]) -> bool {
    value.first().is_some_and(|byte| byte & 0xc0 == 0x80)
}

fn not_text() -> Error {
    Error::corrupt("a string is not valid UTF-8")
}

/// Several strings are checked at once: vector instructions take whole blocks. Together with
/// `splits_character` of each that says the same of each of them.
fn check_text(strings: &[u8]) -> Result<()> {
    simdutf8::basic::from_utf8(strings).map(drop).map_err(|_| not_text())
}

/// Append `from[at..at + size]`.
fn append(values: &mut Vec<u8>, from: &[u8], at: usize, size: usize) {
    if size <= SHORT_BYTES
        && from.len() >= SHORT_BYTES
        && at <= from.len() - SHORT_BYTES
        && values.capacity() - values.len() >= SHORT_BYTES
    {
        // SAFETY: `SHORT_BYTES` can be read from `at` on and written after the last value, as was just
        // checked; the first `size` of them are values.
        unsafe {
            let to = values.as_mut_ptr().add(values.len());
            std::ptr::copy_nonoverlapping(from.as_ptr().add(at), to, SHORT_BYTES);
            values.set_len(values.len() + size);
        }
    } else {
        values.extend_from_slice(&from[at..at + size]);
    }
}

impl<T: ByteArrayType> Batch<T> {
    /// Room for `count` more values.
    fn reserve_ends(&mut self, count: usize) -> Result<()> {
        reserve(&mut self.offsets, count + 1, &self.room)?;
        if self.offsets.is_empty() {
            self.offsets.push(T::Offset::default());
        }
        Ok(())
    }

    /// Room for values up to `end`, at the start of a batch for as many as the one before had: then a batch
    /// that spans pages need not move, and the next finds memory of its size.
    fn reserve_values(&mut self, end: usize) -> Result<()> {
        self.room.take(end - self.values.len(), 1)?;
        let wanted = end.saturating_add(SHORT_BYTES);
        if wanted <= self.values.capacity() {
            return Ok(());
        }
        let wanted = size_class(wanted.max(self.last_bytes));
        self.values.try_reserve_exact(wanted - self.values.len()).map_err(no_memory)
    }

    fn push_end(&mut self, end: usize) -> Result<()> {
        let end = T::Offset::from_usize(end);
        self.offsets.push(end.ok_or_else(|| Error::limit("the strings of a batch take more than 2 GiB"))?);
        Ok(())
    }

    /// Copy values of `from`, whose ends are the offsets from place `first` on. `start` gives, for the size of each,
    /// where it starts.
    fn copy(&mut self, from: &[u8], first: usize, mut start: impl FnMut(usize) -> usize) -> Result<()> {
        let mut before = self.values.len();
        self.reserve_values(self.offsets.last().map_or(before, |end| end.as_usize()))?;
        for end in &self.offsets[first..] {
            let end = end.as_usize();
            append(&mut self.values, from, start(end - before), end - before);
            before = end;
        }
        Ok(())
    }
}

impl<T: ByteArrayType> Dictionary<T> {
    fn read(page: Bytes, count: usize) -> Result<Self> {
        if count > page.len() / LENGTH_BYTES {
            return Err(Error::corrupt("the values of a dictionary end early"));
        }
        let place =
            |at: usize| u32::try_from(at).map_err(|_| Error::limit("a dictionary of more than 4 GiB"));
        let mut starts = Vec::with_capacity(count + 1);
        let mut text = Vec::new();
        let mut at = LENGTH_BYTES;
        starts.push(place(at)?);
        for _ in 0..count {
            let value = value_at(&page, at - LENGTH_BYTES)?;
            if is_text::<T>() {
                if splits_character(value) {
                    return Err(not_text());
                }
                if text.len() + value.len() > CHECKED_BYTES {
                    check_text(&text)?;
                    text.clear();
                }
                if value.len() > CHECKED_BYTES {
                    check_text(value)?;
                } else {
                    text.reserve(CHECKED_BYTES + SHORT_BYTES - text.len());
                    append(&mut text, &page, at, value.len());
                }
            }
            at += value.len() + LENGTH_BYTES;
            starts.push(place(at)?);
        }
        check_text(&text)?;
        Ok(Self { page, starts, values: PhantomData })
    }

    /// Where the value with this index starts, and how many bytes it has.
    fn find(&self, index: u32) -> Result<(usize, usize)> {
        let at = index as usize;
        let [start, next] = self.starts.get(at..at + 2).ok_or_else(|| no_entry(index))? else {
            return Err(no_entry(index));
        };
        Ok((*start as usize, (next - start) as usize - LENGTH_BYTES))
    }
}

impl<T: ByteArrayType> Sink for ByteArrays<T> {
    fn decoder(encoding: Encoding) -> Option<Open<Self>> {
        table::of_byte_arrays(encoding)
    }

    fn set_dictionary(&mut self, page: Bytes, count: usize) -> Result<()> {
        // The old one first: its memory serves the new one.
        self.dictionary.page = Bytes::new();
        self.dictionary.starts = Vec::new();
        self.dictionary = Dictionary::read(page, count)?;
        Ok(())
    }

    fn reserve_entries(&mut self, count: usize) -> Result<()> {
        self.batch.reserve_ends(count)
    }

    fn append_entries(&mut self, indices: &[u32]) -> Result<()> {
        let Self { dictionary, batch } = self;
        let mut end = batch.values.len();
        for &index in indices {
            end += dictionary.find(index)?.1;
            batch.push_end(end)?;
        }
        batch.reserve_values(end)?;
        for &index in indices {
            let (start, size) = dictionary.find(index)?;
            append(&mut batch.values, &dictionary.page, start, size);
        }
        Ok(())
    }
}

impl<T: ByteArrayType> ByteArraySink for ByteArrays<T> {
    unsafe fn append<'a>(
        &mut self,
        page: &'a [u8],
        values: impl ExactSizeIterator<Item = Result<&'a [u8]>>,
        start: impl FnMut(usize) -> usize,
    ) -> Result<()> {
        let batch = &mut self.batch;
        batch.reserve_ends(values.len())?;
        let (first, first_byte) = (batch.offsets.len(), batch.values.len());
        let mut end = first_byte;
        for value in values {
            let value = value?;
            if is_text::<T>() && splits_character(value) {
                return Err(not_text());
            }
            end += value.len();
            batch.push_end(end)?;
        }
        batch.copy(page, first, start)?;
        if is_text::<T>() {
            check_text(&batch.values[first_byte..])?;
        }
        Ok(())
    }
}

impl<T: ByteArrayType> ArraySink for ByteArrays<T> {
    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let batch = &mut self.batch;
        batch.reserve_ends(0)?;
        let mut offsets = std::mem::take(&mut batch.offsets);
        if let Some(nulls) = &nulls {
            batch.room.take(nulls.len() + 1, size_of::<T::Offset>())?;
            let mut spaced = Vec::with_capacity(nulls.len() + 1);
            spaced.push(T::Offset::default());
            // What is null ends where the value before it does.
            space_out(&mut spaced, offsets.into_iter().skip(1), nulls, |end| end)?;
            offsets = spaced;
        }
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        let values = std::mem::take(&mut batch.values);
        batch.last_bytes = values.len();
        let values = Buffer::from_vec(values);
        // SAFETY: offsets grow from zero to the length of the values. Of text, each value was checked not to
        // begin within a character, and all values together, or the dictionary that they are from, to be
        // valid UTF-8.
        Ok(Arc::new(unsafe { GenericByteArray::<T>::new_unchecked(offsets, values, nulls) }))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{BinaryType, Utf8Type};

    use super::super::values::{Decoded, Values};
    use super::*;
    use crate::error::Kind;

    #[test]
    fn what_a_dictionary_stands_for_is_bounded() {
        let marker = Arc::default();
        let sink = ByteArrays::<Utf8Type>::new(Room::new(Arc::clone(&marker), 1_000));
        let mut strings = Decoded::new(sink);
        strings.set_dictionary(plain([&[b'x'; 100][..]]), 1).unwrap();
        let mut read = |count: usize| {
            let runs = [vec![1], crate::encoding::hybrid::encode(&vec![0; count], 1)].concat();
            strings.begin_page(Encoding::RLE_DICTIONARY, runs.into()).unwrap();
            strings.read(count)
        };
        read(9).unwrap();
        assert_eq!(read(9).unwrap_err().kind, Kind::Limit);
        assert!(marker.decoded.load(std::sync::atomic::Ordering::Relaxed) > 1_000);
    }

    fn plain<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Bytes {
        let with_length = |value: &'a [u8]| [&(value.len() as u32).to_le_bytes(), value].concat();
        values.into_iter().flat_map(with_length).collect::<Vec<_>>().into()
    }

    fn decoded<T: ByteArrayType>() -> Decoded<ByteArrays<T>> {
        Decoded::new(ByteArrays::new(Room::default()))
    }

    /// The values of a page with these, and of a page that refers to a dictionary with these.
    fn both_ways<T: ByteArrayType>(values: &[&[u8]]) -> [Result<ArrayRef>; 2] {
        let page = plain(values.iter().copied());
        let mut direct = decoded::<T>();
        direct.begin_page(Encoding::PLAIN, page.clone()).unwrap();
        let mut referred = decoded::<T>();
        let dictionary = referred.set_dictionary(page, values.len());
        let indices: Vec<u32> = (0..values.len() as u32).collect();
        let runs = [vec![16], crate::encoding::hybrid::encode(&indices, 16)].concat();
        referred.begin_page(Encoding::RLE_DICTIONARY, runs.into()).unwrap();
        [
            direct.read(values.len()).and_then(|()| direct.finish(None)),
            dictionary.and_then(|()| referred.read(values.len())).and_then(|()| referred.finish(None)),
        ]
    }

    #[test]
    fn values_of_every_size_arrive() {
        let long = ["ü".repeat(CHECKED_BYTES), "x".repeat(CHECKED_BYTES)];
        let mut values: Vec<String> =
            (0..1000).map(|size| "é".repeat(size % 40) + &"y".repeat(size)).collect();
        values.extend(long);
        let bytes: Vec<&[u8]> = values.iter().map(String::as_bytes).collect();
        for array in both_ways::<Utf8Type>(&bytes) {
            let array = array.unwrap();
            assert!(array.as_string::<i32>().iter().flatten().eq(values.iter().map(String::as_str)));
            array.to_data().validate_full().unwrap();
        }
    }

    #[test]
    fn text_must_be_valid_value_by_value() {
        let halves: [&[u8]; 2] = ["é".as_bytes().split_at(1).0, "é".as_bytes().split_at(1).1];
        for bad in [&halves[..], &halves[..1], &[b"fine", b"\xff"], &[&[b'x'; 40], halves[1]]] {
            for array in both_ways::<Utf8Type>(bad) {
                assert_eq!(array.unwrap_err().kind, Kind::Corrupt, "{bad:?}");
            }
            for array in both_ways::<BinaryType>(bad) {
                assert!(array.unwrap().as_binary::<i32>().iter().flatten().eq(bad.iter().copied()));
            }
        }
    }

    #[test]
    fn lengths_and_indices_beyond_the_page_are_corrupt() {
        for page in [vec![], vec![1, 0, 0], vec![2, 0, 0, 0, b'x'], vec![0xff; 4]] {
            let mut strings = decoded::<Utf8Type>();
            strings.begin_page(Encoding::PLAIN, page.clone().into()).unwrap();
            assert_eq!(strings.read(1).unwrap_err().kind, Kind::Corrupt);
            assert_eq!(strings.set_dictionary(page.into(), 1).unwrap_err().kind, Kind::Corrupt);
        }
        let mut strings = decoded::<Utf8Type>();
        strings.set_dictionary(plain([&b"a"[..]]), 1).unwrap();
        for index in [1, u8::MAX] {
            let runs = vec![8, 2, index];
            strings.begin_page(Encoding::RLE_DICTIONARY, runs.into()).unwrap();
            assert_eq!(strings.read(1).unwrap_err().kind, Kind::Corrupt);
        }
    }
}
