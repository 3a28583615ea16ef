//! Column chunks that nobody can read here: encrypted under a footer that is not, or of a codec of the future.

use crate::error::{Error, Kind, Result};
use crate::format::thrift::{Reader, Step, kind};

/// The format's codecs are numbered from 0 to this.
const LAST_CODEC: i64 = 7;

/// The leaves that are encrypted in any row group of the footer, in ascending order. Fails where a codec is not known:
/// the decoder behind us takes no such footer.
pub fn encrypted_leaves(footer: &[u8]) -> Result<Vec<usize>> {
    let found = walk(footer)?;
    if let Some(codec) = found.strange_codec {
        let message = format!("a column chunk of codec {codec}, which the format did not have");
        return Err(Error::new(Kind::Unsupported, message));
    }
    let mut encrypted = found.encrypted;
    encrypted.sort_unstable();
    encrypted.dedup();
    Ok(encrypted)
}

#[derive(Default)]
struct Found {
    encrypted: Vec<usize>,
    strange_codec: Option<i64>,
}

fn walk(footer: &[u8]) -> Step<Found> {
    let mut reader = Reader::new(footer);
    let mut found = Found::default();
    let mut last = 0;
    while let Some(field) = reader.field(&mut last)? {
        match field {
            (4, kind::LIST) => {
                let (_, groups) = reader.list()?;
                for _ in 0..groups {
                    in_group(&mut reader, &mut found)?;
                }
            }
            (_, wire) => reader.skip(wire)?,
        }
    }
    Ok(found)
}

fn in_group(reader: &mut Reader<'_>, found: &mut Found) -> Step<()> {
    let mut last = 0;
    while let Some(field) = reader.field(&mut last)? {
        match field {
            (1, kind::LIST) => {
                let (_, chunks) = reader.list()?;
                for leaf in 0..chunks {
                    if in_chunk(reader, &mut found.strange_codec)? {
                        found.encrypted.push(leaf);
                    }
                }
            }
            (_, wire) => reader.skip(wire)?,
        }
    }
    Ok(())
}

/// Whether a chunk says how it is encrypted, or has metadata that is.
fn in_chunk(reader: &mut Reader<'_>, strange_codec: &mut Option<i64>) -> Step<bool> {
    let (mut is_encrypted, mut last) = (false, 0);
    while let Some((id, wire)) = reader.field(&mut last)? {
        is_encrypted |= matches!((id, wire), (8, kind::STRUCT) | (9, kind::BINARY));
        if (id, wire) != (3, kind::STRUCT) {
            reader.skip(wire)?;
            continue;
        }
        let mut last = 0;
        while let Some(field) = reader.field(&mut last)? {
            match field {
                (4, kind::I16 | kind::I32 | kind::I64) => {
                    let codec = reader.integer()?;
                    *strange_codec = strange_codec.or((codec > LAST_CODEC).then_some(codec));
                }
                (_, wire) => reader.skip(wire)?,
            }
        }
    }
    Ok(is_encrypted)
}
