//! zstd, whole pages and block by block.

use std::ffi::CStr;
use std::ptr::NonNull;

use super::whole::bad;
use crate::error::Result;
use crate::memory::pool::PageBuffer;

/// A zstd context in memory of our own, so that it is counted with everything else.
pub struct Zstd {
    /// Words, because the context must be aligned to eight bytes. None of them is ever read as such.
    _memory: Vec<u64>,
    context: NonNull<zstd_sys::ZSTD_DCtx>,
}

// SAFETY: the context points into `_memory`, which moves with it; nothing in it is tied to a thread.
unsafe impl Send for Zstd {}

impl Zstd {
    pub fn new() -> Self {
        // SAFETY: a pure function.
        let words = unsafe { zstd_sys::ZSTD_estimateDCtxSize() }.div_ceil(8);
        let mut memory = Vec::<u64>::with_capacity(words);
        // SAFETY: the workspace is aligned to eight bytes, as large as zstd asked for, and lives as long as
        // the context: a Vec's block does not move when the Vec does. Nothing else uses it.
        let context = unsafe { zstd_sys::ZSTD_initStaticDCtx(memory.as_mut_ptr().cast(), words * 8) };
        #[expect(clippy::expect_used, reason = "zstd says itself how much it needs")]
        let context = NonNull::new(context).expect("the workspace is as large as zstd asked for");
        Self { _memory: memory, context }
    }

    pub fn decompress(&mut self, input: &[u8], page: &mut PageBuffer, from: usize) -> Result<usize> {
        let (room, bytes) = page.rest(from);
        // SAFETY: the input is valid for its length, and zstd writes no more than the room.
        let written = checked(unsafe {
            zstd_sys::ZSTD_decompressDCtx(
                self.context.as_ptr(),
                room.cast(),
                bytes,
                input.as_ptr().cast(),
                input.len(),
            )
        })?;
        // SAFETY: the bytes before `from` were written by the caller, these just now.
        unsafe { page.was_written(from + written) };
        Ok(written)
    }

    /// Start a frame that is decompressed block by block.
    pub fn begin(&mut self) -> Result<()> {
        // SAFETY: the context is valid and ours alone.
        checked(unsafe { zstd_sys::ZSTD_decompressBegin(self.context.as_ptr()) }).map(drop)
    }

    /// How many bytes the next step takes; 0 at the end of a frame.
    pub fn next_input_bytes(&mut self) -> usize {
        // SAFETY: as above.
        unsafe { zstd_sys::ZSTD_nextSrcSizeToDecompress(self.context.as_ptr()) }
    }

    /// Decompress whole blocks of `input` into `page` from `done` on, until `target` bytes are done or the
    /// next block is incomplete. Returns how much of the input was used.
    ///
    /// # Safety
    ///
    /// From `begin` to the end of the frame `page` must be the same, with what was written to it left as it
    /// is: blocks refer back to it through pointers that the context keeps.
    pub unsafe fn advance(
        &mut self,
        input: &[u8],
        page: &mut PageBuffer,
        done: &mut usize,
        target: usize,
    ) -> Result<usize> {
        let mut used = 0;
        while *done < target {
            let need = self.next_input_bytes();
            let Some(block) = input.get(used..used + need).filter(|_| need > 0) else { break };
            let (room, bytes) = page.rest(*done);
            // SAFETY: the block is valid for its length, and zstd writes no more than the room. The caller
            // vouches for what was written before.
            let written = checked(unsafe {
                zstd_sys::ZSTD_decompressContinue(
                    self.context.as_ptr(),
                    room.cast(),
                    bytes,
                    block.as_ptr().cast(),
                    block.len(),
                )
            })?;
            *done += written;
            // SAFETY: all steps together wrote the first `done` bytes.
            unsafe { page.was_written(*done) };
            used += need;
        }
        Ok(used)
    }
}

impl Default for Zstd {
    fn default() -> Self {
        Self::new()
    }
}

fn checked(code: usize) -> Result<usize> {
    // SAFETY: pure functions of the code; the name is a static string.
    unsafe {
        if zstd_sys::ZSTD_isError(code) == 0 {
            return Ok(code);
        }
        Err(bad(CStr::from_ptr(zstd_sys::ZSTD_getErrorName(code)).to_string_lossy()))
    }
}
