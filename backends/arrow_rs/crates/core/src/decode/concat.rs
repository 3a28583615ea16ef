//! Batches one after another as one.

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowDictionaryKeyType, Int8Type, Int16Type};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use arrow_select::concat::concat;
use arrow_select::take::take;

use crate::decode::direct;
use crate::error::{Error, Result};

/// The rows of all parts, in their order.
pub fn join(schema: &SchemaRef, parts: &[RecordBatch]) -> Result<RecordBatch> {
    let columns = (0..schema.fields().len()).map(|column| {
        let arrays: Vec<&dyn Array> = parts.iter().map(|part| part.column(column).as_ref()).collect();
        joined(schema.field(column).data_type(), &arrays)
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let rows = parts.iter().map(RecordBatch::num_rows).sum();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(failed)
}

fn joined(data_type: &DataType, parts: &[&dyn Array]) -> Result<ArrayRef> {
    if parts.is_empty() {
        return Ok(arrow_array::new_empty_array(data_type));
    }
    match (concat(parts), data_type) {
        // arrow-rs merges dictionaries by a table of limited size, which may miss that values are equal: small
        // keys then run out although the values would do with them.
        (Err(ArrowError::DictionaryKeyOverflowError), DataType::Dictionary(key, value))
            if **value == DataType::Utf8 =>
        {
            match **key {
                DataType::Int8 => merged::<Int8Type>(parts),
                DataType::Int16 => merged::<Int16Type>(parts),
                _ => Err(failed(ArrowError::DictionaryKeyOverflowError)),
            }
        }
        (done, _) => done.map_err(failed),
    }
}

/// Dictionary arrays of strings with one dictionary that holds each value once.
fn merged<K: ArrowDictionaryKeyType>(parts: &[&dyn Array]) -> Result<ArrayRef> {
    let values = parts.iter().map(|part| {
        let part = part.as_dictionary::<K>();
        take(part.values(), part.keys(), None)
    });
    let values = values.collect::<std::result::Result<Vec<_>, _>>().map_err(failed)?;
    let values: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
    direct::dictionary::<K>(concat(&values).map_err(failed)?.as_string())
}

fn failed(error: ArrowError) -> Error {
    Error::limit(error.to_string())
}
