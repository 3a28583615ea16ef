//! Decoding ahead: threads of this scan's own take one task after another, a budget bounds what they hold, and
//! batches come out in the order of the plan whatever thread was first.

use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arrow_array::RecordBatch;

use crate::decode::concat::join;
use crate::decode::decoder::{Decoder, Recipe};
use crate::error::{Error, Kind, Result};
use crate::guard::guard;
use crate::memory::budget::{Budget, Ticket};
use crate::memory::pool::Pool;
use crate::memory::size::in_memory;
use crate::pages::boundary::{Boundary, Neighbours};
use crate::plan::{self, Task};

/// What came of waiting for a batch.
#[derive(Debug)]
pub enum Step {
    Batch(RecordBatch),
    End,
    /// Nothing yet: ask again.
    Pending,
}

/// The consumer's end. Dropping it stops the threads and waits for them.
pub struct Ahead {
    shared: ManuallyDrop<Arc<Shared>>,
    threads: ManuallyDrop<Vec<JoinHandle<()>>>,
    /// The process that the threads are in.
    process: u32,
    batch_rows: usize,
    /// Parts of the next batch; a batch can span tasks.
    parts: Vec<RecordBatch>,
}

struct Shared {
    recipe: Recipe,
    tasks: Vec<Task>,
    /// Rows of all tasks before each.
    rows_before: Vec<u64>,
    next_task: AtomicUsize,
    boundary: Arc<Boundary>,
    budget: Arc<Budget>,
    cancelled: Arc<AtomicBool>,
    queues: Mutex<Queues>,
    filled: Condvar,
    drained: Condvar,
}

/// Decoded parts of the tasks from `head` on.
struct Queues {
    head: usize,
    tasks: VecDeque<Queue>,
}

#[derive(Default)]
struct Queue {
    /// Each with the bytes charged for it.
    parts: VecDeque<(RecordBatch, usize)>,
    /// Set when no more parts come, with the error that ended them.
    end: Option<Option<Error>>,
}

impl Ahead {
    pub fn start(recipe: Recipe, tasks: Vec<Task>, threads: usize, budget_bytes: usize) -> Result<Self> {
        let batch_rows = recipe.batch_rows;
        let threads = threads.min(tasks.len());
        let shared = Arc::new(Shared {
            recipe,
            rows_before: plan::rows_before(&tasks),
            tasks,
            next_task: AtomicUsize::new(0),
            boundary: Arc::default(),
            budget: Budget::new(budget_bytes),
            cancelled: Arc::default(),
            queues: Mutex::new(Queues { head: 0, tasks: VecDeque::new() }),
            filled: Condvar::new(),
            drained: Condvar::new(),
        });
        let mut ahead = Self {
            shared: ManuallyDrop::new(shared),
            threads: ManuallyDrop::new(Vec::with_capacity(threads)),
            process: std::process::id(),
            batch_rows,
            parts: Vec::new(),
        };
        for index in 0..threads {
            let shared = Arc::clone(&ahead.shared);
            let builder = std::thread::Builder::new().name(format!("firstbyte-{index}"));
            let thread = builder.spawn(move || shared.work()).map_err(|error| Error::io(&error))?;
            ahead.threads.push(thread);
        }
        Ok(ahead)
    }

    /// Wait at most `patience` for the next batch.
    pub fn next(&mut self, patience: Duration) -> Result<Step> {
        if self.process != std::process::id() {
            return Err(Error::new(
                Kind::Forked,
                "the reader's threads are in the process that made it; open the file again in this one",
            ));
        }
        loop {
            let rows: usize = self.parts.iter().map(RecordBatch::num_rows).sum();
            if rows == self.batch_rows {
                return self.join_parts().map(Step::Batch);
            }
            match self.shared.take(patience)? {
                Step::Batch(part) => self.parts.push(part),
                Step::End if rows > 0 => return self.join_parts().map(Step::Batch),
                other => return Ok(other),
            }
        }
    }

    fn join_parts(&mut self) -> Result<RecordBatch> {
        let mut parts = std::mem::take(&mut self.parts);
        match parts.pop() {
            Some(only) if parts.is_empty() => Ok(only),
            Some(last) => {
                parts.push(last);
                join(&self.shared.recipe.schema, &parts)
            }
            None => Err(Error::usage("no parts to join")),
        }
    }

    /// Tell the threads to stop, and do not wait for it.
    pub fn cancel(&self) {
        // Elsewhere the threads do not exist, and a lock may be held for ever.
        if self.process == std::process::id() {
            self.shared.cancel();
        }
    }

