//! A column without nesting, from its pages straight into batches.
//!
//! arrow-rs decodes every column. This decodes the common ones, numbers and strings that are plain or in a
//! dictionary, with less memory and work: a page is let go before the next is decompressed, a dictionary is
//! used where it lies in its page and let go when the writer gave it up, and the memory of a batch is
//! reserved once, to its size.

mod fixed;
mod strings;

use std::collections::{TryReserveError, VecDeque};
use std::ops::Range;

use arrow_array::ArrayRef;
use arrow_array::types::{
    BinaryType, Date32Type, Float32Type, Float64Type, Int32Type, Int64Type, LargeBinaryType, LargeUtf8Type,
    UInt32Type, UInt64Type, Utf8Type,
};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
use bytes::Bytes;
use parquet::basic::{Encoding, Type};
use parquet::column::page::Page;
use parquet::file::metadata::ParquetMetaData;

use self::fixed::Fixed;
use self::strings::Strings;
use crate::boundary::{Neighbours, Span};
use crate::chunks::{LeafChunks, Visit};
use crate::error::{Error, Result};
use crate::pages::ChunkPages;
use crate::plan::Piece;
use crate::runs::{Runs, Validity};

/// Values of one type, decoded one after another without gaps for nulls.
trait Values: Send {
    /// `count` plain values that indices refer to from now on.
    fn set_dictionary(&mut self, page: Bytes, count: usize) -> Result<()>;
    /// A page's values.
    fn begin_page(&mut self, values: Encoded);
    fn read(&mut self, count: usize) -> Result<()>;
    fn skip(&mut self, count: usize) -> Result<()>;
    /// All that was read since the last time.
    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef>;
}

/// The values of a page that are still to come.
enum Encoded {
    Plain { bytes: Bytes, at: usize },
    Indices(Runs),
}

impl Encoded {
    const NONE: Self = Self::Plain { bytes: Bytes::new(), at: 0 };

    fn new(encoding: Encoding, bytes: Bytes) -> Result<Self> {
        match encoding {
            Encoding::PLAIN => Ok(Self::Plain { bytes, at: 0 }),
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY => {
                // A page of nulls may be empty.
                let width = bytes.first().copied().unwrap_or(0);
                let runs = bytes.slice(bytes.len().min(1)..);
                Ok(Self::Indices(Runs::new(runs, width.into())?))
            }
            other => Err(unexpected(other)),
        }
    }
}

/// Indices are decoded so many at a time, into memory on the stack.
const INDICES: usize = 512;

fn short() -> Error {
    Error::corrupt("the values of a page end early")
}

fn unexpected(encoding: Encoding) -> Error {
    Error::corrupt(format!("a page with {encoding}, which the footer does not list"))
}

fn no_entry(index: u32) -> Error {
    Error::corrupt(format!("index {index} is beyond the dictionary"))
}

fn no_memory(_: TryReserveError) -> Error {
    Error::limit("no memory for the values of a batch")
}

/// The leaf that holds all of a top-level column, if this module decodes it.
///
/// What the footer lists as encodings decides, over all row groups that are read.
pub fn leaf(
    metadata: &ParquetMetaData,
    root: usize,
    data_type: &DataType,
    pieces: &[Piece],
) -> Option<usize> {
    let schema = metadata.file_metadata().schema_descr();
    let leaf = (0..schema.num_columns()).find(|&leaf| schema.get_column_root_idx(leaf) == root)?;
    let column = schema.column(leaf);
    let flat = schema.get_column_root(leaf).is_primitive() && column.max_rep_level() == 0;
    values(column.physical_type(), data_type)?;
    let known = |piece: &Piece| {
        metadata.row_group(piece.group).column(leaf).encodings().all(|encoding| {
            matches!(
                encoding,
                Encoding::PLAIN | Encoding::RLE | Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY
            )
        })
    };
    (flat && pieces.iter().all(known)).then_some(leaf)
}

