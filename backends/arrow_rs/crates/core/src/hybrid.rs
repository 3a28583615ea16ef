//! The run-length and bit-packed hybrid of levels and dictionary indices: taken apart and put together.

use crate::error::{Error, Result};
use crate::thrift::Reader;

/// `count` numbers of `width` bits, or as many as there are.
pub fn decode(bytes: &[u8], width: u32, count: usize) -> Result<Vec<u32>> {
    let short = || Error::corrupt("levels or dictionary indices end early");
    if width > 32 {
        return Err(Error::corrupt(format!("dictionary indices of {width} bits")));
    }
    let mut values = Vec::with_capacity(count);
    let mut at = 0;
    while values.len() < count && at < bytes.len() {
        let mut reader = Reader::new(&bytes[at..]);
        let header = reader.varint().map_err(|_| short())?;
        at += reader.position();
        let wanted = count - values.len();
        if header & 1 == 0 {
            let size = width.div_ceil(8) as usize;
            let repeated = bytes.get(at..at + size).ok_or_else(short)?;
            at += size;
            let value = repeated.iter().rev().fold(0, |value, &byte| (value << 8) | u32::from(byte));
            let run = usize::try_from(header >> 1).unwrap_or(usize::MAX);
            values.resize(values.len() + run.min(wanted), value);
        } else {
            // The last run may be cut short after the values that it really has.
            let groups = usize::try_from(header >> 1).unwrap_or(usize::MAX);
            let claimed = groups.saturating_mul(width as usize);
            let packed = &bytes[at..at.saturating_add(claimed).min(bytes.len())];
            at += packed.len();
            let present =
                if width == 0 { groups.saturating_mul(8) } else { packed.len() * 8 / width as usize };
            values.extend((0..wanted.min(present)).map(|index| unpack(packed, index, width)));
        }
    }
    Ok(values)
}

fn unpack(packed: &[u8], index: usize, width: u32) -> u32 {
    let first = index * width as usize;
    let mut word = 0_u64;
    for (place, byte) in packed[first / 8..].iter().take(5).enumerate() {
        word |= u64::from(*byte) << (8 * place);
    }
    ((word >> (first % 8)) & ((1 << width) - 1)) as u32
}

/// The numbers as one run: repeated where they are all the same, otherwise bit-packed.
pub fn encode(values: &[u32], width: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Some(&first) = values.first() else { return bytes };
    if values.iter().all(|&value| value == first) {
        put_varint(&mut bytes, (values.len() as u64) << 1);
        bytes.extend(&first.to_le_bytes()[..width.div_ceil(8) as usize]);
        return bytes;
    }
    let groups = values.len().div_ceil(8);
    put_varint(&mut bytes, (groups as u64) << 1 | 1);
    let start = bytes.len();
    bytes.resize(start + groups * width as usize, 0);
    for (index, &value) in values.iter().enumerate() {
        let bit = index * width as usize;
        let shifted = u64::from(value) << (bit % 8);
        for (place, byte) in bytes[start + bit / 8..].iter_mut().take(5).enumerate() {
            *byte |= (shifted >> (8 * place)) as u8;
        }
    }
    bytes
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Random;

    #[test]
    fn what_is_encoded_is_decoded() {
        let mut random = Random::new(&[5]);
        for width in 1..=32_u32 {
            let mask = u32::MAX >> (32 - width);
            let values: Vec<u32> = (0..77).map(|_| random.next() as u32 & mask).collect();
            assert_eq!(decode(&encode(&values, width), width, 77).unwrap(), values, "{width}");
            let same = vec![mask; 1000];
            assert_eq!(decode(&encode(&same, width), width, 1000).unwrap(), same, "{width}");
        }
    }

    #[test]
    fn runs_longer_than_asked_are_cut() {
        assert_eq!(decode(&[0xfe, 0xff, 0xff, 0xff, 0x0f, 1], 1, 3).unwrap(), [1, 1, 1]);
    }

    #[test]
    fn a_run_without_its_value_is_corrupt() {
        assert!(decode(&[0x08], 8, 4).is_err());
        assert!(decode(&[0x08, 1], 33, 4).is_err());
    }
}
