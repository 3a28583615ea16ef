//! Text and binary values.

use std::sync::Arc;

use arrow_array::types::ByteArrayType;
use arrow_array::{ArrayRef, GenericByteArray};
use arrow_buffer::{ArrowNativeType, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType;
use bytes::Bytes;

use super::{Encoded, Values, no_entry, no_memory, reserve, short};
use crate::encoding::hybrid::Runs;
use crate::error::{Error, Result};
use crate::memory::pool::size_class;

/// The length in front of each plain value.
const LENGTH_BYTES: usize = 4;
/// Values up to this size are copied as if they had it: most words of a language are, and a copy of known
/// size takes two instructions.
const SHORT_BYTES: usize = 32;

pub struct Strings<T: ByteArrayType> {
    /// The dictionary page, and where in it each value starts. One more, so that the next value's start says
    /// where a value ends.
    dictionary: Bytes,
    starts: Vec<u32>,
    page: Encoded,
    /// Where each value of the batch ends, after the zero at which the first starts.
    offsets: Vec<T::Offset>,
    values: Vec<u8>,
    /// What the values of the batch before took.
    batch_bytes: usize,
}

impl<T: ByteArrayType> Strings<T> {
    pub fn new() -> Self {
        Self {
            dictionary: Bytes::new(),
            starts: Vec::new(),
            page: Encoded::NONE,
            offsets: Vec::new(),
            values: Vec::new(),
            batch_bytes: 0,
        }
    }

    fn is_text() -> bool {
        matches!(T::DATA_TYPE, DataType::Utf8 | DataType::LargeUtf8)
    }
}

/// The bytes of the plain value whose length is at `at`.
fn plain_value(page: &[u8], at: usize) -> Result<&[u8]> {
    let (size, rest) =
        page.get(at..).and_then(|rest| rest.split_first_chunk::<LENGTH_BYTES>()).ok_or_else(short)?;
    rest.get(..u32::from_le_bytes(*size) as usize).ok_or_else(short)
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

/// Append `from[at..at + size]`, which the caller has checked to exist.
fn append(values: &mut Vec<u8>, from: &[u8], at: usize, size: usize) {
    if size <= SHORT_BYTES
        && from.len() - at >= SHORT_BYTES
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

impl<T: ByteArrayType> Strings<T> {
    /// Room for `count` more values.
    fn reserve_ends(&mut self, count: usize) -> Result<()> {
        reserve(&mut self.offsets, count + 1)?;
        if self.offsets.is_empty() {
            self.offsets.push(T::Offset::default());
        }
        Ok(())
    }

    /// Room for values up to `end`, at the start of a batch for as many as the one before had: then a batch
    /// that spans pages need not move, and the next finds memory of its size.
    fn reserve_values(&mut self, end: usize) -> Result<()> {
        let wanted = end.saturating_add(SHORT_BYTES);
        if wanted <= self.values.capacity() {
            return Ok(());
        }
        let wanted = size_class(wanted.max(self.batch_bytes));
        self.values.try_reserve_exact(wanted - self.values.len()).map_err(no_memory)
    }

    fn push_end(&mut self, end: usize) -> Result<()> {
        let end = T::Offset::from_usize(end);
        self.offsets.push(end.ok_or_else(|| Error::limit("the strings of a batch take more than 2 GiB"))?);
        Ok(())
    }

    /// The next `count` plain values of `page` from `at` on; returns where they end.
    fn read_plain(&mut self, page: &[u8], at: usize, count: usize) -> Result<usize> {
        let first = self.values.len();
        let first_offset = self.offsets.len();
        let (mut next, mut end) = (at, first);
        for _ in 0..count {
            let value = plain_value(page, next)?;
            if Self::is_text() && splits_character(value) {
                return Err(not_text());
            }
            next += LENGTH_BYTES + value.len();
            end += value.len();
            self.push_end(end)?;
        }
        self.reserve_values(end)?;
        let mut from = at;
        let mut start = first;
        for end in &self.offsets[first_offset..] {
            let end = end.as_usize();
            append(&mut self.values, page, from + LENGTH_BYTES, end - start);
            from += LENGTH_BYTES + end - start;
            start = end;
        }
        if Self::is_text() {
            check_text(&self.values[first..])?;
        }
        Ok(next)
    }

    pub fn entry_count(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Add values of the dictionary to the batch.
    pub fn append_entries(&mut self, indices: &[u32]) -> Result<()> {
        self.reserve_ends(indices.len())?;
        self.gather(indices)
    }

    /// The indices that are left of the page.
    pub fn take_indices(&mut self) -> Option<Runs> {
        match std::mem::replace(&mut self.page, Encoded::NONE) {
            Encoded::Indices(runs) => Some(runs),
            Encoded::Plain { .. } => None,
        }
    }

    /// The values of the dictionary with these indices.
    fn gather(&mut self, indices: &[u32]) -> Result<()> {
        let mut end = self.values.len();
        for &index in indices {
            let at = index as usize;
            let [start, next] = self.starts.get(at..at + 2).ok_or_else(|| no_entry(index))? else {
                return Err(no_entry(index));
            };
            end += (next - start) as usize - LENGTH_BYTES;
            self.push_end(end)?;
        }
        self.reserve_values(end)?;
        for &index in indices {
            let (start, next) = (self.starts[index as usize], self.starts[index as usize + 1]);
            let size = (next - start) as usize - LENGTH_BYTES;
            append(&mut self.values, &self.dictionary, start as usize, size);
        }
        Ok(())
    }
}

impl<T: ByteArrayType> Values for Strings<T> {
    fn set_dictionary(&mut self, page: Bytes, count: usize) -> Result<()> {
        // The old one first: its memory serves the new one.
        self.starts = Vec::new();
        self.dictionary = Bytes::new();
        if count > page.len() / LENGTH_BYTES {
            return Err(Error::corrupt("the values of a dictionary end early"));
        }
        let mut starts = Vec::with_capacity(count + 1);
        let mut text = Vec::new();
        let mut at = LENGTH_BYTES;
        starts.push(at as u32);
        for _ in 0..count {
            let value = plain_value(&page, at - LENGTH_BYTES)?;
            if Self::is_text() {
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
            starts.push(u32::try_from(at).map_err(|_| Error::limit("a dictionary of more than 4 GiB"))?);
        }
        check_text(&text)?;
        self.dictionary = page;
        self.starts = starts;
        Ok(())
    }

    fn begin_page(&mut self, values: Encoded) {
        self.page = values;
    }

    fn read(&mut self, count: usize) -> Result<()> {
        self.reserve_ends(count)?;
        let mut page = std::mem::replace(&mut self.page, Encoded::NONE);
        match &mut page {
            Encoded::Plain { bytes, at } => *at = self.read_plain(bytes, *at, count)?,
            Encoded::Indices(runs) => runs.each_part(count, |indices| self.gather(indices))?,
        }
        self.page = page;
        Ok(())
    }

    fn skip(&mut self, count: usize) -> Result<()> {
        match &mut self.page {
            Encoded::Plain { bytes, at } => {
                for _ in 0..count {
                    *at += LENGTH_BYTES + plain_value(bytes, *at)?.len();
                }
                Ok(())
            }
            Encoded::Indices(runs) => runs.skip(count),
        }
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        self.reserve_ends(0)?;
        let mut offsets = std::mem::take(&mut self.offsets);
        if let Some(nulls) = &nulls {
            let mut ends = offsets.into_iter();
            let mut end = ends.next().unwrap_or_default();
            let mut spaced = Vec::with_capacity(nulls.len() + 1);
            spaced.push(end);
            for valid in nulls {
                if valid {
                    end = ends.next().ok_or_else(short)?;
                }
                spaced.push(end);
            }
            offsets = spaced;
        }
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        let values = std::mem::take(&mut self.values);
        self.batch_bytes = values.len();
        let values = Buffer::from_vec(values);
        // SAFETY: offsets grow from zero to the length of the values. Of text, each value was checked not to
        // begin within a character, and all values together, or the dictionary that they are from, to be
        // valid UTF-8.
        Ok(Arc::new(unsafe { GenericByteArray::<T>::new_unchecked(offsets, values, nulls) }))
    }
}

/// Entries of a dictionary are checked about so many bytes at a time.
const CHECKED_BYTES: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{BinaryType, Utf8Type};
    use parquet::basic::Encoding;

    use super::*;
    use crate::error::Kind;

    fn plain<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Bytes {
        let with_length = |value: &'a [u8]| [&(value.len() as u32).to_le_bytes(), value].concat();
        values.into_iter().flat_map(with_length).collect::<Vec<_>>().into()
    }

    /// The values of a page with these, and of a page that refers to a dictionary with these.
    fn both_ways<T: ByteArrayType>(values: &[&[u8]]) -> [Result<ArrayRef>; 2] {
        let page = plain(values.iter().copied());
        let mut direct = Strings::<T>::new();
        direct.begin_page(Encoded::new(Encoding::PLAIN, page.clone()).unwrap());
        let mut referred = Strings::<T>::new();
        let dictionary = referred.set_dictionary(page, values.len());
        let indices: Vec<u32> = (0..values.len() as u32).collect();
        let runs = [vec![16], crate::encoding::hybrid::encode(&indices, 16)].concat();
        referred.begin_page(Encoded::new(Encoding::RLE_DICTIONARY, runs.into()).unwrap());
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
            let mut strings = Strings::<Utf8Type>::new();
            strings.begin_page(Encoded::new(Encoding::PLAIN, page.clone().into()).unwrap());
            assert_eq!(strings.read(1).unwrap_err().kind, Kind::Corrupt);
            assert_eq!(strings.set_dictionary(page.into(), 1).unwrap_err().kind, Kind::Corrupt);
        }
        let mut strings = Strings::<Utf8Type>::new();
        strings.set_dictionary(plain([&b"a"[..]]), 1).unwrap();
        for index in [1, u8::MAX] {
            let runs = vec![8, 2, index];
            strings.begin_page(Encoded::new(Encoding::RLE_DICTIONARY, runs.into()).unwrap());
            assert_eq!(strings.read(1).unwrap_err().kind, Kind::Corrupt);
        }
    }
}
