//! The reader against files written by the parquet crate itself.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array, FixedSizeBinaryArray, Int64Array, ListArray, RecordBatch, StringArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Schema};
use firstbyte_core::{Comparison, Dataset, Kind, Operator, ScanOptions};
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;

/// A file of its own per test, removed at the end.
struct Shard(PathBuf);

impl Drop for Shard {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn rows(count: i64) -> RecordBatch {
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("text", DataType::Utf8, true),
    ]));
    let text = (0..count).map(|i| (i % 5 != 0).then(|| format!("row {i}")));
    RecordBatch::try_new(
        schema,
        vec![Arc::new((0..count).collect::<Int64Array>()), Arc::new(text.collect::<StringArray>())],
    )
    .unwrap()
}

fn shard(name: &str, batch: &RecordBatch, group_rows: usize) -> Shard {
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group_rows));
    write(name, batch, properties.build())
}

fn write(name: &str, batch: &RecordBatch, properties: WriterProperties) -> Shard {
    let path = std::env::temp_dir().join(format!("firstbyte-core-{}-{name}.parquet", std::process::id()));
    let mut writer =
        ArrowWriter::try_new(fs::File::create(&path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    Shard(path)
}

fn concat(batches: &[RecordBatch]) -> RecordBatch {
    arrow_select::concat::concat_batches(&batches[0].schema(), batches).unwrap()
}

#[test]
fn all_rows_arrive_in_order() {
    let expected = rows(1000);
    let shard = shard("order", &expected, 300);
    let dataset = Dataset::open(&shard.0).unwrap();
    assert_eq!(dataset.row_group_rows(), [300, 300, 300, 100]);
    let scan = dataset.scan(&ScanOptions { batch_rows: 64, ..Default::default() }).unwrap();
    let batches: Vec<_> = scan.map(Result::unwrap).collect();
    assert_eq!(concat(&batches), expected);
}

#[test]
fn a_truncated_file_is_corrupt_and_says_which() {
    let shard = shard("cut", &rows(100), 100);
    let bytes = fs::read(&shard.0).unwrap();
    fs::write(&shard.0, &bytes[..bytes.len() - 9]).unwrap();
    let error = Dataset::open(&shard.0).unwrap_err();
    assert_eq!(error.kind, Kind::Corrupt);
    assert_eq!(error.place.file.as_deref(), Some(shard.0.as_path()));
}

#[test]
fn unknown_column_is_a_usage_error() {
    let shard = shard("usage", &rows(10), 10);
    let options = ScanOptions { columns: Some(vec!["none".into()]), ..Default::default() };
    let error = Dataset::open(&shard.0).unwrap().scan(&options).err().unwrap();
    assert_eq!(error.kind, Kind::Usage);
    assert!(error.message.contains("id, text"), "{error}");
}

#[test]
fn threads_deliver_the_same_batches() {
    let expected = rows(5000);
    let shard = shard("threads", &expected, 700);
    let dataset = Dataset::open(&shard.0).unwrap();
    let batches = |threads| -> Vec<RecordBatch> {
        let options =
            ScanOptions { batch_rows: 64, threads, memory_budget_bytes: 1, ..ScanOptions::default() };
        dataset.scan(&options).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(batches(3), batches(0));
    assert_eq!(concat(&batches(2)), expected);
}

#[test]
fn a_scan_goes_on_where_another_was() {
    let expected = rows(1000);
    let shard = shard("resume", &expected, 300);
    let dataset = Dataset::open(&shard.0).unwrap();
    let options = ScanOptions { batch_rows: 70, ..ScanOptions::default() };
    let mut scan = dataset.scan(&options).unwrap();
    let mut batches: Vec<_> = scan.by_ref().take(5).map(Result::unwrap).collect();
    let resume = Some(scan.progress());
    drop(scan);
    batches.extend(dataset.scan(&ScanOptions { resume, ..options }).unwrap().map(Result::unwrap));
    assert_eq!(concat(&batches), expected);
}

#[test]
fn every_flipped_byte_is_rows_or_an_error() {
    let shard = shard("flips", &rows(200), 100);
    let bytes = fs::read(&shard.0).unwrap();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x81;
        fs::write(&shard.0, &flipped).unwrap();
        let Ok(dataset) = Dataset::open(&shard.0) else { continue };
        let Ok(scan) = dataset.scan(&ScanOptions { batch_rows: 64, ..ScanOptions::default() }) else {
            continue;
        };
        let mut seen = 0;
        let mut failed = false;
        for batch in scan {
            match batch {
                Ok(batch) => seen += batch.num_rows() as u64,
                Err(_) => failed = true,
            }
        }
        assert!(failed || seen == dataset.num_rows(), "byte {at}: {seen} rows, no error");
    }
}

#[test]
fn every_codec_gives_the_same_rows() {
    let expected = rows(20_000);
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
    ];
    for codec in codecs {
        let properties = WriterProperties::builder()
            .set_compression(codec)
            // Pages that are decompressed in several steps.
            .set_dictionary_enabled(false)
            .set_data_page_row_count_limit(15_000)
            .set_max_row_group_row_count(Some(18_000));
        let shard = write("codec", &expected, properties.build());
        let dataset = Dataset::open(&shard.0).unwrap();
        for threads in [0, 2] {
            let options = ScanOptions { batch_rows: 900, threads, ..ScanOptions::default() };
            let batches: Vec<_> = dataset.scan(&options).unwrap().map(Result::unwrap).collect();
            assert_eq!(concat(&batches), expected, "{codec}");
        }
        let taken = dataset.take(&[17_999, 3], &ScanOptions::default()).unwrap();
        assert_eq!(taken.slice(1, 1), expected.slice(3, 1), "{codec}");
    }
}

#[test]
fn the_page_index_of_arrow_rs_leaves_out_pages() {
    let expected = rows(2_000);
    let properties = WriterProperties::builder()
        .set_data_page_row_count_limit(100)
        .set_write_batch_size(100)
        .set_dictionary_enabled(false)
        .set_max_row_group_row_count(Some(1_500));
    let shard = write("index", &expected, properties.build());
    let metadata = fs::metadata(&shard.0).unwrap();
    let dataset = Dataset::open(&shard.0).unwrap();
    let predicate = [(Operator::GreaterOrEqual, 730), (Operator::Less, 1_620)]
        .map(|(operator, value)| Comparison::new("id", operator, value))
        .to_vec();
    let options = ScanOptions { predicate, batch_rows: 100, ..ScanOptions::default() };
    // What lies before the first page that can match is not needed: it may be anything.
    let mut bytes = fs::read(&shard.0).unwrap();
    bytes[4..700].fill(0xff);
    assert!(metadata.len() > 7_000, "the first page of the first column is larger than that");
    fs::write(&shard.0, &bytes).unwrap();
    let broken = Dataset::open(&shard.0).unwrap();
    for dataset in [dataset, broken] {
        let mut scan = dataset.scan(&options).unwrap();
        let batches: Vec<_> = scan.by_ref().map(Result::unwrap).collect();
        assert_eq!(concat(&batches), expected.slice(730, 890));
        assert_eq!(scan.progress().rows, 1_000, "rows of ten pages were decoded");
    }
}

#[test]
fn what_a_dictionary_stands_for_is_bounded() {
    // One page of some hundred bytes, of which the array takes ten megabytes.
    let values = FixedSizeBinaryArray::try_from_iter((0..10_000).map(|_| [7; 1_000])).unwrap();
    let item = Arc::new(Field::new_list_field(values.data_type().clone(), false));
    let lists = ListArray::new(item, OffsetBuffer::from_lengths([10_000]), Arc::new(values), None);
    let expected = RecordBatch::try_from_iter([("lists", Arc::new(lists) as _)]).unwrap();
    let shard = write("referred", &expected, WriterProperties::builder().build());
    assert!(fs::metadata(&shard.0).unwrap().len() < 10_000);
    let dataset = Dataset::open(&shard.0).unwrap();
    let batches: Vec<_> = dataset.scan(&ScanOptions::default()).unwrap().map(Result::unwrap).collect();
    assert_eq!(concat(&batches), expected);
    let limited = ScanOptions { max_batch_bytes: 1_000_000, ..ScanOptions::default() };
    let error = dataset.scan(&limited).unwrap().find_map(Result::err).unwrap();
    assert_eq!(error.kind, Kind::Limit);
}

#[test]
fn a_batch_of_nested_values_is_bounded() {
    let lists = (0..1_000).map(|row| Some((0..100).map(move |value| Some(row + value))));
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(lists);
    let expected = RecordBatch::try_from_iter([("lists", Arc::new(lists) as _)]).unwrap();
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_data_page_size_limit(1_000)
        .set_write_batch_size(10);
    let shard = write("nested", &expected, properties.build());
    let dataset = Dataset::open(&shard.0).unwrap();
    // Ten rows of a hundred values take 8 KB with their levels.
    let options = ScanOptions { batch_rows: 10, max_batch_bytes: 40_000, ..ScanOptions::default() };
    for threads in [0, 2] {
        let options = ScanOptions { threads, ..options.clone() };
        let batches: Vec<_> = dataset.scan(&options).unwrap().map(Result::unwrap).collect();
        assert_eq!(concat(&batches), expected);
        // What is skipped is not kept.
        let half = ScanOptions { shard: Some((1, 2)), ..options.clone() };
        let batches: Vec<_> = dataset.scan(&half).unwrap().map(Result::unwrap).collect();
        assert_eq!(concat(&batches), expected.slice(500, 500));
        let large = ScanOptions { batch_rows: 500, ..options };
        let error = dataset.scan(&large).unwrap().find_map(Result::err).unwrap();
        assert_eq!(error.kind, Kind::Limit);
        assert_eq!(error.place.column.as_deref(), Some("lists"));
    }
}
