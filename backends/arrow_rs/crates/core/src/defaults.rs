//! What holds where the caller says nothing else, and what the library keeps for itself.
//!
//! Bindings take their defaults from here; a test compares their stub file and the README with it.

/// Rows of a batch.
pub const BATCH_ROWS: usize = 1024;
/// Threads that decode ahead: none.
pub const THREADS: usize = 0;
/// What threads and queues may hold.
pub const MEMORY_BUDGET_BYTES: usize = 32 << 20;
/// Larger pages are an error.
pub const MAX_PAGE_BYTES: usize = 256 << 20;
/// So are batches that take more, in any column: what Arrow's 32-bit offsets reach.
pub const MAX_BATCH_BYTES: u64 = 2 << 30;
/// The first pass over the data.
pub const EPOCH: u64 = 0;
/// Rows held to be shuffled among each other: none.
pub const SHUFFLE_ROWS: usize = 0;

/// Metadata of files read lately: enough for some hundreds of ordinary footers.
pub const METADATA_CACHE_BYTES: usize = 8 << 20;
/// Freed page buffers that wait for the next page or scan.
pub const SPARE_MAPPING_BYTES: usize = 4 << 20;
