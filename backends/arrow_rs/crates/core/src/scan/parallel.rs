//! Batches of columns that threads decode apart from each other.

use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;

use crate::decode::decoder::Recipe;
use crate::error::{Error, Result};
use crate::plan::Piece;
use crate::plan::divide::{Share, divide};
use crate::scan::ahead::{Ahead, Step};

/// All threads of a scan. Dropping it stops them and waits for them.
pub struct Parallel {
    parts: Vec<Part>,
    schema: SchemaRef,
}

struct Part {
    ahead: Ahead,
    /// Places of the columns in the batch.
    columns: Vec<usize>,
    /// What came while others were waited for.
    step: Option<Step>,
}

impl Parallel {
    pub fn start(recipe: &Recipe, pieces: Vec<Piece>, threads: usize, budget_bytes: usize) -> Result<Self> {
        let shares = divide(pieces, threads, recipe.batch_rows, |group| recipe.group_sizes(group));
        // Parts do not wait for each other's memory: each has a part of the budget for itself.
        let budget_bytes = budget_bytes / shares.len();
        let part = |share: Share| {
            let ahead =
                Ahead::start(recipe.of_columns(&share.columns)?, share.tasks, share.threads, budget_bytes)?;
            Ok(Part { ahead, columns: share.columns, step: None })
        };
        let parts = shares.into_iter().map(part).collect::<Result<_>>()?;
        Ok(Self { parts, schema: recipe.schema.clone() })
    }

    /// Wait at most `patience` for the next batch.
    pub fn next(&mut self, patience: Duration) -> Result<Step> {
        let begin = Instant::now();
        for part in &mut self.parts {
            if part.step.is_none() {
                match part.ahead.next(patience.saturating_sub(begin.elapsed()))? {
                    Step::Pending => return Ok(Step::Pending),
                    step => part.step = Some(step),
                }
            }
        }
        let steps: Vec<_> = self.parts.iter_mut().filter_map(|part| part.step.take()).collect();
        self.zip(steps)
    }

    /// One batch of what all parts had.
    fn zip(&self, mut steps: Vec<Step>) -> Result<Step> {
        if steps.len() == 1 || steps.iter().all(|step| matches!(step, Step::End)) {
            return Ok(steps.swap_remove(0));
        }
        let mut arrays: Vec<Option<ArrayRef>> = vec![None; self.schema.fields().len()];
        let mut rows = 0;
        for (part, step) in self.parts.iter().zip(steps) {
            let Step::Batch(batch) = step else { return Err(ends_apart()) };
            rows = batch.num_rows();
            for (&at, array) in part.columns.iter().zip(batch.columns()) {
                arrays[at] = Some(array.clone());
            }
        }
        let arrays = arrays.into_iter().collect::<Option<_>>().ok_or_else(ends_apart)?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options);
        batch.map(Step::Batch).map_err(|error| Error::corrupt(error.to_string()))
    }

    /// The most bytes that threads and queues held at once; of several parts, which have their most at
    /// different times, no less than that.
    pub fn most_bytes(&self) -> usize {
        self.parts.iter().map(|part| part.ahead.most_bytes()).sum()
    }
}

impl Drop for Parallel {
    fn drop(&mut self) {
        // All at once, before the first is waited for.
        self.parts.iter().for_each(|part| part.ahead.cancel());
    }
}

fn ends_apart() -> Error {
    Error::corrupt("columns with different numbers of rows")
}
