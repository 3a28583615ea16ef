//! The footer of a file of many columns and row groups, read and checked.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, RecordBatch};
use criterion::Criterion;
use firstbyte_core::internals::read_footer;
use firstbyte_core::source::LocalFile;
use parquet::file::properties::WriterProperties;

use crate::shards::write;

pub fn parse(criterion: &mut Criterion) {
    let column =
        |index| (format!("column {index}"), Arc::new(Int32Array::from_iter_values(0..100)) as ArrayRef);
    let batch = RecordBatch::try_from_iter((0..50).map(column)).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(10));
    let shard = write("bench-footer", &batch, properties);
    let file = LocalFile::open(&shard.0).unwrap();
    criterion.bench_function("footer", |bench| bench.iter(|| read_footer(&file).unwrap()));
}
