//! Memory for a page: not zeroed before it is written, and a mapping of its own where it is large.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use crate::memory::alloc::MAPPED_ALIGN;

/// Smaller buffers are left to the heap: a mapping takes whole pages and a call of the kernel.
const MAPPED_BYTES: usize = 128 << 10;

#[derive(Debug)]
pub struct RawBuffer {
    start: NonNull<u8>,
    capacity: usize,
    /// How many bytes from the start on hold something.
    written: usize,
}

// SAFETY: a buffer owns its memory, as a Vec does.
unsafe impl Send for RawBuffer {}
// SAFETY: nothing is written to through a shared reference.
unsafe impl Sync for RawBuffer {}

/// Whether buffers of this capacity are mappings of their own.
pub fn is_mapped(capacity: usize) -> bool {
    capacity >= MAPPED_BYTES
}

#[expect(clippy::expect_used, reason = "no page has as many bytes as half of the address space")]
fn layout(capacity: usize) -> Layout {
    let align = if is_mapped(capacity) { MAPPED_ALIGN } else { 1 };
    Layout::from_size_align(capacity, align).expect("a page is much smaller than the address space")
}

impl RawBuffer {
    pub fn new(capacity: usize) -> Self {
        let start = if capacity == 0 {
            NonNull::dangling()
        } else {
            let layout = layout(capacity);
            // SAFETY: the layout is not empty.
            NonNull::new(unsafe { alloc(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
        };
        Self { start, capacity, written: 0 }
    }

    pub fn capacity(&self) -> usize {
        self.capacity
    }

    pub fn written(&self) -> &[u8] {
        // SAFETY: so many bytes were written.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.written) }
    }

    /// The first `count` bytes; those that hold nothing yet become zeros.
    pub fn first_mut(&mut self, count: usize) -> &mut [u8] {
        assert!(count <= self.capacity);
        if self.written < count {
            // SAFETY: both ends are within the buffer.
            unsafe { self.start.add(self.written).write_bytes(0, count - self.written) };
            self.written = count;
        }
        // SAFETY: so many bytes were written.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), count) }
    }

    /// The memory from `from` on, which may hold nothing yet.
    pub fn rest(&mut self, from: usize) -> *mut u8 {
        assert!(from <= self.capacity);
        // SAFETY: the place is within the buffer, or its end.
        unsafe { self.start.as_ptr().add(from) }
    }

    /// # Safety
    ///
    /// The first `count` bytes were written, and are no more than the capacity.
    pub unsafe fn was_written(&mut self, count: usize) {
        self.written = self.written.max(count);
    }
}

impl Drop for RawBuffer {
    fn drop(&mut self) {
        if self.capacity > 0 {
            // SAFETY: the memory came from `alloc` with this layout, and nobody uses it any more.
            unsafe { dealloc(self.start.as_ptr(), layout(self.capacity)) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_written_is_zero_and_what_was_stays() {
        for capacity in [0, 10, MAPPED_BYTES + 10] {
            let mut buffer = RawBuffer::new(capacity);
            buffer.first_mut(capacity / 2).fill(7);
            let half = [7].repeat(capacity / 2);
            assert_eq!(buffer.written(), half);
            let all = buffer.first_mut(capacity);
            assert_eq!(all[..capacity / 2], half);
            assert!(all[capacity / 2..].iter().all(|&byte| byte == 0));
        }
    }
}
