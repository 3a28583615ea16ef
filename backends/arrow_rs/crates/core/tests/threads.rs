//! However the work is divided among threads, the batches are those of a scan without any.

#[expect(dead_code, reason = "other tests use the rest")]
mod shards;

use std::fs;
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, ListBuilder};
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use firstbyte_core::{Comparison, Dataset, Kind, Operator, ScanOptions};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};

use shards::{Shard, write};

const ROWS: i64 = 30_000;

/// Columns that take about as much each, and lists among them.
fn even() -> RecordBatch {
    let mut lists = ListBuilder::new(Int64Builder::new());
    for row in 0..ROWS {
        lists.append_option((row % 7 > 0).then(|| (0..row % 3).map(|item| Some(row * item))));
    }
    let text = (0..ROWS).map(|row| (row % 5 > 0).then(|| format!("{:x}", row.wrapping_mul(0x9e37_79b9))));
    let columns: [(&str, ArrayRef); 4] = [
        ("id", Arc::new((0..ROWS).collect::<Int64Array>())),
        ("text", Arc::new(text.collect::<StringArray>())),
        ("lists", Arc::new(lists.finish())),
        ("score", Arc::new((0..ROWS).map(|row| row as f64 / 3.0).collect::<Float64Array>())),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// One column is nearly all of it.
fn uneven() -> RecordBatch {
    let text = (0..ROWS).map(|row| Some(format!("{row:0>200}")));
    let columns: [(&str, ArrayRef); 2] = [
        ("id", Arc::new((0..ROWS).collect::<Int64Array>())),
        ("text", Arc::new(text.collect::<StringArray>())),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn properties(group_rows: usize) -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_max_row_group_row_count(Some(group_rows))
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_data_page_size_limit(50_000)
        .set_write_batch_size(100)
}

/// Files whose work is divided by column, by row group, and by rows.
fn files() -> [Shard; 4] {
    [
        write("threads-columns", &even(), properties(1_000_000)),
        write("threads-two", &even(), properties(20_000)),
        write("threads-groups", &even(), properties(1_000)),
        write("threads-rows", &uneven(), properties(1_000_000)),
    ]
}

fn batches(dataset: &Dataset, options: &ScanOptions) -> Vec<RecordBatch> {
    dataset.scan(options).unwrap().map(Result::unwrap).collect()
}

#[test]
fn batches_are_the_same() {
    let comparison = Comparison::new("id", Operator::GreaterOrEqual, 17_000);
    let all = [
        ScanOptions::default(),
        ScanOptions { batch_rows: 777, memory_budget_bytes: 1, ..Default::default() },
        ScanOptions { shard: Some((1, 3)), ..Default::default() },
        ScanOptions { predicate: vec![comparison], ..Default::default() },
        ScanOptions { seed: Some(3), shuffle_rows: 5_000, ..Default::default() },
        ScanOptions { columns: Some(vec!["text".into(), "id".into()]), ..Default::default() },
        ScanOptions { columns: Some(vec![]), ..Default::default() },
    ];
    for file in files() {
        let dataset = Dataset::open(&file.0).unwrap();
        for options in &all {
            let expected = batches(&dataset, options);
            assert!(!expected.is_empty());
            for threads in [1, 2, 3, 4, 9] {
                let found = batches(&dataset, &ScanOptions { threads, ..options.clone() });
                assert!(found == expected, "{} with {threads} threads, {options:?}", file.0.display());
            }
        }
    }
}

#[test]
fn a_scan_goes_on_in_the_middle_of_a_batch_of_another() {
    for file in files() {
        let dataset = Dataset::open(&file.0).unwrap();
        let options = |threads| ScanOptions { threads, ..Default::default() };
        let expected = batches(&dataset, &options(0));
        let mut scan = dataset.scan(&options(2)).unwrap();
        let first: Vec<_> = scan.by_ref().take(5).map(Result::unwrap).collect();
        let resume = Some(scan.progress());
        drop(scan);
        assert!(first == expected[..5]);
        for threads in [0, 2] {
            let rest = batches(&dataset, &ScanOptions { threads, resume, ..Default::default() });
            assert!(rest == expected[5..]);
        }
    }
}

#[test]
fn an_error_of_one_column_ends_the_scan_and_says_where() {
    let file = write("threads-broken", &even(), properties(1_000_000));
    let dataset = Dataset::open(&file.0).unwrap();
    let chunk = |leaf: usize| {
        let metadata = parquet::file::metadata::ParquetMetaDataReader::new()
            .parse_and_finish(&fs::File::open(&file.0).unwrap())
            .unwrap();
        metadata.row_group(0).column(leaf).byte_range()
    };
    let sound = fs::read(&file.0).unwrap();
    for (leaf, column) in ["id", "text", "lists", "score"].into_iter().enumerate() {
        let mut broken = sound.clone();
        let (start, length) = chunk(leaf);
        let end = (start + length) as usize;
        broken[end - 5_000..end - 4_000].fill(0xff);
        fs::write(&file.0, &broken).unwrap();
        for threads in [0, 2, 4] {
            let scan = dataset.scan(&ScanOptions { threads, ..Default::default() }).unwrap();
            let mut outcomes: Vec<_> = scan.collect();
            let error = outcomes.pop().unwrap().unwrap_err();
            assert_eq!(error.kind, Kind::Corrupt, "{error}");
            assert_eq!(error.place.column.as_deref(), Some(column), "{threads} threads");
            assert!(outcomes.iter().all(Result::is_ok));
        }
        fs::write(&file.0, &sound).unwrap();
    }
}
