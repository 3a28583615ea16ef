//! Files for the tests, and how arrow-rs and this crate read them.

use std::fs::{self, File};
use std::path::PathBuf;

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use firstbyte_core::{Dataset, ScanOptions};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterPropertiesBuilder;

pub struct Shard(pub PathBuf);

impl Drop for Shard {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A file of small row groups and pages.
pub fn shard(name: &str, batch: &RecordBatch, properties: WriterPropertiesBuilder) -> Shard {
    let properties = properties
        .set_max_row_group_row_count(Some(1100))
        // Pages are cut between writes.
        .set_write_batch_size(64)
        .set_data_page_row_count_limit(256);
    write(name, batch, properties)
}

pub fn write(name: &str, batch: &RecordBatch, properties: WriterPropertiesBuilder) -> Shard {
    let path = std::env::temp_dir().join(format!("firstbyte-core-{}-{name}.parquet", std::process::id()));
    let file = File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties.build())).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    Shard(path)
}

pub fn reference(shard: &Shard) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&shard.0).unwrap()).unwrap();
    let schema = reader.schema().clone();
    let batches: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

pub fn scan(dataset: &Dataset, options: &ScanOptions) -> RecordBatch {
    let scan = dataset.scan(options).unwrap();
    let schema = scan.schema().clone();
    let batches: Vec<_> = scan.map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}
