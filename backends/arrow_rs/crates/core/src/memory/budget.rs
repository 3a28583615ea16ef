//! A bound on the bytes of all decoders of one scan, with a way through for the one whose rows are next.
//!
//! The decoder at the head is never made to wait for memory: what the others hold is only given back when
//! its rows have been taken. So the bound is the budget plus what the head needs for its pages and a batch.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub struct Budget {
    limit: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    used: usize,
    most: usize,
    head: usize,
    cancelled: bool,
}

impl Budget {
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, state: Mutex::default(), changed: Condvar::new() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is a single assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wait until the task is at the head or `bytes` fit. False once cancelled.
    pub fn wait_for_room(&self, task: usize, bytes: usize) -> bool {
        let fits = |state: &State| state.used.saturating_add(bytes) <= self.limit;
        let state = self.lock();
        let waits = |state: &mut State| !state.cancelled && task > state.head && !fits(state);
        let state = self.changed.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner);
        !state.cancelled
    }

    pub fn fits(&self, bytes: usize) -> bool {
        self.lock().used.saturating_add(bytes) <= self.limit
    }

    pub fn charge(&self, bytes: usize) {
        let mut state = self.lock();
        state.used += bytes;
        state.most = state.most.max(state.used);
    }

    pub fn discharge(&self, bytes: usize) {
        if bytes > 0 {
            self.lock().used -= bytes;
            self.changed.notify_all();
        }
    }

    /// Tasks up to this one may pass without room.
    pub fn set_head(&self, task: usize) {
        self.lock().head = task;
        self.changed.notify_all();
    }

    pub fn cancel(&self) {
        self.lock().cancelled = true;
        self.changed.notify_all();
    }

    /// The most bytes that were charged at once.
    pub fn most_bytes(&self) -> usize {
        self.lock().most
    }
}

/// The budget as one task sees it.
#[derive(Debug)]
pub struct Ticket {
    pub budget: Arc<Budget>,
    pub task: usize,
}

impl Ticket {
    pub fn charge(&self, bytes: usize) {
        // After a cancellation nothing more is decoded: the next page asks first.
        self.budget.wait_for_room(self.task, bytes);
        self.budget.charge(bytes);
    }

    pub fn discharge(&self, bytes: usize) {
        self.budget.discharge(bytes);
    }
}
