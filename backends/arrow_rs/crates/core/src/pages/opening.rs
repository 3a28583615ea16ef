//! The beginning of a page, decompressed as far as is needed, whatever its codec.

use parquet::basic::Compression;

use crate::codec::prefix::{self, Prefix};
use crate::encoding::values_end_early;
use crate::error::{Error, Result};
use crate::memory::size::in_memory;
use crate::pages::chunk::Chunk;
use crate::pages::context::ReadContext;
use crate::pages::headers::LocatedPage;
use crate::pages::partial::{PartialPage, READ_BYTES};

/// Smaller pages of codecs that work byte by byte are decompressed at once, which is faster.
const LEAST_BYTES: usize = 256 << 10;
/// What is decompressed at a time, at least.
const STEP_BYTES: usize = 16 << 10;

/// Only one can exist per context, as of `PartialPage`.
pub enum Opening<'a> {
    /// Of zstd, block by block.
    Blocks(PartialPage<'a>),
    Stream(Stream<'a>),
}

/// Whether so many bytes, of which the first are wanted, are worth it to be taken apart.
pub fn is_worth_it(codec: Compression, bytes: usize) -> bool {
    match codec {
        Compression::ZSTD(_) => true,
        codec => bytes >= LEAST_BYTES && prefix::is_known(codec),
    }
}

impl<'a> Opening<'a> {
    /// Fails where the codec has none: see `is_worth_it`.
    pub fn new(chunk: &'a Chunk, page: LocatedPage) -> Result<Self> {
        let context = &*chunk.context;
        if let Compression::ZSTD(_) = chunk.codec {
            return PartialPage::new(context, page).map(Self::Blocks);
        }
        let length = page.header.uncompressed_bytes;
        let prefix = prefix::of(chunk.codec, length)
            .ok_or_else(|| Error::usage(format!("pages of {} are decompressed in one go", chunk.codec)))?;
        let page = Stream { context, prefix, page: Vec::new(), length, at: page.start, end: page.end() };
        Ok(Self::Stream(page))
    }

    /// Bytes of the whole page.
    pub fn length(&self) -> usize {
        match self {
            Self::Blocks(page) => page.length(),
            Self::Stream(page) => page.length,
        }
    }

    /// What is decompressed by now.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Blocks(page) => page.bytes(),
            Self::Stream(page) => &page.page,
        }
    }

    /// Decompress at least the first `target` bytes.
    pub fn reach(&mut self, target: usize) -> Result<&[u8]> {
        match self {
            Self::Blocks(page) => page.reach(target),
            Self::Stream(page) => page.reach(target),
        }
    }
}

/// A page of a codec that works byte by byte. Its memory grows with what is decompressed.
pub struct Stream<'a> {
    context: &'a ReadContext,
    prefix: Box<dyn Prefix>,
    page: Vec<u8>,
    length: usize,
    /// Where in the file the compressed bytes that come next are, and where they end.
    at: u64,
    end: u64,
}

impl Stream<'_> {
    fn reach(&mut self, target: usize) -> Result<&[u8]> {
        if target > self.length {
            return Err(values_end_early());
        }
        if target > self.page.len() {
            let target = target.max(self.page.len() + STEP_BYTES).min(self.length);
            let before = self.page.capacity();
            self.page.reserve(target - self.page.len());
            self.context.pool.charge(self.page.capacity() - before);
            self.advance(target)?;
        }
        Ok(&self.page)
    }

    fn advance(&mut self, target: usize) -> Result<()> {
        let Self { context, prefix, page, at, end, .. } = self;
        let mut tools = context.tools();
        let mut need = 1;
        while page.len() < target {
            context.check()?;
            let left = in_memory(*end - *at);
            let bytes =
                tools.window.get(&context.file, &context.pool, *at, need.min(left), READ_BYTES, *end)?;
            let bytes = &bytes[..bytes.len().min(left)];
            let before = page.len();
            let used = prefix.advance(bytes, page, target)?;
            *at += used as u64;
            if used > 0 || page.len() > before {
                need = 1;
            } else if bytes.len() == left {
                return Err(Error::corrupt("the compressed bytes of a page end early"));
            } else {
                need = bytes.len().saturating_mul(2);
            }
        }
        Ok(())
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        self.context.pool.discharge(self.page.capacity());
    }
}
