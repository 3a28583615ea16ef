//! Simple comparisons on columns: row groups that cannot match are not read, rows that do not match are dropped.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BooleanArray, LargeStringArray, PrimitiveArray, RecordBatch, Scalar, StringArray,
    StringViewArray,
};
use arrow_buffer::BooleanBuffer;
use arrow_ord::cmp;
use arrow_schema::{ArrowError, DataType, SchemaRef};
use arrow_select::filter::filter_record_batch;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::file::metadata::ParquetMetaData;

use crate::error::{Error, Kind, Result};
use crate::guard::guard;
use crate::meta::Dataset;
use crate::plan::Piece;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    /// The operator of a Python comparison.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(match text {
            "==" => Self::Equal,
            "!=" => Self::NotEqual,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return Err(Error::usage(format!("no operator '{text}' (allowed: ==, !=, <, <=, >, >=)"))),
        })
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
}

/// `column operator literal`. A null matches nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub column: String,
    pub operator: Operator,
    pub literal: Literal,
}

/// Comparisons bound to the columns of a file.
pub struct Predicate {
    /// The columns to read: those that are wanted and those that are compared.
    pub roots: Vec<usize>,
    comparisons: Vec<Comparison>,
    /// The wanted columns, as positions in `roots`.
    wanted: Vec<usize>,
    schema: SchemaRef,
}

impl Predicate {
    pub fn new(
        dataset: &Dataset,
        comparisons: &[Comparison],
        wanted: &[usize],
        schema: SchemaRef,
    ) -> Result<Self> {
        let mut roots = wanted.to_vec();
        for comparison in comparisons {
            let root = dataset.roots(Some(std::slice::from_ref(&comparison.column)))?[0];
            // A literal that does not fit the column should fail now, not at the first batch.
            comparison.scalar(value_type(dataset.schema().field(root).data_type()))?;
            roots.push(root);
        }
        roots.sort_unstable();
        roots.dedup();
        let wanted = wanted.iter().filter_map(|root| roots.binary_search(root).ok()).collect();
        Ok(Self { roots, comparisons: comparisons.to_vec(), wanted, schema })
    }

    /// The wanted columns of the rows that match.
    pub fn filter(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut mask: Option<BooleanArray> = None;
        for comparison in &self.comparisons {
            let column = batch
                .column_by_name(&comparison.column)
                .ok_or_else(|| Error::usage(format!("no column '{}'", comparison.column)))?;
            let matches = comparison.matches(column)?;
            mask = Some(match mask {
                None => matches,
                Some(before) => BooleanArray::new(before.values() & matches.values(), None),
            });
        }
        let failed = |error: ArrowError| Error::new(Kind::Unsupported, error.to_string());
        let wanted = batch.project(&self.wanted).map_err(failed)?;
        let wanted = RecordBatch::try_new_with_options(
            self.schema.clone(),
            wanted.columns().to_vec(),
            &arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows())),
        )
        .map_err(failed)?;
        match mask {
            Some(mask) => filter_record_batch(&wanted, &mask).map_err(failed),
            None => Ok(wanted),
        }
    }

    /// Drop the row groups whose minima and maxima say that no row can match.
    pub fn prune(&self, dataset: &Dataset, pieces: &[Piece]) -> Result<Vec<Piece>> {
        let metadata = dataset.with_statistics()?;
        let mut possible = vec![true; metadata.num_row_groups()];
        for comparison in &self.comparisons {
            let ruled_out = guard(|| comparison.ruled_out(dataset, &metadata))?;
            for (possible, ruled_out) in possible.iter_mut().zip(ruled_out) {
                *possible &= !ruled_out;
            }
        }
        Ok(pieces.iter().copied().filter(|piece| possible[piece.group]).collect())
    }
}

/// What is compared: the values of a dictionary, otherwise the type itself.
fn value_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => values,
        other => other,
    }
}

impl Comparison {
    /// Which rows match; no nulls.
    fn matches(&self, column: &ArrayRef) -> Result<BooleanArray> {
        let literal = Scalar::new(self.scalar(value_type(column.data_type()))?);
        let compare = match self.operator {
            Operator::Equal => cmp::eq,
            Operator::NotEqual => cmp::neq,
            Operator::Less => cmp::lt,
            Operator::LessOrEqual => cmp::lt_eq,
            Operator::Greater => cmp::gt,
            Operator::GreaterOrEqual => cmp::gt_eq,
        };
        let matches =
            compare(column, &literal).map_err(|error| Error::new(Kind::Unsupported, error.to_string()))?;
        Ok(match matches.nulls() {
            None => matches,
            Some(valid) => BooleanArray::new(matches.values() & valid.inner(), None),
        })
    }

