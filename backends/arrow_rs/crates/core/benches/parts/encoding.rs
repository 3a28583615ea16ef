//! What pages are made of: runs, levels, lengths and strings.

use std::hint::black_box;

use arrow_array::types::Utf8Type;
use bytes::Bytes;
use criterion::{Criterion, Throughput};
use firstbyte_core::internals::{
    Body, ByteArrays, Decoded, Highest, Random, Room, Runs, Validity, Values, check_delta, check_levels,
    encode_hybrid,
};
use parquet::basic::Encoding;

const VALUES: usize = 64 << 10;

fn numbers(width: u32) -> Vec<u32> {
    let mut random = Random::new(&[width.into()]);
    (0..VALUES).map(|_| (random.next_u64() >> (64 - width)) as u32).collect()
}

/// Bit-packed numbers of several widths, and one that repeats.
pub fn hybrid(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hybrid");
    group.throughput(Throughput::Elements(VALUES as u64));
    let mut out = vec![0; VALUES];
    for width in [1, 7, 12, 20] {
        for (kind, numbers) in [("packed", numbers(width)), ("repeated", vec![1; VALUES])] {
            let bytes = Bytes::from(encode_hybrid(&numbers, width));
            group.bench_function(format!("{kind}/{width}"), |bench| {
                bench.iter(|| {
                    Runs::new(bytes.clone(), width).unwrap().read(black_box(&mut out)).unwrap();
                });
            });
        }
    }
    let bytes = Bytes::from(encode_hybrid(&numbers(1), 1));
    group.bench_function("validity", |bench| {
        bench.iter(|| {
            let mut validity = Validity::default();
            let present = Runs::new(bytes.clone(), 1).unwrap().read_validity(VALUES, &mut validity);
            (present.unwrap(), validity.finish())
        });
    });
    group.finish();
}

/// Where the values of a page of lists begin, which looks at each level.
pub fn levels(criterion: &mut Criterion) {
    let mut page = Vec::new();
    for width in [1, 2] {
        let stream = encode_hybrid(&numbers(width), width);
        page.extend(u32::try_from(stream.len()).unwrap().to_le_bytes());
        page.extend(stream);
    }
    let page = Bytes::from(page);
    let body = Body::Data {
        values: VALUES as u32,
        encoding: Encoding::PLAIN,
        def_levels: Encoding::RLE,
        rep_levels: Encoding::RLE,
    };
    let highest = Highest { repetition: 1, definition: 3 };
    let mut group = criterion.benchmark_group("levels");
    group.throughput(Throughput::Elements(VALUES as u64));
    group.bench_function("end", |bench| {
        bench.iter(|| check_levels(black_box(&body), &page, highest, None).unwrap());
    });
    group.finish();
}

/// Lengths of strings as deltas of four bits.
pub fn delta_lengths(criterion: &mut Criterion) {
    const BLOCK: usize = 128;
    let varint = |mut value: usize| {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    };
    let count = VALUES + 1;
    let mut page = [varint(BLOCK), varint(4), varint(count), varint(0)].concat();
    for _ in 0..VALUES / BLOCK {
        // The smallest delta is none; then the widths of the parts, and deltas of 1.
        page.extend([0, 4, 4, 4, 4]);
        page.extend([0x11; BLOCK / 2]);
    }
    let bytes: usize = (0..count).sum();
    page.resize(page.len() + bytes, b'x');
    let mut group = criterion.benchmark_group("delta");
    group.throughput(Throughput::Elements(count as u64));
    group.bench_function("lengths", |bench| {
        bench.iter(|| {
            check_delta(Encoding::DELTA_LENGTH_BYTE_ARRAY, None, black_box(&page), count, bytes).unwrap();
        });
    });
    group.finish();
}

/// Words of 1 to 23 bytes, plain and from a dictionary of 4,096.
pub fn strings(criterion: &mut Criterion) {
    const ENTRIES: usize = 4096;
    let word = |index: usize| "wordsofdifferentlengths"[..1 + index % 23].to_owned();
    let plain = |count: usize| -> Bytes {
        let word = |index| {
            let word = word(index);
            [&u32::try_from(word.len()).unwrap().to_le_bytes(), word.as_bytes()].concat()
        };
        (0..count).flat_map(word).collect::<Vec<_>>().into()
    };
    let page = plain(VALUES);
    let dictionary = plain(ENTRIES);
    let indices: Bytes = [vec![12], encode_hybrid(&numbers(12), 12)].concat().into();
    let mut group = criterion.benchmark_group("strings");
    group.throughput(Throughput::Elements(VALUES as u64));
    for (encoding, page) in [(Encoding::PLAIN, page), (Encoding::RLE_DICTIONARY, indices)] {
        let mut values = Decoded::new(ByteArrays::<Utf8Type>::new(Room::default()));
        values.set_dictionary(dictionary.clone(), ENTRIES).unwrap();
        group.bench_function(encoding.to_string(), |bench| {
            bench.iter(|| {
                values.begin_page(encoding, page.clone()).unwrap();
                values.read(VALUES).unwrap();
                values.finish(None).unwrap()
            });
        });
    }
    group.bench_function("dictionary page", |bench| {
        let mut values = Decoded::new(ByteArrays::<Utf8Type>::new(Room::default()));
        bench.iter(|| values.set_dictionary(dictionary.clone(), ENTRIES).unwrap());
    });
    group.finish();
}
