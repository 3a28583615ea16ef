//! Exact counting of the bytes that this library holds.
//!
//! The counter wraps the system allocator, so it sees every byte that Rust code asks for and nothing of
//! anybody else's. Bytes are counted as requested: what the allocator adds around them is not ours to say.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::memory::mapped;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system allocator with two counters, and with mappings for blocks that ask for it. Install it with
/// `#[global_allocator]`.
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

/// Blocks with this alignment are mappings: see `mapped`. Page buffers ask for it.
pub const MAPPED_ALIGN: usize = 4096;

/// A layout is all that is known when a block is freed, so it alone decides.
fn is_mapped(layout: Layout) -> bool {
    layout.align() == MAPPED_ALIGN
}

// SAFETY: each block comes from `mapped`, whose blocks begin at a page of the kernel's, which is 4096 bytes or
// more, or from `System`, and goes back where it came from, as its layout says. The counters allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = if is_mapped(layout) {
            mapped::allocate(layout.size()).0
        } else {
            // SAFETY: the caller's promises about `layout` are passed on.
            unsafe { System.alloc(layout) }
        };
        if !block.is_null() {
            grew(layout.size());
        }
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let block = if is_mapped(layout) {
            let (block, zeroed) = mapped::allocate(layout.size());
            if !block.is_null() && !zeroed {
                // SAFETY: the block has this size.
                unsafe { block.write_bytes(0, layout.size()) };
            }
            block
        } else {
            // SAFETY: as in `alloc`.
            unsafe { System.alloc_zeroed(layout) }
        };
        if !block.is_null() {
            grew(layout.size());
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if is_mapped(layout) {
            // SAFETY: the caller got `block` with this layout, so it came from `mapped`.
            unsafe { mapped::free(block, layout.size()) };
        } else {
            // SAFETY: likewise from `System`.
            unsafe { System.dealloc(block, layout) };
        }
        shrank(layout.size());
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let moved = if is_mapped(layout) {
            // SAFETY: as in `dealloc`; the alignment, and so the kind, stays.
            unsafe { mapped::resize(block, layout.size(), new_size) }
        } else {
            // SAFETY: as in `dealloc`; the caller vouches for `new_size`.
            unsafe { System.realloc(block, layout, new_size) }
        };
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
    use std::sync::{Mutex, PoisonError};

    use super::*;

    /// The counters are of the whole process.
    static ALONE: Mutex<()> = Mutex::new(());

    #[test]
    fn every_byte_is_counted_once() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
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

    #[test]
    fn a_mapped_block_keeps_its_contents_when_it_grows() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let layout = |bytes| Layout::from_size_align(bytes, MAPPED_ALIGN).unwrap();
        // SAFETY: each access is within the size that the block then has.
        unsafe {
            let block = Counting.alloc_zeroed(layout(10_000));
            assert_eq!((block.align_offset(MAPPED_ALIGN), block.add(9_999).read()), (0, 0));
            block.add(9_999).write(7);
            let grown = Counting.realloc(block, layout(10_000), 100_000);
            assert_eq!((grown.add(9_999).read(), live_bytes()), (7, 100_000));
            Counting.dealloc(grown, layout(100_000));
        }
        assert_eq!((live_bytes(), peak_bytes() >= 100_000), (0, true));
        // Miri gives up where so much is asked for.
        if !cfg!(miri) {
            // SAFETY: nothing is done with the block.
            assert!(unsafe { Counting.alloc(layout(1 << 60)) }.is_null());
        }
    }
}