fn values(physical: Type, data_type: &DataType) -> Option<Box<dyn Values>> {
    Some(match (physical, data_type) {
        (Type::INT32, DataType::Int32) => Box::new(Fixed::<Int32Type>::default()),
        (Type::INT32, DataType::UInt32) => Box::new(Fixed::<UInt32Type>::default()),
        (Type::INT32, DataType::Date32) => Box::new(Fixed::<Date32Type>::default()),
        (Type::FLOAT, DataType::Float32) => Box::new(Fixed::<Float32Type>::default()),
        (Type::INT64, DataType::Int64) => Box::new(Fixed::<Int64Type>::default()),
        (Type::INT64, DataType::UInt64) => Box::new(Fixed::<UInt64Type>::default()),
        (Type::DOUBLE, DataType::Float64) => Box::new(Fixed::<Float64Type>::default()),
        (Type::BYTE_ARRAY, DataType::Utf8) => Box::new(Strings::<Utf8Type>::new()),
        (Type::BYTE_ARRAY, DataType::LargeUtf8) => Box::new(Strings::<LargeUtf8Type>::new()),
        (Type::BYTE_ARRAY, DataType::Binary) => Box::new(Strings::<BinaryType>::new()),
        (Type::BYTE_ARRAY, DataType::LargeBinary) => Box::new(Strings::<LargeBinaryType>::new()),
        _ => return None,
    })
}

/// Wanted rows without a gap.
struct Stretch {
    /// Whether they are the first of their chunk.
    opens: bool,
    /// Rows before them, from the stretch before or the start of the chunk.
    skip: u64,
    rows: u64,
}

fn stretches(visit: &Visit) -> impl Iterator<Item = Stretch> + '_ {
    let mut at = 0;
    visit.wanted.iter().enumerate().map(move |(index, rows)| {
        let skip = rows.start - at;
        at = rows.end;
        Stretch { opens: index == 0, skip, rows: rows.end - rows.start }
    })
}

pub struct Flat {
    chunks: LeafChunks,
    stretches: VecDeque<Stretch>,
    pages: Option<ChunkPages>,
    /// Rows of the stretch that are still to come.
    wanted_rows: usize,
    /// Rows of the page that are still to come.
    page_rows: usize,
    /// Definition levels of the page, where the column has nulls.
    levels: Option<Runs>,
    values: Box<dyn Values>,
    optional: bool,
    /// Who else may need the pages at the ends of the only piece.
    neighbours: Option<Neighbours>,
}

impl Flat {
    /// `leaf` has agreed. None where the types do not fit.
    pub fn new(
        chunks: LeafChunks,
        physical: Type,
        optional: bool,
        data_type: &DataType,
        visits: &[Visit],
        neighbours: Option<Neighbours>,
    ) -> Option<Self> {
        Some(Self {
            chunks,
            stretches: visits.iter().flat_map(stretches).collect(),
            pages: None,
            wanted_rows: 0,
            page_rows: 0,
            levels: None,
            values: values(physical, data_type)?,
            optional,
            neighbours,
        })
    }

    /// The next `rows` rows, of which the caller knows that they were promised.
    pub fn next(&mut self, rows: usize) -> Result<ArrayRef> {
        let mut validity = Validity::default();
        let mut left = rows;
        while left > 0 {
            self.find_rows()?;
            let count = left.min(self.page_rows).min(self.wanted_rows);
            let present = self.read_levels(count, &mut validity)?;
            self.values.read(present)?;
            self.wanted_rows -= count;
            left -= count;
        }
        self.values.finish(validity.finish())
    }

    fn read_levels(&mut self, count: usize, validity: &mut Validity) -> Result<usize> {
        self.page_rows -= count;
        match &mut self.levels {
            Some(levels) => levels.read_validity(count, validity),
            None => Ok(validity.repeat(true, count)),
        }
    }

