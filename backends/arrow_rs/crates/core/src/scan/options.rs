//! What a scan is asked for, and how far it has come.

use std::sync::Arc;

use crate::dataset::forms::Forms;
use crate::defaults;
use crate::filter::comparison::Comparison;
use crate::interrupt::Interrupt;

#[derive(Clone, Debug)]
pub struct ScanOptions {
    /// Names of columns, or of what is in them, as `messages.content`; `None` for all.
    pub columns: Option<Vec<String>>,
    /// Row groups in the order in which to read them, `None` for all.
    pub row_groups: Option<Vec<usize>>,
    /// Rank and world: an equal share of the rows for each of `world` readers.
    pub shard: Option<(u64, u64)>,
    /// Rows of a batch; the last one may be smaller.
    pub batch_rows: usize,
    /// Threads that decode ahead; 0 decodes in the calling thread and starts none.
    pub threads: usize,
    /// What threads and queues may hold, on top of the pages and the batch that are next.
    pub memory_budget_bytes: usize,
    pub forms: Forms,
    /// Larger pages are an error.
    pub max_page_bytes: usize,
    /// A batch that takes more than this of the pages of one column is an error.
    pub max_batch_bytes: u64,
    /// Shuffle row groups, and rows where `shuffle_rows` is set, differently for each seed and epoch.
    pub seed: Option<u64>,
    pub epoch: u64,
    /// Rows held to be shuffled among each other; 0 leaves the order within row groups.
    pub shuffle_rows: usize,
    /// All must hold for a row to be delivered.
    pub predicate: Vec<Comparison>,
    /// Go on where a pass with the same options was.
    pub resume: Option<Position>,
    /// Whom to ask while a batch takes long, where there are no threads.
    pub interrupt: Option<Arc<Interrupt>>,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            columns: None,
            row_groups: None,
            shard: None,
            batch_rows: defaults::BATCH_ROWS,
            threads: defaults::THREADS,
            memory_budget_bytes: defaults::MEMORY_BUDGET_BYTES,
            forms: Forms::default(),
            max_page_bytes: defaults::MAX_PAGE_BYTES,
            max_batch_bytes: defaults::MAX_BATCH_BYTES,
            seed: None,
            epoch: defaults::EPOCH,
            shuffle_rows: defaults::SHUFFLE_ROWS,
            predicate: Vec::new(),
            resume: None,
            interrupt: None,
        }
    }
}

/// How far a pass has come: enough to go on with exactly the next row in another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Rows of the plan that are behind.
    pub rows: u64,
    /// Rows delivered of the shuffled block that begins there.
    pub block_rows: u64,
    /// Digest of the file's layout and of the options that decide which rows come in which order.
    pub plan: u64,
}
