//! Pages of text, read and decompressed by each codec.

use std::sync::Arc;

use arrow_array::{RecordBatch, StringArray};
use criterion::{Criterion, Throughput};
use firstbyte_core::Dataset;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::shards::write;

pub fn pages(criterion: &mut Criterion) {
    let texts =
        (0..40_000).map(|row| format!("row {row} of a text with words and {} numbers", row * 7919 % 1000));
    let texts: StringArray = texts.map(Some).collect();
    let batch = RecordBatch::try_from_iter([("text", Arc::new(texts) as _)]).unwrap();
    let mut group = criterion.benchmark_group("codec");
    group.sample_size(20);
    for (name, codec) in [
        ("uncompressed", Compression::UNCOMPRESSED),
        ("snappy", Compression::SNAPPY),
        ("lz4_raw", Compression::LZ4_RAW),
        ("zstd", Compression::ZSTD(Default::default())),
        ("gzip", Compression::GZIP(Default::default())),
        ("brotli", Compression::BROTLI(Default::default())),
    ] {
        let properties = WriterProperties::builder().set_compression(codec).set_dictionary_enabled(false);
        let shard = write(&format!("bench-{name}"), &batch, properties);
        let dataset = Dataset::open(&shard.0).unwrap();
        group.throughput(Throughput::Bytes(dataset.decompress(None).unwrap()));
        group.bench_function(name, |bench| bench.iter(|| dataset.decompress(None).unwrap()));
    }
    group.finish();
}
