//! Lists and dictionary arrays that are decoded without arrow-rs, against arrow-rs.

mod shards;

use std::sync::Arc;

use arrow_array::builder::{
    Float64Builder, Int32Builder, Int64Builder, LargeListBuilder, ListBuilder, StringBuilder,
    StringDictionaryBuilder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int16Type};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, UInt64Array, new_null_array};
use arrow_schema::{DataType, Field};
use arrow_select::concat::concat_batches;
use arrow_select::take::take;
use firstbyte_core::{Dataset, Kind, ScanOptions};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterVersion};

use self::shards::{reference, scan, shard, write};

/// Two row groups of `shard`, with a row of hundreds of items in each.
const ROWS: usize = 1300;

/// Items of a row: none in some rows, hundreds in a few.
fn length(row: usize) -> usize {
    match row % 97 {
        0 => 700,
        1..5 => 0,
        rest => rest % 7,
    }
}

fn is_null(row: usize, nulls: usize) -> bool {
    nulls > 0 && (row / 5).is_multiple_of(nulls)
}

/// Lists of several types; `nulls` says how often lists and items are null, never for 0.
fn table(nulls: usize) -> RecordBatch {
    let item_is_null = |row: usize, at: usize| nulls > 0 && (row + at / 9).is_multiple_of(4);
    let mut numbers = ListBuilder::new(Int32Builder::new());
    let mut doubles = LargeListBuilder::new(Float64Builder::new());
    let mut texts = ListBuilder::new(StringBuilder::new());
    let required = Field::new("item", DataType::Int32, false);
    let mut plain = ListBuilder::new(Int32Builder::new()).with_field(required);
    let mut tag = StringDictionaryBuilder::<Int8Type>::new();
    let mut word = StringDictionaryBuilder::<Int16Type>::new();
    for row in 0..ROWS {
        for at in 0..length(row) {
            let valid = !item_is_null(row, at);
            let value = if at.is_multiple_of(2) { at % 10 } else { row * 31 + at };
            numbers.values().append_option(valid.then_some(value as i32));
            doubles.values().append_option(valid.then_some(value as f64 / 3.0));
            texts.values().append_option(valid.then(|| "wört ".repeat(value % 5) + &value.to_string()));
            plain.values().append_value(value as i32);
        }
        let valid = !is_null(row, nulls);
        // Items of a null list are not stored.
        numbers.append(valid || length(row) > 0);
        doubles.append(valid || length(row) > 0);
        texts.append(valid || length(row) > 0);
        plain.append(true);
        tag.append_option(valid.then(|| format!("tag{}", row % 40)));
        word.append_option(valid.then(|| format!("word {}", row % 900)));
    }
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("numbers", Arc::new(numbers.finish()), nulls > 0),
        ("doubles", Arc::new(doubles.finish()), nulls > 0),
        ("texts", Arc::new(texts.finish()), true),
        ("plain", Arc::new(plain.finish()), false),
        ("tag", Arc::new(tag.finish()), true),
        ("word", Arc::new(word.finish()), nulls > 0),
        ("id", Arc::new(Int64Array::from_iter_values(0..ROWS as i64)), false),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// The same with dictionaries looked up: batches may have other dictionaries than the table.
fn spelled_out(batch: &RecordBatch) -> Vec<ArrayRef> {
    let look_up = |column: &ArrayRef| match column.as_any_dictionary_opt() {
        None => column.clone(),
        Some(coded) if coded.values().is_empty() => new_null_array(coded.values().data_type(), coded.len()),
        Some(coded) => {
            let places = coded.normalized_keys();
            let keys: UInt64Array =
                (0..coded.len()).map(|row| coded.is_valid(row).then(|| places[row] as u64)).collect();
            take(coded.values(), &keys, None).unwrap()
        }
    };
    batch.columns().iter().map(look_up).collect()
}

#[test]
fn all_pages_and_dictionaries_read_as_arrow_rs_reads_them() {
    for nulls in [0, 1, 3] {
        let written = table(nulls);
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            // None, given up after some pages, and for all values.
            for (number, dictionary_bytes) in [0, 2000, 1 << 20].into_iter().enumerate() {
                let properties = WriterProperties::builder()
                    .set_writer_version(version)
                    .set_compression(Compression::SNAPPY)
                    .set_dictionary_enabled(dictionary_bytes > 0)
                    .set_dictionary_page_size_limit(dictionary_bytes.max(1))
                    .set_encoding(parquet::basic::Encoding::PLAIN);
                let shard = shard(&format!("lists-{nulls}-{version:?}-{number}"), &written, properties);
                let expected = spelled_out(&reference(&shard));
                let dataset = Dataset::open(&shard.0).unwrap();
                for batch_rows in [7, 256, 5000] {
                    let options = ScanOptions { batch_rows, ..ScanOptions::default() };
                    let found = scan(&dataset, &options);
                    let case = format!("{nulls} {version:?} {number} {batch_rows}");
                    assert!(spelled_out(&found) == expected, "{case}");
                    for column in found.columns() {
                        column.to_data().validate_full().unwrap();
                    }
                }
            }
        }
    }
}

