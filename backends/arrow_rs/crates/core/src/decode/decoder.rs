//! Pages to batches, in the calling thread.
//!
//! Each top-level column has a decoder of its own, so that an error names its column, and so that a column
//! with fewer rows than promised is noticed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, SchemaRef, TimeUnit};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::basic::Type as Physical;
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::SchemaDescriptor;

use crate::dataset::Dataset;
use crate::dataset::forms::{Forms, Strings, as_views, leaf_types};
use crate::dataset::parts::Part;
use crate::decode::copied::copy;
use crate::decode::direct;
use crate::decode::validate::maps;
use crate::decode::validate::required;
use crate::decode::validate::text;
use crate::error::{Error, Place, Result};
use crate::guard::guard;
use crate::interrupt::Interrupt;
use crate::memory::pool::Pool;
use crate::memory::size::in_memory;
use crate::pages::batch_bytes::Room;
use crate::pages::boundary::Neighbours;
use crate::pages::chunk::Marker;
use crate::pages::context::ReadContext;
use crate::pages::row_groups::Chunks;
use crate::pages::siblings::Siblings;
use crate::pages::visits::{selection, visits};
use crate::plan::{self, Piece};

/// What to decode and how; shared by all decoders of a scan.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub dataset: Dataset,
    /// Columns in file order, or what of them is read.
    pub parts: Vec<Part>,
    pub schema: SchemaRef,
    pub forms: Forms,
    pub batch_rows: usize,
    pub max_page_bytes: usize,
    pub max_batch_bytes: u64,
    /// Whom to ask while a batch takes long.
    pub interrupt: Option<Arc<Interrupt>>,
}

impl Recipe {
    /// The rows of a row group, and what each wanted column of it decompresses to.
    pub fn group_sizes(&self, group: usize) -> (u64, Vec<u64>) {
        let group = self.dataset.meta().parquet.row_group(group);
        let bytes = |leaf: &usize| group.column(*leaf).uncompressed_size().cast_unsigned();
        let size = |part: &Part| part.leaves.iter().map(bytes).fold(0, u64::saturating_add);
        (group.num_rows().cast_unsigned(), self.parts.iter().map(size).collect())
    }

    /// The same rows of some of the columns, given by their places, in ascending order.
    pub fn of_columns(&self, columns: &[usize]) -> Result<Self> {
        let schema = self.schema.project(columns).map_err(|error| Error::usage(error.to_string()))?;
        let parts = columns.iter().map(|&column| self.parts[column].clone()).collect();
        Ok(Self { parts, schema: Arc::new(schema), ..self.clone() })
    }
}

/// The batches of some pieces, one after another.
pub struct Decoder {
    columns: Vec<Column>,
    schema: SchemaRef,
    context: Arc<ReadContext>,
    batch_rows: usize,
    /// Rows of the next batch, where they are not `batch_rows`.
    next_rows: Option<usize>,
    rows_left: u64,
}

struct Column {
    name: String,
    rows: Rows,
    marker: Arc<Marker>,
}

/// Who decodes a column.
enum Rows {
    Direct(Box<dyn direct::Column>),
    /// arrow-rs: all types, encodings and nesting that `direct` leaves to it.
    Any {
        reader: Box<ParquetRecordBatchReader>,
        /// Whether it may hand out text that it did not check.
        checks_text: bool,
        /// What its arrays, in which text is shown and not copied, are made.
        data_type: DataType,
        room: Room,
    },
}

