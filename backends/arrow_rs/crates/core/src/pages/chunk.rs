//! One column chunk: where its bytes are, how they are written, and who reads them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use parquet::basic::{Compression, Type};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::schema::types::ColumnDescriptor;

use crate::encoding::levels::Highest;
use crate::pages::context::ReadContext;

/// Where a column's decoder is, for error messages, and what it has taken.
#[derive(Debug, Default)]
pub struct Marker {
    pub group: AtomicUsize,
    pub offset: AtomicU64,
    /// Bytes of the pages that the current batch takes, with the levels of nested values.
    pub taken: AtomicU64,
}

pub struct Chunk {
    pub context: Arc<ReadContext>,
    pub marker: Arc<Marker>,
    pub codec: Compression,
    pub physical: Type,
    /// Bytes of each value, where the schema fixes them.
    pub width: Option<u64>,
    pub highest: Highest,
    /// Offsets in the file.
    pub start: u64,
    pub end: u64,
    /// Values, nulls among them, that the footer promises.
    pub values: u64,
    pub uncompressed_bytes: u64,
}

impl Chunk {
    /// The chunk of row group `group` with this metadata, which has been checked: it lies within the file.
    pub fn new(
        context: Arc<ReadContext>,
        marker: Arc<Marker>,
        group: usize,
        metadata: &ColumnChunkMetaData,
    ) -> Self {
        let (start, length) = metadata.byte_range();
        marker.group.store(group, Relaxed);
        marker.offset.store(start, Relaxed);
        let column = metadata.column_descr();
        Self {
            context,
            marker,
            codec: metadata.compression(),
            physical: metadata.column_type(),
            width: fixed_width(column),
            highest: Highest { repetition: column.max_rep_level(), definition: column.max_def_level() },
            start,
            end: start + length,
            values: metadata.num_values().cast_unsigned(),
            uncompressed_bytes: metadata.uncompressed_size().cast_unsigned(),
        }
    }

    /// Whether a row can have several values.
    pub fn is_repeated(&self) -> bool {
        self.highest.repetition > 0
    }

    /// Whether pages can be decompressed as far as they are needed.
    pub fn is_zstd(&self) -> bool {
        matches!(self.codec, Compression::ZSTD(_))
    }
}

/// Bytes of each value of a column whose schema fixes them.
pub fn fixed_width(column: &ColumnDescriptor) -> Option<u64> {
    let fixed = column.physical_type() == Type::FIXED_LEN_BYTE_ARRAY;
    fixed.then(|| u64::try_from(column.type_length()).unwrap_or(0))
}
