//! Exact counting of the bytes that this library holds.
//!
//! The counter wraps the system allocator, so it sees every byte that Rust code asks for and nothing of
//! anybody else's. Bytes are counted as requested: what the allocator adds around them is not ours to say.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system allocator with two counters. Install it with `#[global_allocator]`.
pub struct Counting;

/// Bytes allocated and not yet freed.
pub fn live_bytes() -> usize {
    LIVE.load(Relaxed)
}

/// The most bytes that were live at once since the start or the last [`reset_peak`].
pub fn peak_bytes() -> usize {
    PEAK.load(Relaxed)
}

/// Start a new peak at what is live now.
pub fn reset_peak() {
    PEAK.store(live_bytes(), Relaxed);
}

fn grew(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
    // Most allocations set no new peak, and a load is cheaper than a locked instruction.
    if live > PEAK.load(Relaxed) {
        PEAK.fetch_max(live, Relaxed);
    }
}

fn shrank(bytes: usize) {
    LIVE.fetch_sub(bytes, Relaxed);
}

// SAFETY: every call is passed to `System` unchanged, which upholds the contract; the counters allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises about `layout` are passed on.
        let block = unsafe { System.alloc(layout) };
        if !block.is_null() {
            grew(layout.size());
        }
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        let block = unsafe { System.alloc_zeroed(layout) };
        if !block.is_null() {
            grew(layout.size());
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: `block` came from `System` with this layout, as all of ours do.
        unsafe { System.dealloc(block, layout) };
        shrank(layout.size());
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as in `dealloc`; the caller vouches for `new_size`.
        let moved = unsafe { System.realloc(block, layout, new_size) };
        if !moved.is_null() {
            if new_size >= layout.size() {
                grew(new_size - layout.size());
            } else {
                shrank(layout.size() - new_size);
            }
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_counted_once() {
        let layout = Layout::from_size_align(64, 8).expect("a layout");
        let before = live_bytes();
        // SAFETY: each block is used with the layout that it was made with, and freed once.
        unsafe {
            let block = Counting.alloc_zeroed(layout);
            assert_eq!(block.add(63).read(), 0);
            assert_eq!(live_bytes() - before, 64);
            let larger = Counting.realloc(block, layout, 256);
            assert_eq!(larger.add(63).read(), 0, "what was there moves along");
            assert_eq!(live_bytes() - before, 256);
            assert!(peak_bytes() >= before + 256);
            Counting.dealloc(larger, Layout::from_size_align(256, 8).expect("a layout"));
        }
        assert_eq!(live_bytes(), before);
    }
}
