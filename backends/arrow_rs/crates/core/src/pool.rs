//! Page buffers that are used again: a fresh megabyte per page costs a page fault per four kilobytes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::budget::Ticket;

/// Spare buffers of one decoder. Every byte of them is charged to the decoder's budget, where it has one.
#[derive(Debug, Default)]
pub struct Pool {
    spare: Mutex<Spare>,
    ticket: Option<Ticket>,
}

#[derive(Debug, Default)]
struct Spare {
    buffers: Vec<Vec<u8>>,
    /// The largest buffer ever asked for; no more than this is kept unused.
    largest: usize,
}

impl Pool {
    pub fn charged_to(ticket: Ticket) -> Self {
        Self { spare: Mutex::default(), ticket: Some(ticket) }
    }

    /// Account for memory about to be allocated; may wait until there is room.
    pub fn charge(&self, bytes: usize) {
        if let Some(ticket) = &self.ticket {
            ticket.charge(bytes);
        }
    }

    pub fn discharge(&self, bytes: usize) {
        if let Some(ticket) = &self.ticket {
            ticket.discharge(bytes);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Spare> {
        // Every change leaves the list whole.
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A buffer of `length` bytes whose contents are arbitrary.
    pub fn take(self: &Arc<Self>, length: usize) -> PageBuffer {
        let mut spare = self.lock();
        spare.largest = spare.largest.max(length);
        // A buffer much larger than the page would hold memory that a larger page then lacks.
        let fits = |buffer: &Vec<u8>| buffer.capacity() >= length && buffer.capacity() / 2 <= length;
        let found = spare.buffers.iter().position(fits).map(|at| spare.buffers.swap_remove(at));
        drop(spare);
        let bytes = found.unwrap_or_else(|| {
            self.charge(length);
            Vec::with_capacity(length)
        });
        PageBuffer { bytes, length, pool: self.clone() }
    }

    fn give_back(&self, buffer: Vec<u8>) {
        let mut spare = self.lock();
        spare.buffers.push(buffer);
        let mut kept: usize = spare.buffers.iter().map(Vec::capacity).sum();
        while kept > spare.largest {
            let freed = spare.buffers.remove(0).capacity();
            self.discharge(freed);
            kept -= freed;
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.discharge(self.lock().buffers.iter().map(Vec::capacity).sum());
    }
}

/// A buffer that goes back to its pool when dropped. Its memory is written once, not zeroed before.
#[derive(Debug)]
pub struct PageBuffer {
    /// Room for `length` bytes; as long as what was written from the start on.
    bytes: Vec<u8>,
    length: usize,
    pool: Arc<Pool>,
}

impl PageBuffer {
    /// How many bytes the page has.
    pub fn length(&self) -> usize {
        self.length
    }

    /// All of the page, for those who cannot write to memory that holds nothing yet.
    pub fn as_mut(&mut self) -> &mut [u8] {
        self.initialise(self.length);
        &mut self.bytes[..self.length]
    }

    /// Write the first bytes of the page.
    pub fn put(&mut self, first: &[u8]) {
        self.initialise(first.len());
        self.bytes[..first.len()].copy_from_slice(first);
    }

    fn initialise(&mut self, count: usize) {
        if self.bytes.len() < count {
            self.bytes.resize(count, 0);
        }
    }

    /// The first `count` bytes, which must have been written.
    pub fn written(&self, count: usize) -> &[u8] {
        &self.bytes[..count]
    }

    /// The memory from `from` on to the end of the page, to be written to.
    pub fn room(&mut self, from: usize) -> (*mut u8, usize) {
        let left = self.length - from;
        // SAFETY: `from` is at most `length` (the subtraction panics otherwise), which there is room for.
        (unsafe { self.bytes.as_mut_ptr().add(from) }, left)
    }

    /// # Safety
    ///
    /// The first `count` bytes were written, and are no more than the length of the page.
    pub unsafe fn was_written(&mut self, count: usize) {
        if self.bytes.len() < count {
            // SAFETY: they were written, and the capacity is at least the length of the page.
            unsafe { self.bytes.set_len(count) };
        }
    }

    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for PageBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Drop for PageBuffer {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_for_a_page_of_about_its_size() {
        let pool = Arc::new(Pool::default());
        let mut first = pool.take(1000);
        first.as_mut().fill(7);
        let address = first.as_ref().as_ptr();
        drop(first.freeze());
        assert_eq!(pool.take(900).as_ref(), [7; 900]);
        assert_eq!(pool.take(900).bytes.as_ptr() as usize, address as usize);
    }

    #[test]
    fn a_large_buffer_is_not_spent_on_a_small_page() {
        let pool = Arc::new(Pool::default());
        drop(pool.take(1000));
        assert_eq!(pool.take(10).bytes.capacity(), 10);
    }

    #[test]
    fn spares_never_exceed_the_largest_page() {
        let pool = Arc::new(Pool::default());
        let taken: Vec<_> = (0..10).map(|_| pool.take(100)).collect();
        drop(taken);
        assert_eq!(pool.lock().buffers.iter().map(Vec::capacity).sum::<usize>(), 100);
    }
}
