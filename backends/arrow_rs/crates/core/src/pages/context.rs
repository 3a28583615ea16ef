//! What the columns of one decoding thread share: the file, memory, and the tools to read pages with.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::codec::Codecs;
use crate::codec::zstd::Zstd;
use crate::error::{Error, Kind, Result};
use crate::interrupt::Interrupt;
use crate::memory::pool::{PageBuffer, Pool};
use crate::source::LocalFile;
use crate::source::window::Window;

/// What all columns of one decoding thread share.
#[derive(Debug)]
pub struct ReadContext {
    pub file: LocalFile,
    pub max_page_bytes: usize,
    pub max_batch_bytes: u64,
    /// Set when nobody wants the rows any more.
    cancelled: Arc<AtomicBool>,
    interrupt: Option<Arc<Interrupt>>,
    pub pool: Arc<Pool>,
    tools: Mutex<Tools>,
    /// The error behind a failed step of a decoder, which passes on only its text.
    failure: Mutex<Option<Error>>,
}

/// What one page after another is read and decompressed with.
#[derive(Default)]
pub struct Tools {
    pub window: Window,
    pub codecs: Codecs,
}

impl std::fmt::Debug for Tools {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.window.fmt(out)
    }
}

impl ReadContext {
    pub fn new(
        file: LocalFile,
        (max_page_bytes, max_batch_bytes): (usize, u64),
        cancelled: Arc<AtomicBool>,
        interrupt: Option<Arc<Interrupt>>,
        pool: Arc<Pool>,
    ) -> Self {
        let (tools, failure) = Default::default();
        Self { file, max_page_bytes, max_batch_bytes, cancelled, interrupt, pool, tools, failure }
    }

    /// Fails where no more pages are wanted.
    pub fn check(&self) -> Result<()> {
        if self.cancelled.load(Relaxed) {
            return Err(Error::new(Kind::Closed, "the reader was closed"));
        }
        self.interrupt.as_ref().map_or(Ok(()), |interrupt| interrupt.check())
    }

    pub fn tools(&self) -> MutexGuard<'_, Tools> {
        // After a panic the window says itself what of it is valid.
        self.tools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn take_buffer(&self, bytes: usize) -> PageBuffer {
        self.pool.take(bytes)
    }

    /// Use the shared zstd context and the window.
    pub fn with_zstd<T>(&self, use_it: impl FnOnce(&mut Zstd, &mut Window) -> Result<T>) -> Result<T> {
        let mut tools = self.tools();
        let Tools { window, codecs } = &mut *tools;
        use_it(codecs.zstd(), window)
    }

    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    pub fn take_failure(&self) -> Option<Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Keep an error for `take_failure` on its way through a decoder.
    pub fn note(&self, error: Error) -> parquet::errors::ParquetError {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        error.into()
    }
}

impl Drop for ReadContext {
    fn drop(&mut self) {
        self.pool.discharge(self.tools().window.bytes());
    }
}
