//! The beginning of a page, from the beginning of its compressed bytes: decompression that stops and goes on.

mod gzip;
mod lz4;
mod plain;
mod run;
mod snappy;
mod step;

use parquet::basic::Compression;

use self::gzip::Gzip;
use self::lz4::Lz4;
use self::plain::Plain;
use self::snappy::Snappy;
pub use self::step::Prefix;

/// Whether pages can be begun.
pub fn is_known(codec: Compression) -> bool {
    matches!(
        codec,
        Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::GZIP(_) | Compression::LZ4_RAW
    )
}

/// For a page of so many bytes; None for codecs that decompress blocks or pages in one go.
pub fn of(codec: Compression, page_bytes: usize) -> Option<Box<dyn Prefix>> {
    Some(match codec {
        Compression::UNCOMPRESSED => Box::new(Plain),
        Compression::SNAPPY => Box::new(Snappy::new(page_bytes)),
        Compression::GZIP(_) => Box::new(Gzip::default()),
        Compression::LZ4_RAW => Box::new(Lz4::default()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::step::ends_early;
    use super::*;
    use crate::error::Result;

    /// Text that compresses in runs of all kinds, and noise.
    fn page() -> Vec<u8> {
        let mut random = crate::random::Random::new(&[7]);
        let mut page = vec![b'x'; 3_000];
        for at in 0..40_000_u64 {
            let word = random.next_u64();
            match word % 3 {
                0 => page.extend(word.to_le_bytes()),
                1 => page.extend(format!("word {} ", word % 50).bytes()),
                _ => page.extend_from_within(page.len() - 1 - (at % 2_000) as usize..page.len() - 1),
            }
            if page.len() > 300_000 {
                break;
            }
        }
        page
    }

    fn packed(codec: Compression, page: &[u8]) -> Vec<u8> {
        use std::io::Write;
        match codec {
            Compression::SNAPPY => snap::raw::Encoder::new().compress_vec(page).unwrap(),
            Compression::LZ4_RAW => lz4_flex::block::compress(page),
            Compression::GZIP(_) => {
                // Two members, one after another.
                let member = |bytes: &[u8]| {
                    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                    encoder.write_all(bytes).unwrap();
                    encoder.finish().unwrap()
                };
                let (first, second) = page.split_at(page.len() / 3);
                [member(first), member(second)].concat()
            }
            _ => page.to_vec(),
        }
    }

    fn codecs() -> [Compression; 4] {
        [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::LZ4_RAW,
            Compression::GZIP(Default::default()),
        ]
    }

    /// The page, from input that comes `step` bytes at a time.
    fn expanded(codec: Compression, packed: &[u8], length: usize, step: usize) -> Result<Vec<u8>> {
        let mut prefix = of(codec, length).unwrap();
        let (mut page, mut at, mut seen) = (Vec::new(), 0, step);
        while page.len() < length {
            let target = (page.len() + 1_000).min(length);
            let used = prefix.advance(&packed[at..seen.min(packed.len())], &mut page, target)?;
            assert!(page.len() <= length);
            at += used;
            if page.len() < target && used == 0 {
                if seen > packed.len() {
                    return Err(ends_early());
                }
                seen += step;
            }
            seen = seen.max(at + 1);
        }
        Ok(page)
    }

    #[test]
    fn pages_come_whole_however_their_bytes_come() {
        let page = page();
        for codec in codecs() {
            let packed = packed(codec, &page);
            for step in [1, 7, 4_096, usize::MAX / 2] {
                assert!(expanded(codec, &packed, page.len(), step).unwrap() == page, "{codec} {step}");
            }
        }
    }

    #[test]
    fn bytes_that_were_changed_or_cut_give_errors_or_other_bytes_and_no_more() {
        let page = &page()[..30_000];
        let mut random = crate::random::Random::new(&[8]);
        for codec in codecs() {
            let packed = packed(codec, page);
            for _ in 0..100 {
                let mut bad = packed.clone();
                let at = random.next_u64() as usize % bad.len();
                bad[at] ^= 1 << (random.next_u64() % 8);
                bad.truncate(bad.len() - random.next_u64() as usize % 100);
                if let Ok(found) = expanded(codec, &bad, page.len(), 4_096) {
                    assert_eq!(found.len(), page.len());
                }
            }
        }
    }

    #[test]
    fn references_to_before_the_page_are_refused() {
        for (codec, packed) in [
            (Compression::SNAPPY, &[8, 0, b'x', 0b11 << 2 | 1, 2][..]),
            (Compression::LZ4_RAW, &[0x13, b'x', 2, 0][..]),
            (Compression::LZ4_RAW, &[0x13, b'x', 0, 0][..]),
        ] {
            assert!(expanded(codec, packed, 8, 100).is_err());
        }
    }

    #[test]
    fn a_length_that_is_not_the_page_s_is_refused() {
        let packed = packed(Compression::SNAPPY, &[1; 100]);
        assert!(expanded(Compression::SNAPPY, &packed, 99, 100).is_err());
    }
}
