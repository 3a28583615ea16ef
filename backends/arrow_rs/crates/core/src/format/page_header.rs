//! The header in front of every page, read and checked by ourselves so that nothing is allocated on its word.

use parquet::basic::Encoding;

use crate::format::thrift::{Reader, Step, Stop, kind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageHeader {
    pub compressed_bytes: usize,
    pub uncompressed_bytes: usize,
    pub crc: Option<u32>,
    pub body: Body,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    Data {
        values: u32,
        encoding: Encoding,
        def_levels: Encoding,
        rep_levels: Encoding,
    },
    DataV2 {
        values: u32,
        /// None where the writer did not know.
        nulls: Option<u32>,
        rows: u32,
        encoding: Encoding,
        def_bytes: u32,
        rep_bytes: u32,
        compressed: bool,
    },
    Dictionary {
        values: u32,
        encoding: Encoding,
        sorted: bool,
    },
    /// An index page or a type of the future: to be stepped over.
    Other,
}

impl Body {
    pub fn is_data(&self) -> bool {
        matches!(self, Self::Data { .. } | Self::DataV2 { .. })
    }

    /// Values of a data page, nulls among them; 0 of others.
    pub fn data_values(&self) -> u32 {
        match *self {
            Self::Data { values, .. } | Self::DataV2 { values, .. } => values,
            Self::Dictionary { .. } | Self::Other => 0,
        }
    }
}

impl PageHeader {
    /// The header at the start of `bytes` and its length. `Stop::More` asks for more bytes.
    pub fn parse(bytes: &[u8]) -> Step<(Self, usize)> {
        let mut reader = Reader::new(bytes);
        let (mut page_type, mut compressed, mut uncompressed, mut crc) = (None, None, None, None);
        let (mut data, mut data_v2, mut dictionary) = (None, None, None);
        let mut last = 0;
        while let Some((id, wire)) = reader.field(&mut last)? {
            match (id, wire) {
                (1, kind::I32) => page_type = Some(reader.i32()?),
                (2, kind::I32) => uncompressed = Some(size(&mut reader)?),
                (3, kind::I32) => compressed = Some(size(&mut reader)?),
                // A checksum is any 32 bits; the sign means nothing.
                (4, kind::I32) => crc = Some(reader.i32()?.cast_unsigned()),
                (5, kind::STRUCT) => data = Some(read_data(&mut reader)?),
                (7, kind::STRUCT) => dictionary = Some(read_dictionary(&mut reader)?),
                (8, kind::STRUCT) => data_v2 = Some(read_data_v2(&mut reader)?),
                _ => reader.skip(wire)?,
            }
        }
        let body = match page_type.ok_or(Stop::Bad("a page header without a type"))? {
            0 => data.ok_or(Stop::Bad("a data page without its header"))?,
            2 => dictionary.ok_or(Stop::Bad("a dictionary page without its header"))?,
            3 => data_v2.ok_or(Stop::Bad("a data page V2 without its header"))?,
            _ => Body::Other,
        };
        let header = Self {
            compressed_bytes: compressed.ok_or(Stop::Bad("a page header without a compressed size"))?,
            uncompressed_bytes: uncompressed.ok_or(Stop::Bad("a page header without a size"))?,
            crc,
            body,
        };
        Ok((header, reader.position()))
    }
}

fn size(reader: &mut Reader<'_>) -> Step<usize> {
    usize::try_from(reader.i32()?).map_err(|_| Stop::Bad("a negative page size"))
}

fn count(reader: &mut Reader<'_>) -> Step<u32> {
    u32::try_from(reader.i32()?).map_err(|_| Stop::Bad("a negative count in a page header"))
}

fn encoding(reader: &mut Reader<'_>) -> Step<Encoding> {
    Ok(match reader.i32()? {
        0 => Encoding::PLAIN,
        2 => Encoding::PLAIN_DICTIONARY,
        3 => Encoding::RLE,
        #[expect(deprecated, reason = "old files have such levels")]
        4 => Encoding::BIT_PACKED,
        5 => Encoding::DELTA_BINARY_PACKED,
        6 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        7 => Encoding::DELTA_BYTE_ARRAY,
        8 => Encoding::RLE_DICTIONARY,
        9 => Encoding::BYTE_STREAM_SPLIT,
        _ => return Err(Stop::Bad("a page of unknown encoding")),
    })
}

const INCOMPLETE: Stop = Stop::Bad("a page header lacks a required field");

fn read_data(reader: &mut Reader<'_>) -> Step<Body> {
    let (mut values, mut values_in, mut def_in, mut rep_in) = (None, None, None, None);
    let mut last = 0;
    while let Some((id, wire)) = reader.field(&mut last)? {
        match (id, wire) {
            (1, kind::I32) => values = Some(count(reader)?),
            (2, kind::I32) => values_in = Some(encoding(reader)?),
            (3, kind::I32) => def_in = Some(encoding(reader)?),
            (4, kind::I32) => rep_in = Some(encoding(reader)?),
            _ => reader.skip(wire)?,
        }
    }
    Ok(Body::Data {
        values: values.ok_or(INCOMPLETE)?,
        encoding: values_in.ok_or(INCOMPLETE)?,
        def_levels: def_in.ok_or(INCOMPLETE)?,
        rep_levels: rep_in.ok_or(INCOMPLETE)?,
    })
}

fn read_dictionary(reader: &mut Reader<'_>) -> Step<Body> {
    let (mut values, mut values_in, mut sorted) = (None, None, false);
    let mut last = 0;
    while let Some((id, wire)) = reader.field(&mut last)? {
        match (id, wire) {
            (1, kind::I32) => values = Some(count(reader)?),
            (2, kind::I32) => values_in = Some(encoding(reader)?),
            (3, kind::TRUE) => sorted = true,
            _ => reader.skip(wire)?,
        }
    }
    Ok(Body::Dictionary { values: values.ok_or(INCOMPLETE)?, encoding: values_in.ok_or(INCOMPLETE)?, sorted })
}

fn read_data_v2(reader: &mut Reader<'_>) -> Step<Body> {
    let (mut values, mut nulls, mut rows, mut values_in) = (None, None, None, None);
    let (mut def_bytes, mut rep_bytes, mut compressed) = (None, None, true);
    let mut last = 0;
    while let Some((id, wire)) = reader.field(&mut last)? {
        match (id, wire) {
            (1, kind::I32) => values = Some(count(reader)?),
            // Some writers state -1 for unknown.
            (2, kind::I32) => nulls = Some(u32::try_from(reader.i32()?).ok()),
            (3, kind::I32) => rows = Some(count(reader)?),
            (4, kind::I32) => values_in = Some(encoding(reader)?),
            (5, kind::I32) => def_bytes = Some(count(reader)?),
            (6, kind::I32) => rep_bytes = Some(count(reader)?),
            (7, kind::FALSE) => compressed = false,
            _ => reader.skip(wire)?,
        }
    }
    Ok(Body::DataV2 {
        values: values.ok_or(INCOMPLETE)?,
        nulls: nulls.ok_or(INCOMPLETE)?,
        rows: rows.ok_or(INCOMPLETE)?,
        encoding: values_in.ok_or(INCOMPLETE)?,
        def_bytes: def_bytes.ok_or(INCOMPLETE)?,
        rep_bytes: rep_bytes.ok_or(INCOMPLETE)?,
        compressed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Data page, 10 bytes, 8 compressed, 3 values, PLAIN with RLE levels.
    const DATA: [u8; 17] = [
        0x15, 0x00, 0x15, 0x14, 0x15, 0x10, 0x2c, 0x15, 0x06, 0x15, 0x00, 0x15, 0x06, 0x15, 0x06, 0x00, 0x00,
    ];

    #[test]
    fn reads_a_data_page_header() {
        let (header, length) = PageHeader::parse(&DATA).unwrap();
        assert_eq!(length, DATA.len());
        assert_eq!((header.uncompressed_bytes, header.compressed_bytes), (10, 8));
        let rle = Encoding::RLE;
        assert_eq!(
            header.body,
            Body::Data { values: 3, encoding: Encoding::PLAIN, def_levels: rle, rep_levels: rle }
        );
    }

    #[test]
    fn every_prefix_asks_for_more() {
        for length in 0..DATA.len() {
            assert_eq!(PageHeader::parse(&DATA[..length]), Err(Stop::More), "{length}");
        }
    }

    #[test]
    fn a_negative_size_is_refused() {
        let mut bytes = DATA;
        bytes[3] = 0x01;
        assert_eq!(PageHeader::parse(&bytes), Err(Stop::Bad("a negative page size")));
    }
}
