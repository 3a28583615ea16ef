//! The footer, read in one go and checked before anything relies on it.

use arrow_schema::SchemaRef;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};

use crate::error::{Error, Kind, Place, Result};
use crate::format::structures::FOOTER;
use crate::format::thrift::{Reader, Writer, kind};
use crate::format::{schema, unreadable};
use crate::memory::size::in_memory;
use crate::source::LocalFile;

/// Most footers are smaller than this, and then one read is enough.
const TAIL_BYTES: u64 = 32 << 10;
/// Length and magic at the very end.
const TRAILER_BYTES: usize = 8;
const MAGIC: &[u8] = b"PAR1";
const ENCRYPTED_MAGIC: &[u8] = b"PARE";

/// What a footer says.
pub struct Footer {
    /// Without statistics: see `statistics`.
    pub metadata: ParquetMetaData,
    /// Leaves that cannot be read, in ascending order.
    pub encrypted: Vec<usize>,
}

/// Read and check the footer.
pub fn read(file: &LocalFile) -> Result<Footer> {
    let (bytes, start) = read_bytes(file)?;
    let place = Place { offset: Some(start), ..Place::default() };
    let read = || {
        let encrypted = unreadable::encrypted_leaves(&bytes)?;
        let decoded = ParquetMetaDataReader::decode_metadata(&canonical(&bytes)?);
        let metadata = decoded.map_err(|error| match encrypted.first() {
            Some(_) => Error::new(Kind::Unsupported, "the metadata of a column is encrypted"),
            None => error.into(),
        })?;
        Ok(Footer { metadata, encrypted })
    };
    let footer = read().map_err(|error: Error| error.within(&place))?;
    check_layout(&footer.metadata, start)?;
    Ok(footer)
}

/// The footer's bytes, and where they start: all data lies before.
pub fn read_bytes(file: &LocalFile) -> Result<(Vec<u8>, u64)> {
    let size = file.stamp().bytes;
    if size < (MAGIC.len() + TRAILER_BYTES) as u64 {
        return Err(Error::corrupt(format!("not a Parquet file: {size} bytes are too few")));
    }
    let tail_start = size.saturating_sub(TAIL_BYTES);
    let mut tail = read_range(file, tail_start, size)?;
    let trailer = &tail[tail.len() - TRAILER_BYTES..];
    match &trailer[4..] {
        MAGIC => {}
        ENCRYPTED_MAGIC => return Err(Error::new(Kind::Unsupported, "the file is encrypted")),
        _ => return Err(Error::corrupt("not a Parquet file: the magic bytes at its end are missing")),
    }
    let length = u64::from(u32::from_le_bytes([trailer[0], trailer[1], trailer[2], trailer[3]]));
    let end = size - TRAILER_BYTES as u64;
    let start = end.checked_sub(length).filter(|&start| start >= MAGIC.len() as u64);
    let start =
        start.ok_or_else(|| Error::corrupt(format!("a footer of {length} bytes in a file of {size}")))?;
    if start < tail_start {
        tail = read_range(file, start, size)?;
    }
    tail.truncate(tail.len() - TRAILER_BYTES);
    let bytes = tail.split_off(tail.len() - in_memory(length));
    Ok((bytes, start))
}

/// The schema of the batches: the one that the writer stored, where it fits the file.
pub fn arrow_schema(metadata: &ParquetMetaData) -> Result<SchemaRef> {
    let file = metadata.file_metadata();
    Ok(parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())?.into())
}

fn read_range(file: &LocalFile, start: u64, end: u64) -> Result<Vec<u8>> {
    let mut bytes = vec![0; in_memory(end - start)];
    file.read_exact_at(&mut bytes, start)?;
    Ok(bytes)
}

/// The footer as the format has it: see `structures` and `schema`.
fn canonical(footer: &[u8]) -> Result<Vec<u8>> {
    let mut copy = Writer::default();
    FOOTER.copy(&mut Reader::new(footer), &mut copy)?;
    let mut reader = Reader::new(&copy.bytes);
    let mut out = Writer::default();
    let (mut last, mut copied) = (0, 0);
    while let Some(field) = reader.field(&mut last)? {
        let start = reader.position();
        reader.skip(field.1)?;
        if field == (2, kind::LIST) {
            out.bytes.extend_from_slice(&copy.bytes[copied..start]);
            schema::rewrite(&mut Reader::new(&copy.bytes[start..]), &mut out)?;
            copied = reader.position();
        }
    }
    out.bytes.extend_from_slice(&copy.bytes[copied..]);
    Ok(out.bytes)
}

/// Row counts that can be added up, and column chunks that lie between the magic and the footer. How many rows the
/// footer says that all have is not looked at: writers that append leave it as it was.
fn check_layout(metadata: &ParquetMetaData, footer_start: u64) -> Result<()> {
    let mut rows = 0_i64;
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let place = Place { row_group: Some(index), ..Place::default() };
        rows = check_group(group, metadata, footer_start)
            .and_then(|count| rows.checked_add(count).ok_or_else(|| Error::corrupt("too many rows")))
            .map_err(|error| error.within(&place))?;
    }
    Ok(())
}

fn check_group(group: &RowGroupMetaData, metadata: &ParquetMetaData, footer_start: u64) -> Result<i64> {
    let (columns, leaves) = (group.num_columns(), metadata.file_metadata().schema_descr().num_columns());
    if columns != leaves {
        return Err(Error::corrupt(format!("{columns} column chunks for {leaves} columns")));
    }
    let rows = group.num_rows();
    if rows < 0 {
        return Err(Error::corrupt(format!("{rows} rows")));
    }
    for chunk in group.columns() {
        let place = Place { column: Some(chunk.column_path().string()), ..Place::default() };
        check_chunk(chunk, rows, footer_start).map_err(|error| error.within(&place))?;
    }
    Ok(rows)
}

fn check_chunk(chunk: &ColumnChunkMetaData, rows: i64, footer_start: u64) -> Result<()> {
    if chunk.file_path().is_some_and(|path| !path.is_empty()) {
        return Err(Error::new(Kind::Unsupported, "a column chunk in another file"));
    }
    let start = chunk_start(chunk);
    let size = chunk.compressed_size();
    let inside = u64::try_from(start).ok().zip(u64::try_from(size).ok()).and_then(|(start, size)| {
        Some(start >= MAGIC.len() as u64 && start.checked_add(size)? <= footer_start)
    });
    // A row group without rows has no pages that anybody looks for; writers leave the offset at zero, or at any.
    let nothing = rows == 0 && chunk.num_values() == 0;
    if inside != Some(true) && !nothing {
        return Err(Error::corrupt(format!(
            "a column chunk of {size} bytes at {start}, outside the file's data"
        )));
    }
    let values = chunk.num_values();
    let flat = chunk.column_descr().max_rep_level() == 0;
    if values < 0 || (flat && values != rows) || (!flat && values < rows) {
        return Err(Error::corrupt(format!("{values} values in {rows} rows")));
    }
    if chunk.uncompressed_size() < 0 {
        return Err(Error::corrupt("a column chunk of negative size"));
    }
    Ok(())
}

/// Where the pages of a chunk begin: with its dictionary, where it has one. Some writers say 0 where it has none.
pub fn chunk_start(chunk: &ColumnChunkMetaData) -> i64 {
    let data = chunk.data_page_offset();
    chunk.dictionary_page_offset().filter(|&offset| offset > 0).map_or(data, |offset| offset.min(data))
}
