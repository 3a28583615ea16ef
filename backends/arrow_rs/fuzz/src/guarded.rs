//! The counting allocator without its mappings.
//!
//! AddressSanitizer guards blocks of the heap on both sides, but sees nothing wrong where a write past a mapping
//! lands in the next one. So the fuzzers take page buffers from the heap. The replay keeps the mappings.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr::null_mut;

use firstbyte_core::alloc::{Counting, MAPPED_ALIGN};

pub struct Guarded;

/// The layout with an alignment that asks for no mapping; none where it would be too large.
fn heap(layout: Layout) -> Option<Layout> {
    let align = if layout.align() == MAPPED_ALIGN { 2 * MAPPED_ALIGN } else { layout.align() };
    Layout::from_size_align(layout.size(), align).ok()
}

// SAFETY: all is passed on to `Counting`, each block with the same larger alignment all its life.
unsafe impl GlobalAlloc for Guarded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the size is the caller's.
        heap(layout).map_or(null_mut(), |layout| unsafe { Counting.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the size is the caller's.
        heap(layout).map_or(null_mut(), |layout| unsafe { Counting.alloc_zeroed(layout) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(layout) = heap(layout) {
            // SAFETY: the block was made with this layout.
            unsafe { Counting.dealloc(block, layout) };
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let fits = Layout::from_size_align(new_size, layout.align()).ok().and_then(heap).is_some();
        // SAFETY: the block was made with this layout, and the new size is valid with its alignment.
        heap(layout)
            .filter(|_| fits)
            .map_or(null_mut(), |layout| unsafe { Counting.realloc(block, layout, new_size) })
    }
}
