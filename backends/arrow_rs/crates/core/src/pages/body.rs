//! The body of a page, read, decompressed and checked.

use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::column::page::Page;

use crate::encoding::{delta, levels};
use crate::error::{Error, Result};
use crate::format::page_header::Body;
use crate::pages::chunk::Chunk;
use crate::pages::context::Tools;
use crate::pages::headers::{LocatedPage, READ_AHEAD_BYTES};
use crate::pages::partial::PartialPage;

/// The page, decompressed, as decoders take it.
pub fn load(chunk: &Chunk, page: LocatedPage) -> Result<Page> {
    chunk.marker.offset.store(page.start, Relaxed);
    let buf = decompress(chunk, page)?;
    check_values(chunk, &page.header.body, &buf)?;
    Ok(match page.header.body {
        Body::Data { values, encoding, def_levels, rep_levels } => Page::DataPage {
            buf,
            num_values: values,
            encoding,
            def_level_encoding: def_levels,
            rep_level_encoding: rep_levels,
            statistics: None,
        },
        Body::DataV2 { values, nulls, rows, encoding, def_bytes, rep_bytes, compressed } => {
            Page::DataPageV2 {
                buf,
                num_values: values,
                encoding,
                num_nulls: nulls,
                num_rows: rows,
                def_levels_byte_len: def_bytes,
                rep_levels_byte_len: rep_bytes,
                is_compressed: compressed,
                statistics: None,
            }
        }
        Body::Dictionary { values, encoding, sorted } => {
            Page::DictionaryPage { buf, num_values: values, encoding, is_sorted: sorted }
        }
        Body::Other => return Err(Error::corrupt("a page of unknown type")),
    })
}

fn decompress(chunk: &Chunk, page: LocatedPage) -> Result<Bytes> {
    let LocatedPage { header, start } = page;
    let context = &chunk.context;
    // Levels of a V2 page are never compressed; its values may be left as they are, too.
    let (plain_bytes, codec) = match header.body {
        Body::DataV2 { compressed: false, .. } => (0, Compression::UNCOMPRESSED),
        Body::DataV2 { def_bytes, rep_bytes, .. } => ((def_bytes + rep_bytes) as usize, chunk.codec),
        _ => (0, chunk.codec),
    };
    if matches!(codec, Compression::ZSTD(_))
        && plain_bytes == 0
        && header.crc.is_none()
        && header.compressed_bytes > READ_AHEAD_BYTES
    {
        return Ok(PartialPage::new(context, page)?.finish()?.freeze());
    }
    let mut buffer = context.pool.take(header.uncompressed_bytes);
    let mut tools = context.tools();
    let Tools { window, codecs } = &mut *tools;
    let packed = window.get(&context.file, &context.pool, start, header.compressed_bytes, 0, chunk.end)?;
    let packed = &packed[..header.compressed_bytes];
    if let Some(expected) = header.crc {
        let found = crc32fast::hash(packed);
        if found != expected {
            return Err(Error::corrupt(format!("checksum {found:08x} of a page, expected {expected:08x}")));
        }
    }
    buffer.put(&packed[..plain_bytes]);
    // A page without values may have an empty body, which is no valid frame for some codecs.
    if header.uncompressed_bytes > plain_bytes {
        codecs.decompress(codec, &packed[plain_bytes..], &mut buffer, plain_bytes)?;
    }
    Ok(buffer.freeze())
}

/// What decoders must not believe: the number of levels, and the lengths that delta encodings declare.
fn check_values(chunk: &Chunk, body: &Body, page: &Bytes) -> Result<()> {
    let (Body::Data { values, encoding, .. } | Body::DataV2 { values, encoding, .. }) = *body else {
        return Ok(());
    };
    if !chunk.is_repeated() && !delta::is_delta(encoding) {
        return Ok(());
    }
    let begin = levels::end(body, page, chunk.highest)?;
    if !delta::is_delta(encoding) {
        return Ok(());
    }
    delta::check(encoding, chunk.width, &page[begin..], values as usize, chunk.context.max_page_bytes)
}
