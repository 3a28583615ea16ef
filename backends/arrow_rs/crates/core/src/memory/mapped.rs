//! Blocks that are mappings of their own, handed on from one owner to the next.
//!
//! In the heap, where glibc puts large blocks as soon as one was freed, pages and dictionaries that live long
//! hold the memory of everything that was freed below them. A mapping can be given back by itself. But fresh
//! memory costs a fault for every 4 KiB, which takes about as long as to decompress them, so freed blocks are
//! kept, and resized without a copy for whoever asks next. That adds nothing to the peak: nobody gets fresh
//! memory while there is freed memory.

use std::ptr;
use std::sync::Mutex;

use crate::defaults::SPARE_MAPPING_BYTES;

/// So many freed blocks wait at most, and they take no more than `SPARE_MAPPING_BYTES`.
const SPARE_BLOCKS: usize = 16;
/// Lengths are rounded up to this; the kernel rounds up further where its pages are larger.
const ROUND_BYTES: usize = 4 << 10;

#[derive(Clone, Copy)]
struct Mapping {
    /// No pointer: those are not `Send`.
    address: usize,
    length: usize,
}

struct Spare {
    blocks: [Mapping; SPARE_BLOCKS],
    /// How many of the blocks there are, oldest first.
    count: usize,
}

/// Never waited for: a fork may have left the lock held for ever.
static SPARE: Mutex<Spare> = Mutex::new(Spare::EMPTY);

impl Spare {
    const EMPTY: Self = Self { blocks: [Mapping { address: 0, length: 0 }; SPARE_BLOCKS], count: 0 };

    fn remove(&mut self, at: usize) -> Mapping {
        let block = self.blocks[at];
        self.blocks.copy_within(at + 1..self.count, at);
        self.count -= 1;
        block
    }

    /// The smallest block that is large enough, otherwise the largest.
    fn take(&mut self, length: usize) -> Option<Mapping> {
        let rank = |&at: &usize| {
            let spare = self.blocks[at].length;
            if spare >= length { (0, spare) } else { (1, usize::MAX - spare) }
        };
        (0..self.count).min_by_key(rank).map(|at| self.remove(at))
    }

    /// Keep the block; the oldest are let go where there are too many.
    fn put(&mut self, block: Mapping) {
        self.blocks[self.count] = block;
        self.count += 1;
        let held = |spare: &Self| spare.blocks[..spare.count].iter().map(|block| block.length).sum::<usize>();
        while self.count == SPARE_BLOCKS || held(self) > SPARE_MAPPING_BYTES {
            self.remove(0).unmap();
        }
    }
}

/// Fresh memory, all zeros; null where there is none.
fn map(length: usize) -> *mut u8 {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new anonymous mapping touches nothing that exists.
    let block = unsafe { libc::mmap(ptr::null_mut(), length, access, flags, -1, 0) };
    if block == libc::MAP_FAILED { ptr::null_mut() } else { block.cast() }
}

impl Mapping {
    fn unmap(self) {
        // SAFETY: the mapping has this length, and its only owner does not use it any more. Unmapping all of
        // a mapping cannot fail.
        unsafe { libc::munmap(self.address as *mut libc::c_void, self.length) };
    }

    /// The block with another length, perhaps elsewhere; null, and the block as it was, without memory.
    #[cfg(target_os = "linux")]
    fn resize(self, length: usize) -> *mut u8 {
        if self.length == length {
            return self.address as *mut u8;
        }
        let start = self.address as *mut libc::c_void;
        // SAFETY: the mapping has this length, and belongs to the caller.
        let moved = unsafe { libc::mremap(start, self.length, length, libc::MREMAP_MAYMOVE) };
        if moved == libc::MAP_FAILED { ptr::null_mut() } else { moved.cast() }
    }

    #[cfg(not(target_os = "linux"))]
    fn resize(self, length: usize) -> *mut u8 {
        if self.length == length {
            return self.address as *mut u8;
        }
        let moved = map(length);
        if !moved.is_null() {
            // SAFETY: both have as many bytes as the shorter of the two.
            unsafe { ptr::copy_nonoverlapping(self.address as *const u8, moved, self.length.min(length)) };
            self.unmap();
        }
        moved
    }
}

fn rounded(bytes: usize) -> Option<usize> {
    bytes.checked_next_multiple_of(ROUND_BYTES)
}

/// A block, and whether it is all zeros; null where there is no memory.
pub fn allocate(bytes: usize) -> (*mut u8, bool) {
    let Some(length) = rounded(bytes) else { return (ptr::null_mut(), false) };
    let spare = SPARE.try_lock().ok().and_then(|mut spare| spare.take(length));
    if let Some(spare) = spare {
        let block = spare.resize(length);
        if !block.is_null() {
            return (block, false);
        }
        spare.unmap();
    }
    (map(length), true)
}

/// # Safety
///
/// `block` came from `allocate` or `resize` with this size, and is not used again.
pub unsafe fn free(block: *mut u8, bytes: usize) {
    let Some(length) = rounded(bytes) else { return };
    let block = Mapping { address: block as usize, length };
    match SPARE.try_lock() {
        Ok(mut spare) => spare.put(block),
        Err(_) => block.unmap(),
    }
}

/// The block with another size, its contents kept; null, and the block as it was, without memory.
///
/// # Safety
///
/// `block` came from `allocate` or `resize` with `old_bytes`. Unless null comes back it is not used again.
pub unsafe fn resize(block: *mut u8, old_bytes: usize, new_bytes: usize) -> *mut u8 {
    match (rounded(old_bytes), rounded(new_bytes)) {
        (Some(length), Some(new)) => Mapping { address: block as usize, length }.resize(new),
        _ => ptr::null_mut(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: usize = 100_000;

    #[test]
    fn a_block_keeps_its_contents_when_it_grows_and_is_used_again() {
        let (block, _) = allocate(BYTES);
        // SAFETY: each access is within the size that the block then has.
        unsafe {
            block.add(BYTES - 1).write(7);
            let grown = resize(block, BYTES, 64 * BYTES);
            assert_eq!(grown.add(BYTES - 1).read(), 7);
            grown.add(64 * BYTES - 1).write(8);
            let small = resize(grown, 64 * BYTES, 2 * BYTES);
            assert_eq!(small.add(BYTES - 1).read(), 7);
            free(small, 2 * BYTES);
        }
    }

    #[test]
    fn spares_are_few_and_the_one_that_fits_best_is_used() {
        let mut spare = Spare::EMPTY;
        let block = |length| Mapping { address: map(length) as usize, length };
        (0..40).for_each(|_| spare.put(block(ROUND_BYTES)));
        assert_eq!(spare.count, SPARE_BLOCKS - 1);
        spare.put(block(SPARE_MAPPING_BYTES - ROUND_BYTES));
        spare.put(block(3 * ROUND_BYTES));
        assert_eq!(spare.count, 1, "the largest was the oldest and had to go");
        spare.put(block(5 * ROUND_BYTES));
        assert_eq!(spare.take(2 * ROUND_BYTES).map(|block| block.length), Some(3 * ROUND_BYTES));
        assert_eq!(spare.take(9 * ROUND_BYTES).map(|block| block.length), Some(5 * ROUND_BYTES));
        assert!(spare.take(1).is_none());
        spare.put(block(SPARE_MAPPING_BYTES + ROUND_BYTES));
        assert_eq!(spare.count, 0, "too large to be kept");
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri gives up where so much is asked for")]
    fn more_than_the_address_space_is_refused() {
        assert!(allocate(usize::MAX).0.is_null());
        assert!(allocate(1 << 60).0.is_null());
    }
}