#[test]
fn rows_from_the_middle_are_the_same_rows() {
    let written = table(3);
    for (number, version) in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0].into_iter().enumerate()
    {
        let properties = WriterProperties::builder()
            .set_writer_version(version)
            .set_dictionary_enabled(number == 0)
            .set_encoding(parquet::basic::Encoding::PLAIN);
        let shard = shard(&format!("lists-middle-{version:?}"), &written, properties);
        let expected = reference(&shard);
        let dataset = Dataset::open(&shard.0).unwrap();
        for (world, threads) in [(7, 0), (3, 2)] {
            let options = |rank| ScanOptions { shard: Some((rank, world)), threads, ..Default::default() };
            let parts: Vec<_> = (0..world).map(|rank| scan(&dataset, &options(rank))).collect();
            let whole = concat_batches(&expected.schema(), &parts).unwrap();
            assert!(spelled_out(&whole) == spelled_out(&expected), "{version:?} {world}");
        }
        let taken = dataset.take(&[1299, 5, 1099, 1100, 5, 97], &ScanOptions::default()).unwrap();
        let rows: Vec<_> = [1299, 5, 1099, 1100, 5, 97].map(|row| expected.slice(row, 1)).into();
        let rows = concat_batches(&expected.schema(), &rows).unwrap();
        assert!(spelled_out(&taken) == spelled_out(&rows), "{version:?}");
    }
}

#[test]
fn large_pages_are_passed_over_for_their_rows() {
    let mut lists = ListBuilder::new(Int64Builder::new());
    for row in 0..100_000_i64 {
        (0..row % 9).for_each(|at| lists.values().append_value(row.wrapping_mul(0x1e37_79b9_7f4a_7c15 + at)));
        lists.append(row % 9 > 0 || row % 2 > 0);
    }
    let written = RecordBatch::try_from_iter([("lists", Arc::new(lists.finish()) as ArrayRef)]).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false)
        .set_data_page_row_count_limit(usize::MAX);
    let shard = write("lists-large", &written, properties);
    let dataset = Dataset::open(&shard.0).unwrap();
    for threads in [0, 2] {
        let options = |rank| ScanOptions { shard: Some((rank, 7)), threads, ..ScanOptions::default() };
        let parts: Vec<_> = (0..7).map(|rank| scan(&dataset, &options(rank))).collect();
        assert!(concat_batches(&written.schema(), &parts).unwrap() == written, "{threads}");
    }
    let taken = dataset.take(&[99_999, 0, 50_000], &ScanOptions::default()).unwrap();
    assert_eq!(taken.slice(0, 1), written.slice(99_999, 1));
    assert_eq!(taken.slice(2, 1), written.slice(50_000, 1));
}

#[test]
fn first_rows_come_before_their_page_and_not_twice() {
    for nulls in [0, 1, 3] {
        let written = table(nulls);
        for dictionary in [false, true] {
            let properties = WriterProperties::builder()
                .set_compression(Compression::ZSTD(ZstdLevel::default()))
                .set_dictionary_enabled(dictionary);
            let shard = write(&format!("lists-early-{nulls}-{dictionary}"), &written, properties);
            let expected = spelled_out(&reference(&shard));
            let dataset = Dataset::open(&shard.0).unwrap();
            for batch_rows in [1, 5, 98, 1000, ROWS - 1, ROWS] {
                for threads in [0, 2] {
                    let options = ScanOptions { batch_rows, threads, ..ScanOptions::default() };
                    let found = spelled_out(&scan(&dataset, &options));
                    assert!(found == expected, "{nulls} {dictionary} {batch_rows} {threads}");
                }
            }
        }
    }
}

#[test]
fn a_row_as_long_as_many_pages_stays_whole() {
    let mut lists = ListBuilder::new(Int32Builder::new());
    for row in 0..5 {
        (0..row * 2000).for_each(|at| lists.values().append_value(at));
        lists.append(true);
    }
    let written = RecordBatch::try_from_iter([("lists", Arc::new(lists.finish()) as ArrayRef)]).unwrap();
    let properties = WriterProperties::builder().set_dictionary_enabled(false).set_data_page_size_limit(100);
    let shard = shard("lists-long", &written, properties);
    let dataset = Dataset::open(&shard.0).unwrap();
    for batch_rows in [1, 2, 10] {
        let options = ScanOptions { batch_rows, ..ScanOptions::default() };
        assert_eq!(scan(&dataset, &options).columns(), written.columns());
    }
    let limited = ScanOptions { max_batch_bytes: 5000, ..ScanOptions::default() };
    let error = dataset.scan(&limited).unwrap().find_map(Result::err);
    assert!(error.is_none_or(|error| error.kind == Kind::Limit), "rows are whole, or there are none");
}
