//! What each fuzz target does with its bytes. A target panics where the reader breaks a promise.

#[cfg(feature = "libfuzzer")]
mod guarded;
mod scratch;

use std::path::Path;

#[cfg(not(feature = "libfuzzer"))]
use firstbyte_core::alloc::Counting;
use firstbyte_core::alloc::{live_bytes, peak_bytes, reset_peak};
use firstbyte_core::internals::{PageHeader, Stop};
use firstbyte_core::{Comparison, Dataset, Forms, Kind, Literal, Operator, Result, ScanOptions, Strings};

use crate::scratch::with_file;

#[cfg(feature = "libfuzzer")]
#[global_allocator]
static ALLOCATOR: guarded::Guarded = guarded::Guarded;
#[cfg(not(feature = "libfuzzer"))]
#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MAGIC: &[u8] = b"PAR1";
const MAX_PAGE_BYTES: usize = 1 << 20;
const MEMORY_BUDGET_BYTES: usize = 4 << 20;
/// A footer may take this many times its own bytes once it is structures.
const FOOTER_FACTOR: usize = 256;

/// The bytes as the footer of a file that has some room for column chunks.
pub fn footer(bytes: &[u8]) {
    let length = (bytes.len() as u32).to_le_bytes();
    let file = [MAGIC, &[0; 64], bytes, &length, MAGIC].concat();
    let limit = (64 << 10) + FOOTER_FACTOR * file.len();
    with_file(&file, |path| within(limit, || expect_typed(Dataset::open(path).map(drop))));
}

/// The bytes as the header of a page. Every shorter prefix must ask for more or be refused.
pub fn page_header(bytes: &[u8]) {
    let Ok((header, length)) = PageHeader::parse(bytes) else { return };
    assert!(length <= bytes.len(), "a header of {length} bytes out of {}", bytes.len());
    assert_eq!(PageHeader::parse(&bytes[..length]), Ok((header, length)));
    for cut in 0..length {
        assert_eq!(PageHeader::parse(&bytes[..cut]), Err(Stop::More), "cut at {cut}");
    }
}

/// The first byte as options and as what is done, the others as a file.
pub fn scan(bytes: &[u8]) {
    let Some((&choice, file)) = bytes.split_first() else { return };
    let strings = [Strings::AsStored, Strings::View, Strings::Dictionary][usize::from(choice >> 3 & 7) % 3];
    let options = ScanOptions {
        batch_rows: [7, 1024][usize::from(choice & 1)],
        threads: [0, 0, 0, 2][usize::from(choice >> 1 & 3)],
        forms: Forms { strings, ..Forms::default() },
        memory_budget_bytes: MEMORY_BUDGET_BYTES,
        max_page_bytes: MAX_PAGE_BYTES,
        max_batch_bytes: MAX_PAGE_BYTES as u64,
        ..ScanOptions::default()
    };
    let limit = MEMORY_BUDGET_BYTES + MAX_PAGE_BYTES + FOOTER_FACTOR * file.len();
    let read = [read_all, read_share, read_matching, take_some][usize::from(choice >> 6)];
    with_file(file, |path| within(limit, || expect_typed(read(path, &options))));
}

/// All rows, which must be as many as the footer promised.
fn read_all(path: &Path, options: &ScanOptions) -> Result<()> {
    let dataset = Dataset::open(path)?;
    let mut rows = 0;
    for batch in dataset.scan(options)? {
        rows += batch?.num_rows() as u64;
    }
    assert_eq!(rows, dataset.num_rows(), "rows were lost without an error");
    Ok(())
}

/// Every third row's share, which begins and ends within pages.
fn read_share(path: &Path, options: &ScanOptions) -> Result<()> {
    let dataset = Dataset::open(path)?;
    let mut rows = 0;
    for rank in 0..3 {
        let options = ScanOptions { shard: Some((rank, 3)), ..options.clone() };
        for batch in dataset.scan(&options)? {
            rows += batch?.num_rows() as u64;
        }
    }
    assert_eq!(rows, dataset.num_rows(), "rows were lost without an error");
    Ok(())
}

/// The rows that match a comparison with the first column that has one: through statistics and page index.
fn read_matching(path: &Path, options: &ScanOptions) -> Result<()> {
    let dataset = Dataset::open(path)?;
    let names = dataset.schema().fields().iter().map(|field| field.name().clone());
    let scan = names.flat_map(|name| [(name.clone(), Literal::from(20)), (name, Literal::from("b"))]);
    let scan = scan.map(|(column, literal)| {
        let predicate = vec![Comparison::new(&column, Operator::GreaterOrEqual, literal)];
        dataset.scan(&ScanOptions { predicate, ..options.clone() })
    });
    // A literal of another type is the fault of whoever chose it.
    let found = scan.into_iter().find(|scan| !matches!(scan, Err(error) if error.kind == Kind::Usage));
    let Some(scan) = found else { return Ok(()) };
    let mut rows = 0;
    for batch in scan? {
        rows += batch?.num_rows() as u64;
    }
    assert!(rows <= dataset.num_rows(), "more rows match than there are");
    Ok(())
}

fn take_some(path: &Path, options: &ScanOptions) -> Result<()> {
    let dataset = Dataset::open(path)?;
    let rows = dataset.num_rows();
    let indices: Vec<u64> =
        [0, rows / 3, rows / 2, rows.saturating_sub(1)].into_iter().filter(|&row| row < rows).collect();
    let taken = dataset.take(&indices, options)?;
    assert_eq!(taken.num_rows(), indices.len(), "rows were lost without an error");
    Ok(())
}

fn expect_typed(outcome: Result<()>) {
    if let Err(error) = outcome {
        assert!(!error.to_string().contains('\0'), "a NUL in {error:?}");
        assert!(!matches!(error.kind, Kind::Usage | Kind::Forked), "the file is at fault: {error}");
    }
}

/// Run `work`, which may hold at most `limit` bytes at once.
fn within(limit: usize, work: impl FnOnce()) {
    let before = live_bytes();
    reset_peak();
    work();
    let held = peak_bytes().saturating_sub(before);
    assert!(held <= limit, "{held} bytes were held at once, more than {limit}");
}
