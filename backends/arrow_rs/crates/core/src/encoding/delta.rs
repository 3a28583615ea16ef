//! Lengths inside delta-encoded values, checked before a decoder believes them.
//!
//! A delta stream declares how many values it has, and strings are rebuilt from lengths: a few bytes can
//! claim gigabytes. The other encodings cannot claim more than the page holds.

use parquet::basic::Encoding;

use crate::error::{Error, Result};
use crate::format::thrift::{Reader, Stop};
use crate::memory::size::in_memory;

pub fn is_delta(encoding: Encoding) -> bool {
    matches!(
        encoding,
        Encoding::DELTA_BINARY_PACKED | Encoding::DELTA_LENGTH_BYTE_ARRAY | Encoding::DELTA_BYTE_ARRAY
    )
}

/// Check the values of a page, `bytes`, which declares at most `count` of them, each of `width` bytes where
/// the column has a fixed one.
pub fn check(encoding: Encoding, width: Option<u64>, bytes: &[u8], count: usize, limit: usize) -> Result<()> {
    match encoding {
        Encoding::DELTA_BINARY_PACKED => delta_header(&mut Reader::new(bytes), count).map(drop),
        Encoding::DELTA_LENGTH_BYTE_ARRAY => {
            let (lengths, used) = delta_values(bytes, count)?;
            let total = total(lengths.iter().map(|&length| (0, length)))?;
            if total > (bytes.len() - used) as u64 {
                return Err(Error::corrupt("strings are longer than their page"));
            }
            Ok(())
        }
        Encoding::DELTA_BYTE_ARRAY => {
            let (prefixes, used) = delta_values(bytes, count)?;
            let (suffixes, used_again) = delta_values(&bytes[used..], count)?;
            if prefixes.len() != suffixes.len() {
                return Err(Error::corrupt("prefixes and suffixes of strings differ in number"));
            }
            let stored = total(suffixes.iter().map(|&suffix| (0, suffix)))?;
            if stored > (bytes.len() - used - used_again) as u64 {
                return Err(Error::corrupt("strings are longer than their page"));
            }
            let mut before = 0;
            for (&prefix, &suffix) in prefixes.iter().zip(&suffixes) {
                if i64::from(prefix) > before {
                    return Err(Error::corrupt("a string repeats more of the one before than that has"));
                }
                before = i64::from(prefix) + i64::from(suffix);
                // Decoders reserve by the schema's width, not by what is here.
                if let Some(width) = width.filter(|&width| before.cast_unsigned() != width) {
                    return Err(Error::corrupt(format!("a value of {before} bytes in a column of {width}")));
                }
            }
            let rebuilt = total(prefixes.into_iter().zip(suffixes))?;
            if rebuilt > limit as u64 {
                return Err(Error::limit(format!(
                    "the strings of one page take {rebuilt} bytes, more than max_page_bytes={limit}"
                )));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn total(parts: impl Iterator<Item = (i32, i32)>) -> Result<u64> {
    let mut total = 0_u64;
    for (prefix, suffix) in parts {
        let pair = u64::try_from(prefix).and_then(|prefix| Ok((prefix, u64::try_from(suffix)?)));
        let (prefix, suffix) = pair.map_err(|_| Error::corrupt("a string of negative length"))?;
        total = total.saturating_add(prefix + suffix);
    }
    Ok(total)
}

struct Header {
    miniblocks: usize,
    per_miniblock: usize,
    total: usize,
    first: i64,
}

/// Values of a block: writers use 128; this is far beyond any of them.
const MAX_BLOCK: u64 = 1 << 20;

fn delta_header(reader: &mut Reader<'_>, count: usize) -> Result<Header> {
    let read = |reader: &mut Reader<'_>| -> std::result::Result<_, Stop> {
        Ok((reader.varint()?, reader.varint()?, reader.varint()?, reader.integer()?))
    };
    let (block, miniblocks, total, first) =
        read(reader).map_err(|_| Error::corrupt("a delta header ends early"))?;
    let sound = miniblocks > 0 && block <= MAX_BLOCK && block % 128 == 0 && block % miniblocks == 0;
    let per_miniblock = if sound { block / miniblocks } else { 0 };
    if per_miniblock == 0 || per_miniblock % 32 != 0 {
        return Err(Error::corrupt(format!("delta blocks of {block} values in {miniblocks} parts")));
    }
    if total > count as u64 {
        return Err(Error::corrupt(format!("a delta stream of {total} values in a page of {count}")));
    }
    Ok(Header {
        miniblocks: in_memory(miniblocks),
        per_miniblock: in_memory(per_miniblock),
        total: in_memory(total),
        first,
    })
}

/// Plain values for a stream of 32-bit deltas that arrow-rs would not read or skip over: numbers beyond 32 bits, which
/// wrap around (duckdb writes so), and equal steps, which it takes all at once, whose sum is beyond although every
/// value is within. None for all other streams.
pub fn as_plain(bytes: &[u8], count: usize) -> Result<Option<Vec<u8>>> {
    if !has_far_steps(bytes, count)? {
        return Ok(None);
    }
    let (values, _) = delta_values(bytes, count)?;
    Ok(Some(values.into_iter().flat_map(i32::to_le_bytes).collect()))
}

fn has_far_steps(bytes: &[u8], count: usize) -> Result<bool> {
    let short = || Error::corrupt("a delta stream ends early");
    let mut reader = Reader::new(bytes);
    let header = delta_header(&mut reader, count)?;
    let is_far = |number: i64| i32::try_from(number).is_err();
    if is_far(header.first) {
        return Ok(true);
    }
    let (mut at, mut left) = (reader.position(), header.total.saturating_sub(1));
    while left > 0 {
        let mut reader = Reader::new(&bytes[at..]);
        let step = reader.integer().map_err(|_| short())?;
        if is_far(step) {
            return Ok(true);
        }
        at += reader.position();
        let widths = bytes.get(at..at + header.miniblocks).ok_or_else(short)?;
        at += header.miniblocks;
        for &width in widths {
            let taken = left.min(header.per_miniblock);
            if taken == 0 {
                break;
            }
            let steps = step.saturating_mul(i64::try_from(taken).unwrap_or(i64::MAX));
            if width > 32 || width == 0 && is_far(steps) {
                return Ok(true);
            }
            at = at.saturating_add(usize::from(width) * header.per_miniblock / 8);
            left -= taken;
        }
        if at > bytes.len() {
            // Where the values end the decoder says so.
            return Ok(false);
        }
    }
    Ok(false)
}

/// All values of a stream of 32-bit deltas, and how many bytes it takes.
fn delta_values(bytes: &[u8], count: usize) -> Result<(Vec<i32>, usize)> {
    let short = || Error::corrupt("a delta stream ends early");
    let mut reader = Reader::new(bytes);
    let header = delta_header(&mut reader, count)?;
    let mut values = Vec::with_capacity(header.total);
    let mut value = wrapped(header.first);
    if header.total > 0 {
        values.push(value);
    }
    let mut at = reader.position();
    while values.len() < header.total {
        let mut reader = Reader::new(&bytes[at..]);
        let smallest = reader.integer().map_err(|_| short())?;
        at += reader.position();
        let widths = bytes.get(at..at + header.miniblocks).ok_or_else(short)?;
        at += header.miniblocks;
        for &width in widths {
            if values.len() == header.total {
                // Widths of parts that hold nothing are arbitrary, and no bytes follow for them.
                break;
            }
            if width > 64 {
                return Err(Error::corrupt(format!("deltas of {width} bits")));
            }
            let size = usize::from(width) * header.per_miniblock / 8;
            let packed = bytes.get(at..at + size).ok_or_else(short)?;
            at += size;
            for index in 0..header.per_miniblock.min(header.total - values.len()) {
                let delta = unpack(packed, index * usize::from(width), width);
                value = value.wrapping_add(wrapped(smallest.wrapping_add(delta.cast_signed())));
                values.push(value);
            }
        }
    }
    Ok((values, at))
}

/// Deltas of 32-bit values may be written with more bits, and wrap around.
#[expect(clippy::cast_possible_truncation, reason = "the lowest 32 bits are what is meant")]
fn wrapped(value: i64) -> i32 {
    value as i32
}

/// `width` bits from bit `from` on, least significant first.
fn unpack(packed: &[u8], from: usize, width: u8) -> u64 {
    (0..usize::from(width)).fold(0, |value, bit| {
        let at = from + bit;
        value | (u64::from(packed[at / 8] >> (at % 8) & 1) << bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Block 128, 4 parts, 3 values, first 5, smallest delta 1, widths 0.
    const LENGTHS: [u8; 10] = [0x80, 0x01, 0x04, 0x03, 0x0a, 0x02, 0, 0, 0, 0];

    #[test]
    fn reads_a_delta_stream() {
        assert_eq!(delta_values(&LENGTHS, 3).unwrap(), (vec![5, 6, 7], 10));
    }

    #[test]
    fn equal_steps_beyond_32_bits_are_made_plain() {
        assert_eq!(as_plain(&LENGTHS, 3).unwrap(), None);
        // 5 values from -2^31 on, in steps of 2^30: the last but one is within 32 bits, four steps are not.
        let mut bytes = vec![0x80, 0x01, 0x04, 0x04];
        for number in [-(1_i64 << 31), 1 << 30] {
            let mut raw = (number << 1 ^ number >> 63) as u64;
            while raw >= 0x80 {
                bytes.push(raw as u8 | 0x80);
                raw >>= 7;
            }
            bytes.push(raw as u8);
        }
        bytes.extend([0; 4]);
        let plain = as_plain(&bytes, 4).unwrap().unwrap();
        let expected = [-(1_i64 << 31), -(1 << 30), 0, 1 << 30].map(|value| (value as i32).to_le_bytes());
        assert_eq!(plain, expected.concat());
    }

    #[test]
    fn numbers_beyond_32_bits_are_made_plain() {
        let zigzag = |number: i64, bytes: &mut Vec<u8>| {
            let mut raw = (number << 1 ^ number >> 63) as u64;
            while raw >= 0x80 {
                bytes.push(raw as u8 | 0x80);
                raw >>= 7;
            }
            bytes.push(raw as u8);
        };
        // From 0 to 2^32 - 1 and back: steps of 33 bits.
        let mut bytes = vec![0x80, 0x01, 0x04, 0x03];
        zigzag(0, &mut bytes);
        zigzag(-(1 << 32) + 1, &mut bytes);
        bytes.extend([33, 0, 0, 0]);
        let mut packed = [0; 132];
        packed[..5].copy_from_slice(&(2 * ((1_u64 << 32) - 1)).to_le_bytes()[..5]);
        bytes.extend(packed);
        let plain = as_plain(&bytes, 3).unwrap().unwrap();
        assert_eq!(plain, [0_i32, -1, 0].map(i32::to_le_bytes).concat());
        // And a first value of so many.
        let mut bytes = vec![0x80, 0x01, 0x04, 0x01];
        zigzag((1 << 32) - 1, &mut bytes);
        assert_eq!(as_plain(&bytes, 1).unwrap().unwrap(), (-1_i32).to_le_bytes());
    }

    #[test]
    fn strings_must_fit_their_page() {
        let mut page = LENGTHS.to_vec();
        page.extend([b'x'; 18]);
        let encoding = Encoding::DELTA_LENGTH_BYTE_ARRAY;
        check(encoding, None, &page, 3, 1000).unwrap();
        assert!(check(encoding, None, &page[..27], 3, 1000).is_err());
        assert!(check(encoding, None, &page, 2, 1000).is_err());
    }

    #[test]
    fn a_prefix_cannot_exceed_the_string_before() {
        // Prefixes 5, 6, 7 of strings that have nothing before them.
        let page = [LENGTHS.as_slice(), &LENGTHS, &[b'x'; 18]].concat();
        let error = check(Encoding::DELTA_BYTE_ARRAY, None, &page, 3, 1000).unwrap_err();
        assert!(error.message.contains("repeats more"), "{error}");
    }

    #[test]
    fn a_value_has_the_width_of_its_column() {
        // Two strings without prefixes, of 2 and 3 bytes.
        let stream = |first: i64, step: i64| {
            let mut bytes = vec![128, 1, 4, 2];
            for number in [first, step] {
                bytes.push(((number << 1) ^ (number >> 63)) as u8);
            }
            bytes.extend([0; 4]);
            bytes
        };
        let page = |step| [stream(0, 0), stream(2, step), b"aabbb".to_vec()].concat();
        let check = |page: &[u8], width| check(Encoding::DELTA_BYTE_ARRAY, width, page, 2, 1000);
        check(&page(1), None).unwrap();
        check(&page(0), Some(2)).unwrap();
        let error = check(&page(1), Some(2)).unwrap_err();
        assert!(error.message.contains("3 bytes in a column of 2"), "{error}");
        assert!(check(&page(0), Some(i32::MAX as u64)).is_err());
    }
}