    /// Go on to the next page, or chunk, until there are rows.
    fn find_rows(&mut self) -> Result<()> {
        while self.wanted_rows == 0 {
            let fewer = || Error::corrupt("fewer rows than were promised");
            let stretch = self.stretches.pop_front().ok_or_else(fewer)?;
            if stretch.opens {
                self.end_page();
                self.pages = Some(self.chunks.next_pages().ok_or_else(fewer)??);
            }
            self.wanted_rows = usize::try_from(stretch.rows).unwrap_or(usize::MAX);
            self.skip(stretch.skip)?;
        }
        while self.page_rows == 0 {
            self.next_page(0)?;
        }
        Ok(())
    }

    /// Let go of the page, whose memory the next one then takes.
    fn end_page(&mut self) {
        self.page_rows = 0;
        self.levels = None;
        self.values.begin_page(Encoded::NONE);
    }

    fn pages(&mut self) -> Result<&mut ChunkPages> {
        self.pages.as_mut().ok_or_else(ends_early)
    }

    fn skip(&mut self, rows: u64) -> Result<()> {
        let mut left = usize::try_from(rows).unwrap_or(usize::MAX);
        while left > 0 {
            if self.page_rows > 0 {
                let count = left.min(self.page_rows);
                let present = self.read_levels(count, &mut Validity::default())?;
                self.values.skip(present)?;
                left -= count;
                continue;
            }
            let page = self.pages()?.peek()?.ok_or_else(ends_early)?;
            // Dictionaries are stepped over as well: they come back with the first page that needs them.
            match page.num_rows.filter(|_| !page.is_dict) {
                Some(rows) if rows > left => self.next_page(left)?,
                rows => {
                    self.pages()?.step_over()?;
                    left -= rows.unwrap_or(0);
                }
            }
        }
        Ok(())
    }

    /// `skipped` rows of the page are not wanted.
    fn next_page(&mut self, skipped: usize) -> Result<()> {
        self.end_page();
        if let (Some(neighbours), Some(pages)) = (&self.neighbours, &mut self.pages) {
            let neighbours = neighbours.clone();
            pages.wants(Span { neighbours, skipped, wanted: self.wanted_rows });
        }
        match self.pages()?.next_page()?.ok_or_else(ends_early)? {
            Page::DictionaryPage { buf, num_values, encoding, .. } => {
                if !matches!(encoding, Encoding::PLAIN | Encoding::PLAIN_DICTIONARY) {
                    return Err(unexpected(encoding));
                }
                self.values.set_dictionary(buf, num_values as usize)
            }
            Page::DataPage { buf, num_values, encoding, def_level_encoding, .. } => {
                let mut from = 0;
                let mut levels = None;
                if self.optional {
                    if def_level_encoding != Encoding::RLE {
                        return Err(unexpected(def_level_encoding));
                    }
                    let size = buf.get(..4).and_then(|size| size.try_into().ok()).ok_or_else(short)?;
                    from = (u32::from_le_bytes(size) as usize).saturating_add(4);
                    levels = Some(4..from);
                }
                self.begin_page(&buf, levels, from, encoding, num_values)
            }
            Page::DataPageV2 {
                buf, num_values, encoding, def_levels_byte_len, rep_levels_byte_len, ..
            } => {
                let first = rep_levels_byte_len as usize;
                let from = first.saturating_add(def_levels_byte_len as usize);
                self.begin_page(&buf, self.optional.then_some(first..from), from, encoding, num_values)
            }
        }
    }

    /// The page's rows are next: levels where there are any, values `from` on.
    fn begin_page(
        &mut self,
        page: &Bytes,
        levels: Option<Range<usize>>,
        from: usize,
        encoding: Encoding,
        rows: u32,
    ) -> Result<()> {
        if from > page.len() {
            return Err(Error::corrupt("a page's levels are larger than the page"));
        }
        self.levels = levels.map(|levels| Runs::new(page.slice(levels), 1)).transpose()?;
        self.values.begin_page(Encoded::new(encoding, page.slice(from..))?);
        self.page_rows = rows as usize;
        Ok(())
    }
}

fn ends_early() -> Error {
    Error::corrupt("the column chunk ends early")
}
