//! One column chunk: where its bytes are, how they are written, and who reads them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use arrow_schema::TimeUnit;
use parquet::basic::{Compression, Type};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::schema::types::ColumnDescriptor;

use crate::encoding::levels::Highest;
use crate::format::footer::chunk_start;
use crate::pages::context::ReadContext;
use crate::pages::siblings::Sibling;

/// Where a column's decoder is, for error messages, and what it has taken.
#[derive(Debug, Default)]
pub struct Marker {
    pub group: AtomicUsize,
    pub offset: AtomicU64,
    /// Bytes of the pages that the current batch takes, with the levels of nested values.
    pub taken: AtomicU64,
    /// Bytes that were reserved for what is decoded of it.
    pub decoded: AtomicU64,
    /// Rows of the batch.
    pub wanted: AtomicU64,
}

impl Marker {
    /// A batch of so many rows is next.
    pub fn begin_batch(&self, rows: usize) {
        self.taken.store(0, Relaxed);
        self.decoded.store(0, Relaxed);
        self.wanted.store(rows as u64, Relaxed);
    }
}

/// A dictionary's header takes no more.
const MOST_FORGOTTEN_BYTES: u64 = 100;

/// What is looked after in a column's pages, for what its decoder does or does not.
#[derive(Clone, Debug, Default)]
pub struct Handling {
    /// What the levels of nested values must keep to.
    pub nesting: Option<Arc<[u32]>>,
    /// Who must agree with it about where their groups are.
    pub sibling: Option<Sibling>,
    /// The unit that timestamps of type INT96 come in, all of which must be within its reach.
    pub int96: Option<TimeUnit>,
    /// Rows that came early come again with their page, and the decoder passes over them: see
    /// `ChunkPages::take_delivered`.
    pub passes_delivered: bool,
}

pub struct Chunk {
    pub context: Arc<ReadContext>,
    pub marker: Arc<Marker>,
    pub codec: Compression,
    pub physical: Type,
    /// Bytes of each value, where the schema fixes them.
    pub width: Option<u64>,
    pub highest: Highest,
    pub handling: Handling,
    /// Offsets in the file. The last page may end a little behind `end`, but before `limit`: some writers forgot
    /// the dictionary's header when they added up.
    pub start: u64,
    pub end: u64,
    pub limit: u64,
    /// Values, nulls among them, that the footer promises.
    pub values: u64,
    /// Rows of its row group.
    pub rows: u64,
    /// What no page can exceed. Some writers say 0, or what the pages take in the file: then nothing is known.
    pub uncompressed_bytes: Option<u64>,
}

impl Chunk {
    /// The chunk of row group `group` with this metadata, which has been checked: it lies within the file.
    pub fn new(
        context: Arc<ReadContext>,
        marker: Arc<Marker>,
        (group, rows): (usize, u64),
        metadata: &ColumnChunkMetaData,
        handling: Handling,
    ) -> Self {
        let (start, length) =
            (chunk_start(metadata).cast_unsigned(), metadata.compressed_size().cast_unsigned());
        let end = start.saturating_add(length);
        let limit = end.saturating_add(MOST_FORGOTTEN_BYTES).min(context.file.stamp().bytes).max(end);
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
            handling,
            start,
            end,
            limit,
            values: metadata.num_values().cast_unsigned(),
            rows,
            uncompressed_bytes: Some(metadata.uncompressed_size().cast_unsigned())
                .filter(|&size| size > length),
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