    /// The most bytes that threads and queues held at once.
    pub fn most_bytes(&self) -> usize {
        self.shared.budget.most_bytes()
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            // The threads do not exist here, and a lock may be held for ever: leave everything as it is.
            return;
        }
        self.shared.cancel();
        // SAFETY: neither field is used again: this is the only place that takes them, and it runs once.
        let (shared, threads) =
            unsafe { (ManuallyDrop::take(&mut self.shared), ManuallyDrop::take(&mut self.threads)) };
        for thread in threads {
            // A worker catches its panics; what it had to say is in its queue.
            let _ = thread.join();
        }
        drop(shared);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        // No code that can panic runs while the lock is held.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
        self.budget.cancel();
        // Under the lock, so that nobody is between looking at the flag and going to sleep.
        drop(self.lock());
        self.drained.notify_all();
    }

    /// The next part in order, for the consumer.
    fn take(&self, patience: Duration) -> Result<Step> {
        let mut queues = self.lock();
        loop {
            if queues.head == self.tasks.len() {
                return Ok(Step::End);
            }
            if let Some(queue) = queues.tasks.front_mut() {
                if let Some((part, bytes)) = queue.parts.pop_front() {
                    drop(queues);
                    self.budget.discharge(bytes);
                    self.drained.notify_all();
                    return Ok(Step::Batch(part));
                }
                if let Some(end) = queue.end.take() {
                    if let Some(error) = end {
                        return Err(error);
                    }
                    queues.tasks.pop_front();
                    queues.head += 1;
                    self.budget.set_head(queues.head);
                    self.drained.notify_all();
                    continue;
                }
            }
            let (woken, timeout) =
                self.filled.wait_timeout(queues, patience).unwrap_or_else(PoisonError::into_inner);
            queues = woken;
            if timeout.timed_out() {
                return Ok(Step::Pending);
            }
        }
    }

    /// A thread's life: tasks in order, each as soon as there is room for another.
    fn work(&self) {
        loop {
            let task = self.next_task.fetch_add(1, Relaxed);
            // Room for a batch at least; what it really takes is charged as it is allocated.
            if task >= self.tasks.len() || !self.budget.wait_for_room(task, 1) {
                return;
            }
            let outcome = guard(|| self.decode(task));
            let mut queues = self.lock();
            queues.of(task).end = Some(outcome.err());
            drop(queues);
            self.filled.notify_all();
        }
    }

    /// Which of the tasks before and after go on in the same row group.
    fn neighbours(&self, task: usize) -> Neighbours {
        let meets = |at: usize| match self.tasks.get(at..at + 2).map(|two| (two[0].last(), two[1].first())) {
            Some((Some(piece), Some(next))) => {
                piece.group == next.group && piece.start + piece.rows == next.start
            }
            _ => false,
        };
        Neighbours {
            boundary: self.boundary.clone(),
            before: task > 0 && meets(task - 1),
            after: meets(task),
        }
    }

    fn decode(&self, task: usize) -> Result<()> {
        let ticket = Ticket { budget: self.budget.clone(), task };
        let pool = Arc::new(Pool::charged_to(ticket));
        let pieces = &self.tasks[task];
        let cancelled = self.cancelled.clone();
        let neighbours = (pieces.len() == 1).then(|| self.neighbours(task));
        let mut decoder = Decoder::new(&self.recipe, pieces, task == 0, cancelled, pool, neighbours)?;
        // Batches begin where they would without threads: at multiples of the batch size over all tasks.
        let size = self.recipe.batch_rows;
        let mut wanted = size - in_memory(self.rows_before[task] % size as u64);
        decoder.begin_with(wanted);
        let mut held: Vec<RecordBatch> = Vec::new();
        while let Some(mut batch) = decoder.next()? {
            loop {
                let rows: usize = held.iter().map(RecordBatch::num_rows).sum();
                if rows + batch.num_rows() < wanted {
                    held.push(batch);
                    break;
                }
                let cut = wanted - rows;
                let rest = batch.num_rows() - cut;
                held.push(batch.slice(0, cut));
                if !self.put(task, std::mem::take(&mut held))? {
                    return Ok(());
                }
                wanted = size;
                if rest == 0 {
                    break;
                }
                batch = batch.slice(cut, rest);
            }
        }
        if !held.is_empty() {
            self.put(task, held)?;
        }
        Ok(())
    }

    /// Hand over a part, as soon as there is room. False once cancelled.
    fn put(&self, task: usize, parts: Vec<RecordBatch>) -> Result<bool> {
        let part = if parts.len() == 1 { parts[0].clone() } else { join(&self.recipe.schema, &parts)? };
        drop(parts);
        let bytes = part.get_array_memory_size();
        if !self.budget.wait_for_room(task, bytes) {
            return Ok(false);
        }
        let mut queues = self.lock();
        // The head passes without room as long as nothing of it waits: one part must always get through.
        let full = |queues: &Queues| queues.waits(task) && !self.budget.fits(bytes);
        while !self.cancelled.load(Relaxed) && full(&queues) {
            queues = self.drained.wait(queues).unwrap_or_else(PoisonError::into_inner);
        }
        self.budget.charge(bytes);
        queues.of(task).parts.push_back((part, bytes));
        drop(queues);
        self.filled.notify_all();
        Ok(!self.cancelled.load(Relaxed))
    }
}

impl Queues {
    fn of(&mut self, task: usize) -> &mut Queue {
        let index = task - self.head;
        while self.tasks.len() <= index {
            self.tasks.push_back(Queue::default());
        }
        &mut self.tasks[index]
    }

    /// Whether something of the task waits to be taken.
    fn waits(&self, task: usize) -> bool {
        self.tasks.get(task - self.head).is_some_and(|queue| !queue.parts.is_empty())
    }
}
