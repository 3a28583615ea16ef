//! A page of zstd that is decompressed as far as is needed.

use crate::encoding::values_end_early;
use crate::error::{Error, Result};
use crate::memory::pool::PageBuffer;
use crate::memory::size::in_memory;
use crate::pages::context::ReadContext;
use crate::pages::headers::LocatedPage;

/// What is read of compressed bytes at a time.
pub const READ_BYTES: usize = 64 << 10;

/// Only one can exist per context: it uses the shared context from its making to its last use.
pub struct PartialPage<'a> {
    context: &'a ReadContext,
    page: PageBuffer,
    done: usize,
    /// Where in the file the compressed bytes that come next are, and where they end.
    at: u64,
    end: u64,
    /// The checksum that the page should have, and what the bytes up to `at` give, for a page that is finished.
    checksum: Option<(u32, crc32fast::Hasher)>,
}

impl<'a> PartialPage<'a> {
    pub fn new(context: &'a ReadContext, page: LocatedPage) -> Result<Self> {
        context.with_zstd(|zstd, _| zstd.begin())?;
        Ok(Self {
            context,
            page: context.take_buffer(page.header.uncompressed_bytes),
            done: 0,
            at: page.start,
            end: page.end(),
            checksum: page.header.crc.map(|crc| (crc, crc32fast::Hasher::new())),
        })
    }

    /// Bytes of the whole page.
    pub fn length(&self) -> usize {
        self.page.length()
    }

    /// What is decompressed by now.
    pub fn bytes(&self) -> &[u8] {
        self.page.written(self.done)
    }

    /// Decompress all of the page.
    pub fn finish(mut self) -> Result<PageBuffer> {
        self.reach(self.length())?;
        // An empty last block or a checksum may follow the last byte.
        while self.at < self.end {
            let before = self.at;
            self.step(usize::MAX)?;
            if self.at == before {
                return Err(Error::corrupt("bytes are left over after the last of a page"));
            }
        }
        if self.context.with_zstd(|zstd, _| Ok(zstd.next_input_bytes()))? > 0 {
            return Err(Error::corrupt("the compressed bytes of a page end early"));
        }
        if let Some((expected, found)) = self.checksum {
            check_sum(found.finalize(), expected)?;
        }
        Ok(self.page)
    }

    /// Decompress at least the first `target` bytes.
    pub fn reach(&mut self, target: usize) -> Result<&[u8]> {
        if target > self.length() {
            return Err(values_end_early());
        }
        while self.done < target {
            self.step(target)?;
        }
        Ok(self.bytes())
    }

    /// Decompress the blocks that the next read brings, until `target` bytes are done.
    fn step(&mut self, target: usize) -> Result<()> {
        self.context.check()?;
        let Self { context, page, done, at, end, checksum } = self;
        context.with_zstd(|zstd, window| {
            let need = zstd.next_input_bytes();
            if need == 0 && *at < *end && *done < page.length() {
                // A frame ended before the page did: another follows.
                return zstd.begin();
            }
            if need as u64 > *end - *at || (need == 0 && *done < page.length()) {
                return Err(Error::corrupt("the compressed bytes of a page end early"));
            }
            let bytes = window.get(&context.file, context.pool(), *at, need, READ_BYTES, *end)?;
            let bytes = &bytes[..bytes.len().min(in_memory(*end - *at))];
            // SAFETY: since `begin` the context was used for this page alone, whose memory does not move
            // and which nothing else writes to.
            let used = unsafe { zstd.advance(bytes, page, done, target) }?;
            if let Some((_, found)) = checksum {
                found.update(&bytes[..used]);
            }
            *at += used as u64;
            Ok(())
        })
    }
}

/// Hold the checksum of a page's compressed bytes against what its header says.
pub fn check_sum(found: u32, expected: u32) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::corrupt(format!("checksum {found:08x} of a page, expected {expected:08x}")))
}
