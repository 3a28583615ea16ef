//! The little of Thrift's compact protocol that is needed to look before leaping.
//!
//! Parquet's footer and page headers are Thrift. A declared list length or byte count is believed by most
//! readers before a single element was seen; here every length is checked against the bytes that are there.

use crate::error::Error;

/// Why a value could not be read.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// The bytes end inside the value.
    More,
    /// No continuation can make this valid.
    Bad(&'static str),
}

impl From<Stop> for Error {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::More => Error::corrupt("a Thrift structure ends early"),
            Stop::Bad(reason) => Error::corrupt(format!("invalid Thrift structure: {reason}")),
        }
    }
}

pub type Step<T> = Result<T, Stop>;

/// Wire types of the compact protocol.
pub mod kind {
    pub const TRUE: u8 = 1;
    pub const FALSE: u8 = 2;
    pub const BYTE: u8 = 3;
    pub const I16: u8 = 4;
    pub const I32: u8 = 5;
    pub const I64: u8 = 6;
    pub const DOUBLE: u8 = 7;
    pub const BINARY: u8 = 8;
    pub const LIST: u8 = 9;
    pub const SET: u8 = 10;
    pub const MAP: u8 = 11;
    pub const STRUCT: u8 = 12;
    pub const UUID: u8 = 13;
}

/// Parquet's own structures nest less than ten deep.
pub const MAX_DEPTH: u32 = 32;

pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub fn position(&self) -> usize {
        self.at
    }

    /// What is still to come.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// What was read since `start`.
    pub fn since(&self, start: usize) -> &'a [u8] {
        &self.bytes[start..self.at]
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn byte(&mut self) -> Step<u8> {
        let byte = *self.bytes.get(self.at).ok_or(Stop::More)?;
        self.at += 1;
        Ok(byte)
    }

    fn advance(&mut self, count: usize) -> Step<()> {
        if count > self.left() {
            return Err(Stop::More);
        }
        self.at += count;
        Ok(())
    }

    pub fn varint(&mut self) -> Step<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Stop::Bad("an integer of more than 64 bits"))
    }

    pub fn integer(&mut self) -> Step<i64> {
        let raw = self.varint()?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    pub fn i32(&mut self) -> Step<i32> {
        i32::try_from(self.integer()?).map_err(|_| Stop::Bad("a 32-bit integer out of range"))
    }

    fn length(&mut self) -> Step<usize> {
        usize::try_from(self.varint()?).map_err(|_| Stop::Bad("a length of more than the address space"))
    }

    pub fn binary(&mut self) -> Step<&'a [u8]> {
        let length = self.length()?;
        let start = self.at;
        self.advance(length)?;
        Ok(&self.bytes[start..start + length])
    }

    /// The next field's id and wire type, or None at the end of the structure. `last` is the id before it.
    pub fn field(&mut self, last: &mut i16) -> Step<Option<(i16, u8)>> {
        let byte = self.byte()?;
        let wire = byte & 0x0f;
        if wire == 0 {
            return Ok(None);
        }
        let delta = i16::from(byte >> 4);
        let id = if delta == 0 {
            i16::try_from(self.integer()?).map_err(|_| Stop::Bad("a field id out of range"))?
        } else {
            last.checked_add(delta).ok_or(Stop::Bad("a field id out of range"))?
        };
        *last = id;
        Ok(Some((id, wire)))
    }

    /// Element type and count of a list, which can hold no more elements than there are bytes.
    pub fn list(&mut self) -> Step<(u8, usize)> {
        let byte = self.byte()?;
        let short = usize::from(byte >> 4);
        let count = if short == 15 { self.length()? } else { short };
        if count > self.left() {
            return Err(Stop::More);
        }
        Ok((byte & 0x0f, count))
    }

    /// A list of at most `most` elements of one type, each read by `read`.
    pub fn elements<T>(
        &mut self,
        wanted: u8,
        most: usize,
        read: impl Fn(&mut Self) -> Step<T>,
    ) -> Step<Vec<T>> {
        let (element, count) = self.list()?;
        // Some writers give an empty list no type.
        if count > 0 && element != wanted {
            return Err(Stop::Bad("a list of another type than the format's"));
        }
        if count > most {
            return Err(Stop::Bad("a list of more elements than there can be"));
        }
        // It grows as elements are seen, not on the word of their count.
        let mut elements = Vec::new();
        for _ in 0..count {
            elements.push(read(self)?);
        }
        Ok(elements)
    }

    /// A list of at most `most` truth values.
    pub fn booleans(&mut self, most: usize) -> Step<Vec<bool>> {
        let truth = |reader: &mut Self| match reader.byte()? {
            kind::TRUE => Ok(true),
            // Some writers follow an early version of the protocol.
            0 | kind::FALSE => Ok(false),
            _ => Err(Stop::Bad("a truth value that is none")),
        };
        // Either type stands for both values.
        let wanted = match self.bytes.get(self.at) {
            Some(head) if head & 0x0f == kind::FALSE => kind::FALSE,
            _ => kind::TRUE,
        };
        self.elements(wanted, most, truth)
    }

    /// Walk over a value of a field.
    pub fn skip(&mut self, wire: u8) -> Step<()> {
        self.skip_at(wire, 0, false)
    }

    /// Walk over an element of a list.
    pub fn skip_element(&mut self, wire: u8) -> Step<()> {
        self.skip_at(wire, 0, true)
    }

    fn skip_at(&mut self, wire: u8, depth: u32, in_list: bool) -> Step<()> {
        if depth > MAX_DEPTH {
            return Err(Stop::Bad("nested too deep"));
        }
        match wire {
            // A boolean field's value is in its type; in a list it takes a byte.
            kind::TRUE | kind::FALSE if !in_list => Ok(()),
            kind::TRUE | kind::FALSE | kind::BYTE => self.advance(1),
            kind::I16 | kind::I32 | kind::I64 => self.varint().map(drop),
            kind::DOUBLE => self.advance(8),
            kind::UUID => self.advance(16),
            kind::BINARY => self.binary().map(drop),
            kind::LIST | kind::SET => {
                let (element, count) = self.list()?;
                (0..count).try_for_each(|_| self.skip_at(element, depth + 1, true))
            }
            kind::MAP => {
                let count = self.length()?;
                if count == 0 {
                    return Ok(());
                }
                if count > self.left() {
                    return Err(Stop::More);
                }
                let types = self.byte()?;
                (0..count).try_for_each(|_| {
                    self.skip_at(types >> 4, depth + 1, true)?;
                    self.skip_at(types & 0x0f, depth + 1, true)
                })
            }
            kind::STRUCT => {
                let mut last = 0;
                while let Some((_, wire)) = self.field(&mut last)? {
                    self.skip_at(wire, depth + 1, false)?;
                }
                Ok(())
            }
            _ => Err(Stop::Bad("an unknown type")),
        }
    }
}

