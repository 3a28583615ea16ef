//! A data page taken apart into its levels and its values.

use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::Page;

use crate::encoding::hybrid::Runs;
use crate::encoding::levels::{Highest, LENGTH_BYTES, declared, width};
use crate::encoding::unexpected;
use crate::error::{Error, Result};

pub struct DataPage {
    /// Values, nulls among them.
    pub count: usize,
    /// Levels, where the column has any.
    pub repetition: Option<Runs>,
    pub definition: Option<Runs>,
    pub encoding: Encoding,
    pub values: Bytes,
    /// Whether the page says so itself that its first value is the first of a row.
    pub begins_row: bool,
}

pub fn dictionary_is_plain(encoding: Encoding) -> Result<()> {
    match encoding {
        Encoding::PLAIN | Encoding::PLAIN_DICTIONARY => Ok(()),
        other => Err(unexpected(other)),
    }
}

impl DataPage {
    pub fn new(page: Page, highest: Highest) -> Result<Self> {
        match page {
            Page::DataPage { buf, num_values, encoding, def_level_encoding, rep_level_encoding, .. } => {
                let mut rest = buf;
                let mut levels = |max: i16, encoding: Encoding| {
                    if max == 0 {
                        return Ok(None);
                    }
                    if encoding != Encoding::RLE {
                        return Err(unexpected(encoding));
                    }
                    let size = declared(&rest, 0)?;
                    split(&mut rest, LENGTH_BYTES)?;
                    Runs::new(split(&mut rest, size)?, width(max)).map(Some)
                };
                let repetition = levels(highest.repetition, rep_level_encoding)?;
                let definition = levels(highest.definition, def_level_encoding)?;
                Ok(Self {
                    count: num_values as usize,
                    repetition,
                    definition,
                    encoding,
                    values: rest,
                    begins_row: false,
                })
            }
            Page::DataPageV2 {
                buf, num_values, encoding, def_levels_byte_len, rep_levels_byte_len, ..
            } => {
                let mut rest = buf;
                let mut levels = |max: i16, size: u32| {
                    let stream = split(&mut rest, size as usize)?;
                    (max > 0).then(|| Runs::new(stream, width(max))).transpose()
                };
                let repetition = levels(highest.repetition, rep_levels_byte_len)?;
                let definition = levels(highest.definition, def_levels_byte_len)?;
                Ok(Self {
                    count: num_values as usize,
                    repetition,
                    definition,
                    encoding,
                    values: rest,
                    begins_row: true,
                })
            }
            Page::DictionaryPage { .. } => Err(Error::corrupt("a dictionary where values were promised")),
        }
    }
}

/// The first `size` bytes, which `rest` then is without.
fn split(rest: &mut Bytes, size: usize) -> Result<Bytes> {
    if size > rest.len() {
        return Err(larger());
    }
    Ok(rest.split_to(size))
}

fn larger() -> Error {
    Error::corrupt("a page's levels are larger than the page")
}
