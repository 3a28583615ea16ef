//! Required values within a group that is null: they have nothing, and who puts arrays together asks where.
//!
//! Decoders of arrow-rs note that at values in lists, and not at groups in between that are required, too. There it
//! is put here, so that each group has the nulls of what it requires.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, GenericListArray, MapArray, OffsetSizeTrait, StructArray,
};
use arrow_buffer::NullBuffer;
use arrow_schema::{ArrowError, DataType};

use crate::error::{Error, Result};

/// The array with the nulls of required values at the groups that require them.
pub fn placed(array: &ArrayRef) -> Result<ArrayRef> {
    if !is_lacking(array) {
        return Ok(array.clone());
    }
    Ok(match array.data_type() {
        DataType::Struct(_) => Arc::new(group(array.as_struct())?),
        DataType::List(_) => list(array.as_list::<i32>())?,
        DataType::LargeList(_) => list(array.as_list::<i64>())?,
        DataType::FixedSizeList(..) => {
            let (field, size, values, nulls) = array.as_fixed_size_list().clone().into_parts();
            Arc::new(
                FixedSizeListArray::try_new(field, size, placed(&values)?, nulls).map_err(contradiction)?,
            )
        }
        DataType::Map(..) => {
            let (field, offsets, entries, nulls, ordered) = array.as_map().clone().into_parts();
            let map = MapArray::try_new(field, offsets, group(&entries)?, nulls, ordered);
            Arc::new(map.map_err(contradiction)?)
        }
        _ => array.clone(),
    })
}

/// Whether a group lacks nulls of what it requires.
fn is_lacking(array: &ArrayRef) -> bool {
    match array.data_type() {
        DataType::Struct(_) => is_group_lacking(array.as_struct()),
        DataType::List(_) => is_lacking(array.as_list::<i32>().values()),
        DataType::LargeList(_) => is_lacking(array.as_list::<i64>().values()),
        DataType::FixedSizeList(..) => is_lacking(array.as_fixed_size_list().values()),
        DataType::Map(..) => is_group_lacking(array.as_map().entries()),
        _ => false,
    }
}

fn is_group_lacking(group: &StructArray) -> bool {
    let lacks = |nulls: &NullBuffer| group.nulls().is_none_or(|own| !own.contains(nulls));
    group.fields().iter().zip(group.columns()).any(|(field, column)| {
        is_lacking(column)
            || !field.is_nullable() && column.null_count() > 0 && column.nulls().is_some_and(lacks)
    })
}

fn group(group: &StructArray) -> Result<StructArray> {
    let rows = group.len();
    let (fields, columns, mut nulls) = group.clone().into_parts();
    let columns = columns.iter().map(placed).collect::<Result<Vec<_>>>()?;
    for (field, column) in fields.iter().zip(&columns) {
        if !field.is_nullable() && column.null_count() > 0 {
            nulls = NullBuffer::union(nulls.as_ref(), column.nulls());
        }
    }
    StructArray::try_new_with_length(fields, columns, nulls, rows).map_err(contradiction)
}

fn list<Offset: OffsetSizeTrait>(array: &GenericListArray<Offset>) -> Result<ArrayRef> {
    let (field, offsets, values, nulls) = array.clone().into_parts();
    let list = GenericListArray::try_new(field, offsets, placed(&values)?, nulls);
    Ok(Arc::new(list.map_err(contradiction)?))
}

fn contradiction(error: ArrowError) -> Error {
    Error::corrupt(format!("a value is required and is not there: {error}"))
}

#[cfg(test)]
mod tests {
    use arrow_array::Int32Array;
    use arrow_schema::{Field, Fields};

    use super::*;

    /// As decoders leave it: a null group, in it a required one, in it a required number without a value.
    fn nested(is_outer_null: bool) -> ArrayRef {
        let number: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
        let fields = Fields::from(vec![Field::new("number", DataType::Int32, false)]);
        // SAFETY: only looked at, as what decoders of arrow-rs make.
        let inner = unsafe { StructArray::new_unchecked(fields, vec![number], None) };
        let fields = Fields::from(vec![Field::new("inner", inner.data_type().clone(), false)]);
        let nulls = is_outer_null.then(|| NullBuffer::from(vec![true, false]));
        // SAFETY: as above.
        Arc::new(unsafe { StructArray::new_unchecked(fields, vec![Arc::new(inner)], nulls) })
    }

    #[test]
    fn required_groups_have_the_nulls_of_what_they_require() {
        let found = placed(&nested(true)).unwrap();
        let inner = found.as_struct().column(0);
        assert_eq!((inner.len(), inner.null_count()), (2, 1));
        assert!(!is_lacking(&found));
    }

    #[test]
    fn a_group_without_what_it_requires_is_null_and_no_more_than_that() {
        let found = placed(&nested(false)).unwrap();
        assert_eq!(found.null_count(), 1, "whether it may be null is for those around it to say");
    }
}
