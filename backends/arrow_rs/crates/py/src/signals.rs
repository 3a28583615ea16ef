//! Ctrl-C while a batch is decoded in the thread that Python's signals go to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use firstbyte_core::Interrupt;
use pyo3::prelude::*;

/// How long to work or wait before looking for signals.
pub const PATIENCE: Duration = Duration::from_millis(25);

/// What handlers of signals did while a reader was at work.
#[derive(Default)]
pub struct Signals {
    /// What a handler raised.
    raised: Mutex<Option<PyErr>>,
    /// The thread that runs handlers in the middle of a batch.
    handling: Mutex<Option<ThreadId>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is a single assignment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Signals {
    /// Runs handlers of signals while decoding takes long.
    pub fn interrupt(signals: &Arc<Self>) -> Interrupt {
        let signals = signals.clone();
        Interrupt::new(PATIENCE, move || signals.stops())
    }

    fn stops(&self) -> bool {
        // None where the interpreter is about to end: then nobody waits for an answer.
        let stops = Python::try_attach(|py| {
            *lock(&self.handling) = Some(thread::current().id());
            let outcome = py.check_signals();
            *lock(&self.handling) = None;
            let stops = outcome.is_err();
            *lock(&self.raised) = outcome.err();
            stops
        });
        stops.unwrap_or(false)
    }

    /// The exception that ended a batch.
    pub fn take_raised(&self) -> Option<PyErr> {
        lock(&self.raised).take()
    }

    /// Whether this is a handler that runs in the middle of a batch: the reader is then in use beneath it.
    pub fn are_handled_here(&self) -> bool {
        *lock(&self.handling) == Some(thread::current().id())
    }
}
