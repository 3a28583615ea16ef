//! Pages to batches, in the calling thread.
//!
//! Each top-level column has a decoder of its own, so that an error names its column, and so that a column
//! with fewer rows than promised is noticed.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowGroups, RowSelection, RowSelector};
use parquet::column::page::{PageIterator, PageReader};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use crate::dataset::Dataset;
use crate::error::{Error, Place, Result};
use crate::guard::guard;
use crate::interrupt::Interrupt;
use crate::meta::Strings;
use crate::page_index;
use crate::page_map::PageMap;
use crate::pages::{ChunkPages, Marker};
use crate::plan::{self, Piece};
use crate::pool::Pool;
use crate::workbench::Workbench;

/// What to decode and how; shared by all decoders of a scan.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub dataset: Dataset,
    /// Top-level columns in file order.
    pub roots: Vec<usize>,
    pub schema: SchemaRef,
    pub strings: Strings,
    pub batch_rows: usize,
    pub max_page_bytes: usize,
    pub max_batch_bytes: u64,
    /// Whom to ask while a batch takes long.
    pub interrupt: Option<Arc<Interrupt>>,
}

impl Recipe {
    /// How many rows of a row group decompress to about so many bytes.
    pub fn rows_of_bytes(&self, group: usize, bytes: u64) -> u64 {
        let parquet = &self.dataset.meta().parquet;
        let columns = parquet.file_metadata().schema_descr();
        let group = parquet.row_group(group);
        let wanted = |leaf: &usize| self.roots.binary_search(&columns.get_column_root_idx(*leaf)).is_ok();
        let sizes = (0..columns.num_columns()).filter(wanted);
        let total: u64 = sizes.map(|leaf| group.column(leaf).uncompressed_size() as u64).sum();
        let rows = u128::from(group.num_rows() as u64) * u128::from(bytes) / u128::from(total.max(1));
        u64::try_from(rows).unwrap_or(u64::MAX)
    }
}

/// The batches of some pieces, one after another.
pub struct Decoder {
    columns: Vec<Column>,
    schema: SchemaRef,
    bench: Arc<Workbench>,
    batch_rows: usize,
    rows_left: u64,
}

struct Column {
    name: String,
    reader: ParquetRecordBatchReader,
    marker: Arc<Marker>,
}

impl Decoder {
    /// `early` asks for the first batch before whole pages are decompressed.
    pub fn new(
        recipe: &Recipe,
        pieces: &[Piece],
        early: bool,
        cancelled: Arc<AtomicBool>,
        pool: Arc<Pool>,
    ) -> Result<Self> {
        let dataset = &recipe.dataset;
        let file = dataset.file().clone();
        let bench = Arc::new(Workbench::new(
            file,
            (recipe.max_page_bytes, recipe.max_batch_bytes),
            cancelled,
            recipe.interrupt.clone(),
            pool,
        ));
        let rows_left = plan::total(pieces);
        // Decoders reserve room for a whole batch.
        let batch_rows = recipe.batch_rows.min(usize::try_from(rows_left).unwrap_or(usize::MAX)).max(1);
        let groups = dataset.meta().parquet.row_groups();
        let visits = visits(pieces, |group| groups[group].num_rows() as u64);
        let selection = selection(&visits);
        // Dictionary arrays are made of dictionary pages.
        let keeps_values = recipe.strings != Strings::Dictionary;
        let columns = recipe.roots.iter().map(|&root| {
            let name = dataset.schema().field(root).name().clone();
            let marker = Arc::new(Marker::default());
            let place = Place { column: Some(name.clone()), ..Place::default() };
            let chunks = Chunks {
                metadata: dataset.meta().parquet.clone(),
                visits: visits.clone(),
                bench: bench.clone(),
                marker: marker.clone(),
                early_rows: (early && keeps_values && selection.is_none()).then_some(batch_rows),
                frees_dictionary: keeps_values,
            };
            let made = guard(|| {
                let levels = dataset.meta().levels(root, recipe.strings)?;
                let rows = selection.clone();
                Ok(ParquetRecordBatchReader::try_new_with_row_groups(&levels, &chunks, batch_rows, rows)?)
            });
            let reader = made.map_err(|error| error.within(&place))?;
            Ok(Column { name, reader, marker })
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        Ok(Self { columns, schema: recipe.schema.clone(), bench, batch_rows, rows_left })
    }

    /// The next batch: `batch_rows` rows, or what is left. After an error the decoder must not be used.
    pub fn next(&mut self) -> Result<Option<RecordBatch>> {
        let rows = (self.batch_rows as u64).min(self.rows_left) as usize;
        if rows == 0 {
            return Ok(None);
        }
        let bench = &self.bench;
        let arrays =
            self.columns.iter_mut().map(|column| column.next(bench, rows)).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|error| Error::corrupt(error.to_string()))?;
        self.rows_left -= rows as u64;
        Ok(Some(batch))
    }
}

impl Column {
    fn next(&mut self, bench: &Workbench, rows: usize) -> Result<ArrayRef> {
        let reader = &mut self.reader;
        self.marker.taken.store(0, Relaxed);
        let step = guard(|| match reader.next() {
            None => Ok(None),
            Some(Ok(batch)) => Ok(Some(batch.column(0).clone())),
            Some(Err(error)) => Err(Error::corrupt(error.to_string())),
        });
        let outcome = match step {
            Ok(Some(array)) if array.len() == rows => return Ok(array),
            Ok(Some(array)) => Error::corrupt(format!("{} rows where {rows} were promised", array.len())),
            Ok(None) => Error::corrupt(format!("no rows where {rows} were promised")),
            // A page that failed knows more than the text that the decoder passed on.
            Err(error) => bench.take_failure().unwrap_or(error),
        };
        Err(outcome.within(&Place {
            column: Some(self.name.clone()),
            row_group: Some(self.marker.group.load(Relaxed)),
            offset: Some(self.marker.offset.load(Relaxed)),
            ..Place::default()
        }))
    }
}

/// One way through the chunks of a row group.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Visit {
    group: usize,
    /// All rows of the group.
    rows: u64,
    /// Those that are wanted, in ascending order.
    wanted: Vec<Range<u64>>,
}

