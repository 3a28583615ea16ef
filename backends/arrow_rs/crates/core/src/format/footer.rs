//! The footer, read in one go and checked before anything relies on it.

use arrow_schema::SchemaRef;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
    ParquetStatisticsPolicy, RowGroupMetaData,
};

use crate::error::{Error, Kind, Place, Result};
use crate::format::structures::FOOTER;
use crate::format::thrift::{Reader, Step, Stop, kind};
use crate::memory::size::in_memory;
use crate::source::LocalFile;

/// Most footers are smaller than this, and then one read is enough.
const TAIL_BYTES: u64 = 32 << 10;
/// Length and magic at the very end.
const TRAILER_BYTES: usize = 8;
const MAGIC: &[u8] = b"PAR1";
const ENCRYPTED_MAGIC: &[u8] = b"PARE";
/// Nested types of real files are less than ten deep; decoders recurse.
const MAX_SCHEMA_DEPTH: usize = 64;

/// Read and check the footer, without its statistics, which are most of its bytes.
pub fn read(file: &LocalFile) -> Result<ParquetMetaData> {
    let (bytes, start) = read_bytes(file)?;
    let policy = ParquetStatisticsPolicy::SkipAll;
    let options = ParquetMetaDataOptions::new()
        .with_column_stats_policy(policy.clone())
        .with_encoding_stats_policy(policy.clone())
        .with_size_stats_policy(policy);
    let metadata = ParquetMetaDataReader::decode_metadata_with_options(&bytes, Some(&options))?;
    check_layout(&metadata, start)?;
    Ok(metadata)
}

/// The footer's bytes, whose lengths and types are known to be true, and where they start: all data lies before.
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
    check_structure(&bytes)
        .map_err(|stop| Error::from(stop).within(&Place { offset: Some(start), ..Place::default() }))?;
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

/// Walk over the whole footer, so that every length and type in it is known to be true, and measure the schema.
fn check_structure(bytes: &[u8]) -> Step<()> {
    FOOTER.check(&mut Reader::new(bytes))?;
    let mut reader = Reader::new(bytes);
    let mut last = 0;
    while let Some(field) = reader.field(&mut last)? {
        match field {
            (2, kind::LIST) => check_schema(&mut reader)?,
            (_, wire) => reader.skip(wire)?,
        }
    }
    Ok(())
}

/// The schema is a tree in depth-first order, each element with its number of children.
fn check_schema(reader: &mut Reader<'_>) -> Step<()> {
    let (element, count) = reader.list()?;
    if element != kind::STRUCT {
        return Err(Stop::Bad("a schema that is no list of structures"));
    }
    let mut open: Vec<u64> = Vec::new();
    for index in 0..count {
        let children = check_element(reader)?;
        if let Some(siblings) = open.last_mut() {
            *siblings -= 1;
        } else if index > 0 {
            return Err(Stop::Bad("a schema with more elements than its tree"));
        }
        open.push(children);
        while open.last() == Some(&0) {
            open.pop();
        }
        if open.len() > MAX_SCHEMA_DEPTH {
            return Err(Stop::Bad("a schema nested too deep"));
        }
    }
    if open.is_empty() { Ok(()) } else { Err(Stop::Bad("a schema with fewer elements than its tree")) }
}

/// One element's number of children.
fn check_element(reader: &mut Reader<'_>) -> Step<u64> {
    let mut children = 0;
    let mut last = 0;
    while let Some(field) = reader.field(&mut last)? {
        match field {
            // C strings carry names to other libraries.
            (4, kind::BINARY) if reader.binary()?.contains(&0) => {
                return Err(Stop::Bad("a column name with a NUL byte"));
            }
            (4, kind::BINARY) => {}
            (5, kind::I32) => {
                children =
                    u64::try_from(reader.i32()?).map_err(|_| Stop::Bad("a negative number of children"))?;
            }
            (_, wire) => reader.skip(wire)?,
        }
    }
    Ok(children)
}

/// Row counts that add up, and column chunks that lie between the magic and the footer.
fn check_layout(metadata: &ParquetMetaData, footer_start: u64) -> Result<()> {
    let mut rows = 0_i64;
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let place = Place { row_group: Some(index), ..Place::default() };
        rows = check_group(group, metadata, footer_start)
            .and_then(|count| rows.checked_add(count).ok_or_else(|| Error::corrupt("too many rows")))
            .map_err(|error| error.within(&place))?;
    }
    let declared = metadata.file_metadata().num_rows();
    if rows == declared {
        Ok(())
    } else {
        Err(Error::corrupt(format!("row groups hold {rows} rows, the file says {declared}")))
    }
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
    let data = chunk.data_page_offset();
    let start = chunk.dictionary_page_offset().unwrap_or(data);
    let size = chunk.compressed_size();
    let inside = u64::try_from(start).ok().zip(u64::try_from(size).ok()).and_then(|(start, size)| {
        Some(start >= MAGIC.len() as u64 && start.checked_add(size)? <= footer_start)
    });
    // A row group without rows may have no pages; writers then leave the offset at zero.
    let nothing = rows == 0 && size == 0;
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
