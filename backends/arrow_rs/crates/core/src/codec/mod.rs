//! Decompression into a buffer of known size, with contexts that are made once and used for every page.

use std::ffi::CStr;
use std::io::Read;
use std::ptr::NonNull;

use parquet::basic::Compression;

use crate::error::{Error, Kind, Result};
use crate::memory::pool::PageBuffer;

/// One set per decoding thread.
#[derive(Default)]
pub struct Codecs {
    zstd: Option<Zstd>,
}

impl Codecs {
    /// Fill `page` from `from` on exactly from `input`.
    pub fn decompress(
        &mut self,
        codec: Compression,
        input: &[u8],
        page: &mut PageBuffer,
        from: usize,
    ) -> Result<()> {
        let wanted = page.length() - from;
        if let Compression::ZSTD(_) = codec {
            let written = self.zstd().decompress(input, page, from)?;
            return if written == wanted { Ok(()) } else { Err(wrong_size(written, wanted)) };
        }
        let output = &mut page.as_mut()[from..];
        let written = match codec {
            Compression::UNCOMPRESSED => copy(input, output)?,
            Compression::SNAPPY => {
                // The decoder writes what the input declares: that must be what the page has.
                let declared = snap::raw::decompress_len(input).map_err(bad)?;
                if declared != output.len() {
                    return Err(wrong_size(declared, output.len()));
                }
                snap::raw::Decoder::new().decompress(input, output).map_err(bad)?
            }
            Compression::GZIP(_) => fill(flate2::read::MultiGzDecoder::new(input), output)?,
            Compression::BROTLI(_) => brotli(input, output)?,
            Compression::LZ4_RAW => lz4_flex::block::decompress_into(input, output).map_err(bad)?,
            Compression::LZ4 => lz4_hadoop(input, output)
                .or_else(|_| fill(lz4_flex::frame::FrameDecoder::new(input), output))
                .or_else(|_| lz4_flex::block::decompress_into(input, output).map_err(bad))?,
            Compression::LZO | Compression::ZSTD(_) => {
                return Err(Error::new(Kind::Unsupported, format!("{codec} compression")));
            }
        };
        if written == wanted { Ok(()) } else { Err(wrong_size(written, wanted)) }
    }

    pub fn zstd(&mut self) -> &mut Zstd {
        self.zstd.get_or_insert_with(Zstd::new)
    }
}

fn bad(error: impl std::fmt::Display) -> Error {
    Error::corrupt(format!("a page does not decompress: {error}"))
}

fn wrong_size(got: usize, expected: usize) -> Error {
    Error::corrupt(format!("a page decompresses to {got} bytes, its header says {expected}"))
}

fn copy(input: &[u8], output: &mut [u8]) -> Result<usize> {
    if input.len() != output.len() {
        return Err(wrong_size(input.len(), output.len()));
    }
    output.copy_from_slice(input);
    Ok(input.len())
}

/// Read until `output` is full, and see that nothing is left.
fn fill(mut from: impl Read, output: &mut [u8]) -> Result<usize> {
    from.read_exact(output).map_err(bad)?;
    match from.read(&mut [0]) {
        Ok(0) => Ok(output.len()),
        Ok(_) => Err(Error::corrupt("a page decompresses to more bytes than its header says")),
        Err(error) => Err(bad(error)),
    }
}

/// The decoder reserves the window that the stream asks for, up to 16 MiB, but none larger than the page is of use.
fn brotli(input: &[u8], output: &mut [u8]) -> Result<usize> {
    let (first, rest) = input.split_first().ok_or_else(|| bad("no bytes"))?;
    let first = [narrowed(*first, output.len())];
    fill(brotli_decompressor::Decompressor::new(first.as_slice().chain(rest), 4096), output)
}

/// The first byte of a brotli stream with the smallest window of the same notation that holds `bytes`
/// (RFC 7932, 9.1): windows of 2^18 to 2^24 bytes are four bits, the lowest of them set.
fn narrowed(first: u8, bytes: usize) -> u8 {
    let declared = first >> 1 & 7;
    if first & 1 == 0 || declared == 0 {
        return first;
    }
    // 16 bytes of a window are no part of it.
    let needed = (1..declared).find(|&size| (1_usize << (17 + size)) - 16 >= bytes).unwrap_or(declared);
    first & !0xE | needed << 1
}

/// The framing of Hadoop's LZ4: blocks with both sizes in front, big-endian.
fn lz4_hadoop(mut input: &[u8], output: &mut [u8]) -> Result<usize> {
    let mut written = 0;
    while let Some((sizes, rest)) = input.split_at_checked(8) {
        let word = |at: usize| u32::from_be_bytes([sizes[at], sizes[at + 1], sizes[at + 2], sizes[at + 3]]);
        let (plain, packed) = (word(0) as usize, word(4) as usize);
        let (block, rest) = rest.split_at_checked(packed).ok_or_else(|| bad("a block ends early"))?;
        let room = output[written..].get_mut(..plain).ok_or_else(|| bad("a block is too large"))?;
        if lz4_flex::block::decompress_into(block, room).map_err(bad)? != plain {
            return Err(bad("a block is too short"));
        }
        written += plain;
        input = rest;
    }
    if input.is_empty() { Ok(written) } else { Err(bad("bytes are left over")) }
}

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

    fn decompress(&mut self, input: &[u8], page: &mut PageBuffer, from: usize) -> Result<usize> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_brotli_is_no_larger_than_the_page_needs() {
        let bits = |first: u8| 17 + (first >> 1 & 7);
        for declared in 1..=7 {
            let first = 0xF0 | declared << 1 | 1;
            assert_eq!(bits(narrowed(first, 1000)), 18);
            assert_eq!(bits(narrowed(first, 1 << 20)), bits(first).min(21), "16 bytes are no part of it");
            assert_eq!(narrowed(first, 1 << 30), first);
            assert_eq!(narrowed(first, 1000) & 0xF1, first & 0xF1, "the rest of the byte is the stream's");
        }
        // 16 bits, and the notations of 17, of 10 to 15 and of large windows.
        for first in [0b0000, 0b0000_0001, 0b0010_0001, 0b0001_0001] {
            assert_eq!(narrowed(first, 1000), first);
        }
    }
}
