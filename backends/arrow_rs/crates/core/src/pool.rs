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
        let fits = |buffer: &Vec<u8>| buffer.len() >= length && buffer.len() / 2 <= length;
        let found = spare.buffers.iter().position(fits).map(|at| spare.buffers.swap_remove(at));
        drop(spare);
        // Zeroed by the allocator, which for large blocks touches no memory.
        let bytes = found.unwrap_or_else(|| {
            self.charge(length);
            vec![0; length]
        });
        PageBuffer { bytes, length, pool: self.clone() }
    }

    fn give_back(&self, buffer: Vec<u8>) {
        let mut spare = self.lock();
        spare.buffers.push(buffer);
        let mut kept: usize = spare.buffers.iter().map(Vec::len).sum();
        while kept > spare.largest {
            let freed = spare.buffers.remove(0).len();
            self.discharge(freed);
            kept -= freed;
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.discharge(self.lock().buffers.iter().map(Vec::len).sum());
    }
}

/// A buffer that goes back to its pool when dropped.
#[derive(Debug)]
pub struct PageBuffer {
    bytes: Vec<u8>,
    length: usize,
    pool: Arc<Pool>,
}

impl PageBuffer {
    pub fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.length]
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
        let first = pool.take(1000);
        let address = first.as_ref().as_ptr();
        drop(first.freeze());
        assert_eq!(pool.take(900).as_ref().as_ptr(), address);
    }

    #[test]
    fn a_large_buffer_is_not_spent_on_a_small_page() {
        let pool = Arc::new(Pool::default());
        drop(pool.take(1000));
        assert_eq!(pool.take(10).bytes.len(), 10);
    }

    #[test]
    fn spares_never_exceed_the_largest_page() {
        let pool = Arc::new(Pool::default());
        let taken: Vec<_> = (0..10).map(|_| pool.take(100)).collect();
        drop(taken);
        assert_eq!(pool.lock().buffers.iter().map(Vec::len).sum::<usize>(), 100);
    }
}
