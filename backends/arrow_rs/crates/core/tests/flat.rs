//! Columns that are decoded without arrow-rs, against arrow-rs.

mod shards;

use std::fs::File;
use std::sync::Arc;

use self::shards::{Shard, reference, scan, shard};
use arrow_array::{
    ArrayRef, BinaryArray, Date32Array, Float32Array, Float64Array, Int32Array, Int64Array, LargeStringArray,
    RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use arrow_select::concat::concat_batches;
use firstbyte_core::{Dataset, ScanOptions};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::{WriterProperties, WriterVersion};

const ROWS: usize = 3000;

/// A column of each type; every `nulls`-th run of rows is null, none for 0. Half of the values repeat.
fn table(nulls: usize) -> RecordBatch {
    let valid = |row: usize| nulls == 0 || !(row / 13).is_multiple_of(nulls);
    let value = |row: usize| if row.is_multiple_of(2) { row % 16 } else { row };
    let rows = || (0..ROWS).map(|row| valid(row).then(|| value(row)));
    let text = |value: usize| "wört ".repeat(value % 23) + &value.to_string();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("int32", Arc::new(rows().map(|v| Some(v? as i32 - 100)).collect::<Int32Array>())),
        ("uint32", Arc::new(rows().map(|v| Some(u32::MAX - v? as u32)).collect::<UInt32Array>())),
        ("date", Arc::new(rows().map(|v| Some(v? as i32)).collect::<Date32Array>())),
        ("float", Arc::new(rows().map(|v| Some(v? as f32 / 3.0)).collect::<Float32Array>())),
        ("int64", Arc::new(rows().map(|v| Some(i64::MAX - v? as i64)).collect::<Int64Array>())),
        ("uint64", Arc::new(rows().map(|v| Some(u64::MAX - v? as u64)).collect::<UInt64Array>())),
        ("double", Arc::new(rows().map(|v| Some(v? as f64 / 3.0)).collect::<Float64Array>())),
        ("text", Arc::new(rows().map(|v| v.map(text)).collect::<StringArray>())),
        ("large", Arc::new(rows().map(|v| v.map(text)).collect::<LargeStringArray>())),
        ("binary", Arc::new(rows().map(|v| v.map(|v| vec![0xff; v % 70])).collect::<BinaryArray>())),
    ];
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, nulls > 0)),
    )
    .unwrap()
}

#[test]
fn all_types_pages_and_dictionaries_read_as_arrow_rs_reads_them() {
    for nulls in [0, 1, 3] {
        let expected = table(nulls);
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            // None, given up after some pages, and for all values.
            for (number, dictionary_bytes) in [0, 2000, 1 << 20].into_iter().enumerate() {
                let properties = WriterProperties::builder()
                    .set_writer_version(version)
                    .set_compression(Compression::ZSTD(Default::default()))
                    .set_dictionary_enabled(dictionary_bytes > 0)
                    .set_dictionary_page_size_limit(dictionary_bytes.max(1))
                    // Without a dictionary, version 2 writers choose delta encodings: those are arrow-rs's.
                    .set_encoding(parquet::basic::Encoding::PLAIN);
                let shard = shard(&format!("{nulls}-{version:?}-{number}"), &expected, properties);
                assert_eq!(reference(&shard), expected);
                let dataset = Dataset::open(&shard.0).unwrap();
                for batch_rows in [7, 1024, 5000] {
                    let options = ScanOptions { batch_rows, ..ScanOptions::default() };
                    assert_eq!(
                        scan(&dataset, &options),
                        expected,
                        "{nulls} {version:?} {number} {batch_rows}"
                    );
                }
            }
        }
    }
}

#[test]
fn rows_from_the_middle_are_the_same_rows() {
    let expected = table(3);
    for dictionary in [false, true] {
        let properties = WriterProperties::builder().set_dictionary_enabled(dictionary);
        let shard = shard(&format!("middle-{dictionary}"), &expected, properties);
        let dataset = Dataset::open(&shard.0).unwrap();
        for world in [7, 100] {
            let parts: Vec<_> = (0..world)
                .map(|rank| scan(&dataset, &ScanOptions { shard: Some((rank, world)), ..Default::default() }))
                .collect();
            assert_eq!(concat_batches(&expected.schema(), &parts).unwrap(), expected, "{world}");
        }
        let taken = dataset.take(&[2999, 5, 1099, 1100, 5], &ScanOptions::default()).unwrap();
        let rows: Vec<_> = [2999, 5, 1099, 1100, 5].map(|row| expected.slice(row, 1)).into();
        assert_eq!(taken, concat_batches(&expected.schema(), &rows).unwrap());
    }
}

#[test]
fn threads_that_share_pages_deliver_the_same_batches() {
    // Row groups of several pieces of about 16 MB, in pages of several: pieces end within pages.
    let rows = 60_000;
    let text = (0..rows).map(|row| (row % 7 != 0).then(|| format!("{row} ").repeat(220)));
    let numbers = Int64Array::from_iter_values(0..rows);
    let columns: [(&str, ArrayRef); 2] =
        [("text", Arc::new(text.collect::<StringArray>())), ("number", Arc::new(numbers))];
    let expected = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().zip([true, false]).map(|((name, array), nulls)| (name, array, nulls)),
    )
    .unwrap();
    let path = std::env::temp_dir().join(format!("firstbyte-flat-{}-shared.parquet", std::process::id()));
    let shard = Shard(path);
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_data_page_size_limit(3 << 20)
        .set_data_page_row_count_limit(usize::MAX)
        .set_max_row_group_row_count(Some(50_001))
        .build();
    let file = File::create(&shard.0).unwrap();
    let mut writer = ArrowWriter::try_new(file, expected.schema(), Some(properties)).unwrap();
    writer.write(&expected).unwrap();
    writer.close().unwrap();
    let dataset = Dataset::open(&shard.0).unwrap();
    let batches = |threads| -> Vec<RecordBatch> {
        let options = ScanOptions { threads, ..ScanOptions::default() };
        dataset.scan(&options).unwrap().map(Result::unwrap).collect()
    };
    let direct = batches(0);
    assert_eq!(concat_batches(&expected.schema(), &direct).unwrap(), expected);
    assert!(batches(2) == direct && batches(5) == direct);
}
