//! Stopping in the middle of a long batch, where the caller says so.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::error::{Error, Kind, Result};

/// Asks the caller now and then whether to go on, in the thread that decodes and at the next page.
pub struct Interrupt {
    stops: Box<dyn Fn() -> bool + Send + Sync>,
    patience: Duration,
    made: Instant,
    /// When to ask next, in nanoseconds after `made`.
    due: AtomicU64,
}

impl Interrupt {
    /// `stops` is asked at most once in `patience`, and not at all by calls that take less.
    pub fn new(patience: Duration, stops: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { stops: Box::new(stops), patience, made: Instant::now(), due: AtomicU64::new(0) }
    }

    /// A call begins.
    pub fn begin(&self) {
        let due = self.made.elapsed() + self.patience;
        self.due.store(u64::try_from(due.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Ask no more, unless another call begins.
    pub fn disarm(&self) {
        self.due.store(u64::MAX, Relaxed);
    }

    /// Fails with `Kind::Interrupted` where it is time to ask and the caller wants to stop.
    pub fn check(&self) -> Result<()> {
        if self.made.elapsed().as_nanos() < u128::from(self.due.load(Relaxed)) {
            return Ok(());
        }
        self.begin();
        if (self.stops)() { Err(Error::new(Kind::Interrupted, "interrupted by the caller")) } else { Ok(()) }
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Interrupt").field("patience", &self.patience).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_is_asked_when_it_is_time() {
        let interrupt = Interrupt::new(Duration::ZERO, || true);
        assert_eq!(interrupt.check().unwrap_err().kind, Kind::Interrupted);
        let patient = Interrupt::new(Duration::from_secs(3600), || true);
        patient.begin();
        assert!(patient.check().is_ok());
        interrupt.disarm();
        assert!(interrupt.check().is_ok());
    }
}