/// Structures written as `Reader` reads them.
#[derive(Default)]
pub struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    pub fn varint(&mut self, mut value: u64) {
        loop {
            let [low, ..] = value.to_le_bytes();
            value >>= 7;
            if value == 0 {
                return self.bytes.push(low & 0x7f);
            }
            self.bytes.push(low | 0x80);
        }
    }

    pub fn integer(&mut self, value: i64) {
        self.varint((value << 1 ^ value >> 63).cast_unsigned());
    }

    /// A field's head. `last` is the id of the one before.
    pub fn field(&mut self, last: &mut i16, id: i16, wire: u8) {
        match id.checked_sub(*last).and_then(|delta| u8::try_from(delta).ok()) {
            Some(delta @ 1..=15) => self.bytes.push(delta << 4 | wire),
            _ => {
                self.bytes.push(wire);
                self.integer(id.into());
            }
        }
        *last = id;
    }

    pub fn list(&mut self, wire: u8, count: usize) {
        match u8::try_from(count) {
            Ok(count @ 0..15) => self.bytes.push(count << 4 | wire),
            _ => {
                self.bytes.push(0xf0 | wire);
                self.varint(count as u64);
            }
        }
    }

    pub fn end(&mut self) {
        self.bytes.push(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_cannot_claim_more_elements_than_bytes() {
        // A list of 2^28 structures in six bytes.
        let mut reader = Reader::new(&[0xfc, 0x80, 0x80, 0x80, 0x80, 0x01]);
        assert_eq!(reader.skip(kind::LIST), Err(Stop::More));
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = [0x1c; 100_000];
        assert_eq!(Reader::new(&deep).skip(kind::STRUCT), Err(Stop::Bad("nested too deep")));
    }

    #[test]
    fn zigzag_integers() {
        assert_eq!(Reader::new(&[0x01]).integer(), Ok(-1));
        assert_eq!(Reader::new(&[0xac, 0x02]).integer(), Ok(150));
        assert_eq!(Reader::new(&[0x80]).integer(), Err(Stop::More));
    }
}