impl Visit {
    fn is_whole(&self) -> bool {
        self.wanted.len() == 1 && self.wanted[0] == (0..self.rows)
    }
}

/// Pieces of one row group that follow each other share a visit.
fn visits(pieces: &[Piece], rows_of: impl Fn(usize) -> u64) -> Arc<[Visit]> {
    let follows = |a: &Piece, b: &Piece| a.group == b.group && a.start + a.rows <= b.start;
    let visit = |pieces: &[Piece]| Visit {
        group: pieces[0].group,
        rows: rows_of(pieces[0].group),
        wanted: pieces.iter().map(|piece| piece.start..piece.start + piece.rows).collect(),
    };
    pieces.chunk_by(follows).map(visit).collect()
}

/// Which rows of the visited row groups are wanted; None for all.
fn selection(visits: &[Visit]) -> Option<RowSelection> {
    if visits.iter().all(Visit::is_whole) {
        return None;
    }
    let mut selectors = Vec::new();
    for visit in visits {
        let mut at = 0;
        for rows in &visit.wanted {
            selectors.push(RowSelector::skip((rows.start - at) as usize));
            selectors.push(RowSelector::select((rows.end - rows.start) as usize));
            at = rows.end;
        }
        selectors.push(RowSelector::skip((visit.rows - at) as usize));
    }
    // What comes after the last row is not even looked for.
    selectors.pop();
    // Empty ones are left out, and neighbours joined.
    Some(selectors.into())
}

/// The column chunks of some row groups, as the decoders ask for them.
struct Chunks {
    metadata: Arc<ParquetMetaData>,
    visits: Arc<[Visit]>,
    bench: Arc<Workbench>,
    marker: Arc<Marker>,
    /// Rows of the first page of the first chunk: see `ChunkPages::new`.
    early_rows: Option<usize>,
    frees_dictionary: bool,
}

impl RowGroups for Chunks {
    fn num_rows(&self) -> usize {
        self.row_groups().map(|group| group.num_rows() as usize).sum()
    }

    fn column_chunks(&self, leaf: usize) -> parquet::errors::Result<Box<dyn PageIterator>> {
        Ok(Box::new(LeafChunks {
            metadata: self.metadata.clone(),
            visits: self.visits.clone(),
            next: 0,
            leaf,
            bench: self.bench.clone(),
            marker: self.marker.clone(),
            early_rows: self.early_rows,
            frees_dictionary: self.frees_dictionary,
        }))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.visits.iter().map(|visit| self.metadata.row_group(visit.group)))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// The chunks of one leaf column, one row group after another.
struct LeafChunks {
    metadata: Arc<ParquetMetaData>,
    visits: Arc<[Visit]>,
    next: usize,
    leaf: usize,
    bench: Arc<Workbench>,
    marker: Arc<Marker>,
    early_rows: Option<usize>,
    frees_dictionary: bool,
}

impl LeafChunks {
    fn open(&mut self, visit: &Visit) -> Result<ChunkPages> {
        let chunk = self.metadata.row_group(visit.group).column(self.leaf);
        // Where every page is read, its header says all that the index does.
        let spans =
            if visit.is_whole() { None } else { page_index::spans(&self.bench.file, chunk, visit.rows)? };
        Ok(ChunkPages::new(
            self.bench.clone(),
            self.marker.clone(),
            visit.group,
            chunk,
            self.early_rows.take(),
            self.frees_dictionary,
            spans.map(PageMap::new),
        ))
    }
}

impl Iterator for LeafChunks {
    type Item = parquet::errors::Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let visits = self.visits.clone();
        let visit = visits.get(self.next)?;
        self.next += 1;
        let opened = self.open(visit).map_err(|error| self.bench.note(error));
        Some(opened.map(|pages| Box::new(pages) as Box<dyn PageReader>))
    }
}

impl PageIterator for LeafChunks {}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "lists of ranges are what is tested")]
mod tests {
    use super::*;

    fn piece(group: usize, start: u64, rows: u64) -> Piece {
        Piece { group, start, rows }
    }

    #[test]
    fn pieces_of_a_row_group_share_a_visit_as_long_as_they_ascend() {
        let visits = visits(
            &[piece(0, 2, 3), piece(0, 5, 1), piece(0, 8, 2), piece(0, 0, 2), piece(1, 0, 4)],
            |group| [10, 4][group],
        );
        let wanted: Vec<_> = visits.iter().map(|visit| (visit.group, visit.wanted.as_slice())).collect();
        assert_eq!(wanted, [(0, &[2..5, 5..6, 8..10][..]), (0, &[0..2]), (1, &[0..4])]);
        let expected = [
            RowSelector::skip(2),
            RowSelector::select(4),
            RowSelector::skip(2),
            RowSelector::select(4),
            RowSelector::skip(8),
            RowSelector::select(4),
        ];
        assert_eq!(selection(&visits), Some(expected.to_vec().into()));
        assert_eq!(selection(&visits[2..]), None);
    }
}
