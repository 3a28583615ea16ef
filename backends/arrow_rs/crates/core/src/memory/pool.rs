//! Page buffers that are used again: a fresh megabyte per page costs a page fault per four kilobytes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::memory::budget::Ticket;
use crate::memory::raw_buffer::{self, RawBuffer};

/// Spare buffers of one decoder. Every byte of them is charged to the decoder's budget, where it has one.
#[derive(Debug, Default)]
pub struct Pool {
    spare: Mutex<Spare>,
    ticket: Option<Ticket>,
}

#[derive(Debug, Default)]
struct Spare {
    buffers: Vec<RawBuffer>,
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
        let capacity = size_class(length);
        spare.largest = spare.largest.max(capacity);
        // A buffer much larger than the page would hold memory that a larger page then lacks.
        let fits = |buffer: &RawBuffer| buffer.capacity() >= length && buffer.capacity() / 2 <= length;
        let found = spare.buffers.iter().position(fits).map(|at| spare.buffers.swap_remove(at));
        if found.is_none() && raw_buffer::is_mapped(length) {
            // Mappings of other sizes are resized for it, and take no more than it does.
            let others = spare.buffers.extract_if(.., |buffer| raw_buffer::is_mapped(buffer.capacity()));
            self.discharge(others.map(|buffer| buffer.capacity()).sum());
        }
        drop(spare);
        let buffer = found.unwrap_or_else(|| {
            self.charge(capacity);
            RawBuffer::new(capacity)
        });
        PageBuffer { buffer, length, pool: self.clone() }
    }

    fn give_back(&self, buffer: RawBuffer) {
        let mut spare = self.lock();
        spare.buffers.push(buffer);
        let mut kept: usize = spare.buffers.iter().map(RawBuffer::capacity).sum();
        while kept > spare.largest {
            let freed = spare.buffers.remove(0).capacity();
            self.discharge(freed);
            kept -= freed;
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.discharge(self.lock().buffers.iter().map(RawBuffer::capacity).sum());
    }
}

/// At least `bytes`, and one of a few sizes: memory of a size that is asked for again is used again, and the
/// heap keeps no holes of sizes that never come back. What is not written to takes no memory.
pub fn size_class(bytes: usize) -> usize {
    const SMALL_BYTES: usize = 64 << 10;
    if bytes <= SMALL_BYTES {
        return bytes;
    }
    let step = (bytes.checked_next_power_of_two().unwrap_or(SMALL_BYTES) / 8).max(16 << 10);
    bytes.checked_next_multiple_of(step).unwrap_or(bytes)
}

/// A buffer that goes back to its pool when dropped. Its memory is written once, not zeroed before.
#[derive(Debug)]
pub struct PageBuffer {
    buffer: RawBuffer,
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
        self.buffer.first_mut(self.length)
    }

    /// Write the first bytes of the page.
    pub fn put(&mut self, first: &[u8]) {
        self.buffer.first_mut(first.len()).copy_from_slice(first);
    }

    /// The first `count` bytes, which must have been written.
    pub fn written(&self, count: usize) -> &[u8] {
        &self.buffer.written()[..count]
    }

    /// The memory from `from` on to the end of the page, to be written to.
    pub fn rest(&mut self, from: usize) -> (*mut u8, usize) {
        let left = self.length - from;
        (self.buffer.rest(from), left)
    }

    /// # Safety
    ///
    /// The first `count` bytes were written, and are no more than the length of the page.
    pub unsafe fn was_written(&mut self, count: usize) {
        // SAFETY: the caller's promise; a buffer has room for the length of its page.
        unsafe { self.buffer.was_written(count) };
    }

    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for PageBuffer {
    fn as_ref(&self) -> &[u8] {
        self.written(self.length)
    }
}

impl Drop for PageBuffer {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::replace(&mut self.buffer, RawBuffer::new(0)));
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
        assert_eq!(pool.take(900).as_ref().as_ptr() as usize, address as usize);
    }

    #[test]
    fn a_large_buffer_is_not_spent_on_a_small_page() {
        let pool = Arc::new(Pool::default());
        drop(pool.take(1000));
        assert_eq!(pool.take(10).buffer.capacity(), 10);
    }

    #[test]
    fn a_mapping_that_does_not_fit_is_not_kept_beside_its_successor() {
        let pool = Arc::new(Pool::default());
        let _largest = pool.take(1 << 20);
        drop([50_000, 300_000].map(|bytes| pool.take(bytes)));
        let kept = || pool.lock().buffers.iter().map(RawBuffer::capacity).collect::<Vec<_>>();
        let _small = pool.take(1000);
        assert_eq!(kept().len(), 2, "the heap has room for what is small");
        let _larger = pool.take(400_000);
        assert_eq!(kept(), [50_000]);
    }

    #[test]
    fn spares_never_exceed_the_largest_page() {
        let pool = Arc::new(Pool::default());
        let taken: Vec<_> = (0..10).map(|_| pool.take(100)).collect();
        drop(taken);
        assert_eq!(pool.lock().buffers.iter().map(RawBuffer::capacity).sum::<usize>(), 100);
    }
}
