//! The body of a page, read, decompressed and checked.

use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type};
use parquet::column::page::Page;

use crate::encoding::levels::{Levels, Nesting};
use crate::encoding::{delta, int96, levels};
use crate::error::{Error, Result};
use crate::format::page_header::Body;
use crate::pages::batch_bytes;
use crate::pages::chunk::Chunk;
use crate::pages::context::Tools;
use crate::pages::headers::{LocatedPage, READ_AHEAD_BYTES};
use crate::pages::partial::{PartialPage, check_sum};

/// The page, decompressed, as decoders take it, and what its levels say, where it has values.
pub fn load(chunk: &Chunk, page: LocatedPage) -> Result<(Page, Option<Levels>)> {
    chunk.marker.offset.store(page.start, Relaxed);
    let buf = levels::of_today(&page.header.body, decompress(chunk, page)?, chunk.highest)?;
    let (buf, levels, is_plain) = check_values(chunk, &page.header.body, buf)?;
    let encoded = |encoding| if is_plain { Encoding::PLAIN } else { encoding };
    let page = match page.header.body {
        Body::Data { values, encoding, .. } => Page::DataPage {
            buf,
            num_values: values,
            encoding: encoded(encoding),
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        },
        Body::DataV2 { values, nulls, rows, encoding, def_bytes, rep_bytes, compressed } => {
            Page::DataPageV2 {
                buf,
                num_values: values,
                encoding: encoded(encoding),
                num_nulls: nulls.unwrap_or(0),
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
    };
    Ok((page, levels))
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
    if matches!(codec, Compression::ZSTD(_)) && plain_bytes == 0 && header.compressed_bytes > READ_AHEAD_BYTES
    {
        return Ok(PartialPage::new(context, page)?.finish()?.freeze());
    }
    let mut buffer = context.pool.take(header.uncompressed_bytes);
    let mut tools = context.tools();
    let Tools { window, codecs } = &mut *tools;
    let packed = window.get(&context.file, &context.pool, start, header.compressed_bytes, 0, chunk.limit)?;
    let packed = &packed[..header.compressed_bytes];
    if let Some(expected) = header.crc {
        check_sum(crc32fast::hash(packed), expected)?;
    }
    buffer.put(&packed[..plain_bytes]);
    // A page without values may have an empty body, which is no valid frame for some codecs.
    if header.uncompressed_bytes > plain_bytes {
        codecs.decompress(codec, &packed[plain_bytes..], &mut buffer, plain_bytes)?;
    }
    Ok(buffer.freeze())
}

/// What decoders must not believe: levels, their number, the lengths that delta encodings declare, dates. Returns the
/// page, what its levels say, and whether its values were made plain.
fn check_values(chunk: &Chunk, body: &Body, page: Bytes) -> Result<(Bytes, Option<Levels>, bool)> {
    let (Body::Data { values, encoding, .. } | Body::DataV2 { values, encoding, .. }) = *body else {
        if let Some(unit) = chunk.handling.int96 {
            int96::check(&page, unit)?;
        }
        return Ok((page, None, false));
    };
    let nesting = chunk
        .handling
        .nesting
        .as_deref()
        .map(|least| Nesting { least, batch_rows: chunk.marker.wanted.load(Relaxed) });
    let levels = levels::check(body, &page, chunk.highest, nesting)?;
    batch_bytes::charge_entries(chunk, levels.most_entries)?;
    let end = levels.end;
    if let Some(unit) = chunk.handling.int96.filter(|_| encoding == Encoding::PLAIN) {
        int96::check(&page[end..], unit)?;
    }
    if delta::is_delta(encoding) {
        let bytes = &page[end..];
        delta::check(encoding, chunk.width, bytes, values as usize, chunk.context.max_page_bytes)?;
        if chunk.physical == Type::INT32
            && encoding == Encoding::DELTA_BINARY_PACKED
            && let Some(plain) = delta::as_plain(bytes, values as usize)?
        {
            return Ok(([&page[..end], &plain].concat().into(), Some(levels), true));
        }
    }
    Ok((page, Some(levels), false))
}