    /// For each row group whether its statistics exclude every row.
    fn ruled_out(&self, dataset: &Dataset, metadata: &ParquetMetaData) -> Result<Vec<bool>> {
        let unknown = vec![false; metadata.num_row_groups()];
        let columns = metadata.file_metadata().schema_descr();
        let Ok(converter) = StatisticsConverter::try_new(&self.column, dataset.schema(), columns) else {
            return Ok(unknown);
        };
        let groups = || metadata.row_groups().iter();
        let (Ok(minima), Ok(maxima)) =
            (converter.row_group_mins(groups()), converter.row_group_maxes(groups()))
        else {
            return Ok(unknown);
        };
        // Floating point minima and maxima may leave out NaN, which is equal to and greater than nothing
        // for most and the greatest of all here: only what they bound is excluded.
        let floats = matches!(minima.data_type(), DataType::Float16 | DataType::Float32 | DataType::Float64);
        let literal = Scalar::new(self.scalar(value_type(minima.data_type()))?);
        let holds = |bounds: &ArrayRef, compare: Compare| -> Result<BooleanBuffer> {
            let holds = compare(bounds, &literal)
                .map_err(|error| Error::new(Kind::Unsupported, error.to_string()))?;
            Ok(match holds.nulls() {
                None => holds.values().clone(),
                Some(known) => holds.values() & known.inner(),
            })
        };
        let excluded = match self.operator {
            Operator::Equal => &holds(&minima, cmp::gt)? | &holds(&maxima, cmp::lt)?,
            Operator::Less => holds(&minima, cmp::gt_eq)?,
            Operator::LessOrEqual => holds(&minima, cmp::gt)?,
            Operator::Greater | Operator::GreaterOrEqual if floats => return Ok(unknown),
            Operator::Greater => holds(&maxima, cmp::lt_eq)?,
            Operator::GreaterOrEqual => holds(&maxima, cmp::lt)?,
            Operator::NotEqual => return Ok(unknown),
        };
        Ok(excluded.iter().collect())
    }

    /// The literal as an array of one value of the column's type.
    fn scalar(&self, data_type: &DataType) -> Result<ArrayRef> {
        let misfit = || {
            Error::usage(format!(
                "cannot compare column '{}' of type {data_type} with {:?} (allowed: numbers with numeric \
                 columns, text with text columns, True and False with boolean columns)",
                self.column, self.literal
            ))
        };
        let integer = || match self.literal {
            Literal::Integer(value) => Ok(value),
            _ => Err(misfit()),
        };
        fn of<T: ArrowPrimitiveType>(value: Option<T::Native>) -> Option<ArrayRef> {
            Some(Arc::new(PrimitiveArray::<T>::from_value(value?, 1)))
        }
        let float = match self.literal {
            Literal::Integer(value) => Some(value as f64),
            Literal::Float(value) => Some(value),
            _ => None,
        };
        let text = match &self.literal {
            Literal::Text(text) => Some([text.as_str()]),
            _ => None,
        };
        let array: Option<ArrayRef> = match data_type {
            DataType::Boolean => match self.literal {
                Literal::Boolean(value) => Some(Arc::new(BooleanArray::from(vec![value]))),
                _ => None,
            },
            DataType::Int8 => of::<Int8Type>(integer()?.try_into().ok()),
            DataType::Int16 => of::<Int16Type>(integer()?.try_into().ok()),
            DataType::Int32 => of::<Int32Type>(integer()?.try_into().ok()),
            DataType::Int64 => of::<Int64Type>(Some(integer()?)),
            DataType::UInt8 => of::<UInt8Type>(integer()?.try_into().ok()),
            DataType::UInt16 => of::<UInt16Type>(integer()?.try_into().ok()),
            DataType::UInt32 => of::<UInt32Type>(integer()?.try_into().ok()),
            DataType::UInt64 => of::<UInt64Type>(integer()?.try_into().ok()),
            DataType::Float32 => of::<Float32Type>(float.map(|value| value as f32)),
            DataType::Float64 => of::<Float64Type>(float),
            DataType::Utf8 => text.map(|text| Arc::new(StringArray::from_iter_values(text)) as ArrayRef),
            DataType::LargeUtf8 => {
                text.map(|text| Arc::new(LargeStringArray::from_iter_values(text)) as ArrayRef)
            }
            DataType::Utf8View => {
                text.map(|text| Arc::new(StringViewArray::from_iter_values(text)) as ArrayRef)
            }
            _ => None,
        };
        array.ok_or_else(misfit)
    }
}

type Compare = fn(&dyn arrow_array::Datum, &dyn arrow_array::Datum) -> Result<BooleanArray, ArrowError>;