impl Decoder {
    /// `early` asks for the first batch before whole pages are decompressed. `neighbours` are those of the
    /// only piece.
    pub fn new(
        recipe: &Recipe,
        pieces: &[Piece],
        early: bool,
        cancelled: Arc<AtomicBool>,
        pool: Arc<Pool>,
        neighbours: Option<Neighbours>,
    ) -> Result<Self> {
        let dataset = &recipe.dataset;
        dataset.check_readable(&recipe.parts)?;
        let file = dataset.file().clone();
        let context = Arc::new(ReadContext::new(
            file,
            (recipe.max_page_bytes, recipe.max_batch_bytes),
            cancelled,
            recipe.interrupt.clone(),
            pool,
        ));
        let rows_left = plan::total(pieces);
        // Decoders reserve room for a whole batch.
        let batch_rows = recipe.batch_rows.min(in_memory(rows_left)).max(1);
        let groups = dataset.meta().parquet.row_groups();
        let visits = visits(pieces, |group| groups[group].num_rows().cast_unsigned());
        let selection = selection(&visits);
        // Dictionary arrays are made of dictionary pages.
        let keeps_values = recipe.forms.strings != Strings::Dictionary;
        let metadata = &dataset.meta().parquet;
        let leaves = metadata.file_metadata().schema_descr();
        let columns = recipe.parts.iter().zip(recipe.schema.fields()).map(|(part, field)| {
            let name = field.name().clone();
            let marker = Arc::new(Marker::default());
            let place = Place { column: Some(name.clone()), ..Place::default() };
            let chunks = Chunks {
                metadata: metadata.clone(),
                visits: visits.clone(),
                context: context.clone(),
                marker: marker.clone(),
                first_rows: (early && keeps_values && selection.is_none()).then_some(batch_rows),
                frees_dictionary: keeps_values,
                int96: int96_units(metadata, part, field),
                siblings: siblings(leaves, part),
            };
            check_least(field.data_type(), batch_rows, recipe.max_batch_bytes)
                .map_err(|error| error.within(&place))?;
            let direct = direct::column(part, field.data_type(), pieces, &chunks, neighbours.clone());
            let made = guard(|| {
                if let Some(column) = direct {
                    return Ok(Rows::Direct(column));
                }
                let checks_text = part.leaves.iter().any(|&leaf| text::is_unchecked(&leaves.column(leaf)));
                let data_type = field.data_type().clone();
                check_least(&as_views(&data_type), batch_rows, recipe.max_batch_bytes)?;
                let levels = dataset.meta().levels(part, recipe.forms)?;
                let rows = selection.clone();
                let reader =
                    ParquetRecordBatchReader::try_new_with_row_groups(&levels, &chunks, batch_rows, rows)?;
                let room = Room::new(marker.clone(), recipe.max_batch_bytes);
                Ok(Rows::Any { reader: Box::new(reader), checks_text, data_type, room })
            });
            let rows = made.map_err(|error| error.within(&place))?;
            Ok(Column { name, rows, marker })
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let schema = recipe.schema.clone();
        Ok(Self { columns, schema, context, batch_rows, next_rows: None, rows_left })
    }

    /// Let the first batch have so many rows, where all columns are such that it can be told: decoders of
    /// arrow-rs are made for batches of one size.
    pub fn begin_with(&mut self, rows: usize) {
        if self.columns.iter().all(|column| matches!(column.rows, Rows::Direct(_))) {
            self.next_rows = Some(rows);
        }
    }

    /// The next batch: `batch_rows` rows, or what is left. After an error the decoder must not be used.
    pub fn next(&mut self) -> Result<Option<RecordBatch>> {
        let rows = self.next_rows.take().unwrap_or(self.batch_rows);
        let rows = rows.min(in_memory(self.rows_left));
        if rows == 0 {
            return Ok(None);
        }
        let context = &self.context;
        let arrays =
            self.columns.iter_mut().map(|column| column.next(context, rows)).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|error| Error::corrupt(error.to_string()))?;
        self.rows_left -= rows as u64;
        Ok(Some(batch))
    }
}

/// The leaves of type INT96, and the unit that each comes in.
fn int96_units(metadata: &ParquetMetaData, part: &Part, field: &Field) -> Vec<(usize, TimeUnit)> {
    let columns = metadata.file_metadata().schema_descr();
    let is_int96 = |&leaf: &usize| columns.column(leaf).physical_type() == Physical::INT96;
    if !part.leaves.iter().any(is_int96) {
        return Vec::new();
    }
    let mut types = Vec::new();
    leaf_types(field.data_type(), &mut types);
    let unit = |(&leaf, data_type): (&usize, &DataType)| match data_type {
        DataType::Timestamp(unit, _) => Some((leaf, *unit)),
        _ => None,
    };
    let of_type = part.leaves.iter().zip(types).filter(|(leaf, _)| is_int96(leaf));
    of_type.filter_map(unit).collect()
}

/// The leaves of a column of several, which only together tell where its groups are.
fn siblings(columns: &SchemaDescriptor, part: &Part) -> Option<Arc<Siblings>> {
    let leaf = *part.leaves.first().filter(|_| part.leaves.len() > 1)?;
    let is_of_column = |&other: &usize| columns.get_column_root_idx(other) == part.root;
    let first = (0..leaf).rev().take_while(is_of_column).last().unwrap_or(leaf);
    Siblings::of(&columns.root_schema().get_fields()[part.root], first, &part.leaves)
}

/// Refuse batches that could not hold what their rows take at least: decoders reserve it on the word of the footer,
/// and a process aborts where there is no such memory.
fn check_least(data_type: &DataType, batch_rows: usize, max_batch_bytes: u64) -> Result<()> {
    let bits = least_bits(data_type);
    if u128::from(bits) * batch_rows as u128 > u128::from(max_batch_bytes) * 8 {
        return Err(Error::limit(format!(
            "{batch_rows} rows of {data_type} take more than max_batch_bytes={max_batch_bytes}; smaller batches take less"
        )));
    }
    Ok(())
}

/// What a row of the type takes at least.
fn least_bits(data_type: &DataType) -> u64 {
    match data_type {
        DataType::Boolean => 1,
        DataType::Utf8 | DataType::Binary | DataType::List(_) | DataType::Map(..) => 32,
        DataType::LargeUtf8 | DataType::LargeBinary | DataType::LargeList(_) => 64,
        DataType::Utf8View | DataType::BinaryView => 128,
        DataType::Dictionary(key, _) => least_bits(key),
        DataType::FixedSizeBinary(bytes) => u64::try_from(*bytes).unwrap_or(0).saturating_mul(8),
        DataType::FixedSizeList(item, count) => {
            least_bits(item.data_type()).saturating_mul(u64::try_from(*count).unwrap_or(0))
        }
        DataType::Struct(fields) => {
            let bits = fields.iter().map(|field| least_bits(field.data_type()));
            bits.fold(0, u64::saturating_add)
        }
        other => other.primitive_width().unwrap_or(0) as u64 * 8,
    }
}

impl Column {
    fn next(&mut self, context: &ReadContext, rows: usize) -> Result<ArrayRef> {
        self.marker.begin_batch(rows);
        let source = &mut self.rows;
        let step = guard(|| match source {
            Rows::Direct(column) => column.next(rows).map(Some),
            Rows::Any { reader, checks_text, data_type, room } => match reader.next() {
                None => Ok(None),
                Some(Ok(batch)) => {
                    maps::check(batch.column(0))?;
                    if *checks_text {
                        text::check(batch.column(0))?;
                    }
                    copy(&required::placed(batch.column(0))?, data_type, room).map(Some)
                }
                Some(Err(error)) => Err(Error::corrupt(error.to_string())),
            },
        });
        let outcome = match step {
            Ok(Some(array)) if array.len() == rows => return Ok(array),
            Ok(Some(array)) => Error::corrupt(format!("{} rows where {rows} were promised", array.len())),
            Ok(None) => Error::corrupt(format!("no rows where {rows} were promised")),
            // A page that failed knows more than the text that the decoder passed on.
            Err(error) => context.take_failure().unwrap_or(error),
        };
        Err(outcome.within(&Place {
            column: Some(self.name.clone()),
            row_group: Some(self.marker.group.load(Relaxed)),
            offset: Some(self.marker.offset.load(Relaxed)),
            ..Place::default()
        }))
    }
}
