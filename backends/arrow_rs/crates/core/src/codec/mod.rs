//! Decompression into a buffer of known size, with contexts that are made once and used for every page.

mod brotli;
mod lz4_hadoop;
pub mod prefix;
mod whole;
pub mod zstd;

use parquet::basic::Compression;

use self::whole::{bad, fill, wrong_size};
use self::zstd::Zstd;
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
            Compression::BROTLI(_) => brotli::decompress(input, output)?,
            Compression::LZ4_RAW => lz4_flex::block::decompress_into(input, output).map_err(bad)?,
            Compression::LZ4 => lz4_hadoop::decompress(input, output)
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

fn copy(input: &[u8], output: &mut [u8]) -> Result<usize> {
    if input.len() != output.len() {
        return Err(wrong_size(input.len(), output.len()));
    }
    output.copy_from_slice(input);
    Ok(input.len())
}
