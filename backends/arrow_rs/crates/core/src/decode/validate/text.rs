//! Text that arrow-rs has not looked at.
//!
//! It checks strings where the older of Parquet's two annotations calls them UTF-8. But columns come as text for
//! other reasons as well: the newer annotation, JSON, or the Arrow schema that the writer left in the footer.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray, LargeBinaryArray};
use arrow_schema::DataType;
use parquet::basic::{ConvertedType, Type};
use parquet::schema::types::ColumnDescriptor;

use crate::decode::validate::nested;
use crate::error::{Error, Result};

/// Whether strings of the column may be other than UTF-8.
pub fn is_unchecked(column: &ColumnDescriptor) -> bool {
    let has_bytes = matches!(column.physical_type(), Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY);
    has_bytes && column.converted_type() != ConvertedType::UTF8
}

/// Refuse strings that are not UTF-8, at any depth.
pub fn check(array: &ArrayRef) -> Result<()> {
    nested::each(array, |array| match array.data_type() {
        DataType::Utf8 => check_all(BinaryArray::from(array.as_string::<i32>().clone()).iter()),
        DataType::LargeUtf8 => check_all(LargeBinaryArray::from(array.as_string::<i64>().clone()).iter()),
        DataType::Utf8View => check_all(array.as_string_view().clone().to_binary_view().iter()),
        _ => Ok(()),
    })
}

fn check_all<'a>(strings: impl Iterator<Item = Option<&'a [u8]>>) -> Result<()> {
    let valid = |string: &[u8]| simdutf8::basic::from_utf8(string).is_ok();
    if strings.flatten().all(valid) { Ok(()) } else { Err(Error::corrupt("a string is not valid UTF-8")) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int8Type;
    use arrow_array::{
        BinaryViewArray, DictionaryArray, Int8Array, LargeStringArray, ListArray, StringArray, StructArray,
    };
    use arrow_buffer::OffsetBuffer;
    use arrow_schema::Field;

    use super::*;

    /// The bytes as text of every kind, at the top and below.
    fn texts(bytes: &[u8]) -> Vec<ArrayRef> {
        let binary = BinaryArray::from(vec![Some(&b"fine"[..]), None, Some(bytes)]);
        let large = LargeBinaryArray::from(vec![Some(bytes)]);
        let (offsets, values, _) = large.into_parts();
        let view = BinaryViewArray::from(vec![Some(bytes)]);
        // SAFETY: the strings are only looked at as bytes, which is what is tested.
        let text: ArrayRef = Arc::new(unsafe {
            StringArray::new_unchecked(
                binary.offsets().clone(),
                binary.values().clone(),
                binary.nulls().cloned(),
            )
        });
        let coded = DictionaryArray::<Int8Type>::new(Int8Array::from(vec![0]), text.clone());
        let field = Arc::new(Field::new("item", DataType::Utf8, true));
        let list = ListArray::new(field.clone(), OffsetBuffer::from_lengths([3]), text.clone(), None);
        vec![
            text.clone(),
            // SAFETY: as above.
            Arc::new(unsafe { LargeStringArray::new_unchecked(offsets, values, None) }),
            // SAFETY: as above.
            Arc::new(unsafe { view.to_string_view_unchecked() }),
            Arc::new(coded),
            Arc::new(list),
            Arc::new(StructArray::new(vec![field].into(), vec![text], None)),
        ]
    }

    #[test]
    fn text_of_every_kind_is_looked_at() {
        for array in texts("wört".as_bytes()) {
            check(&array).unwrap();
        }
        for array in texts(b"\xff, and more than a view holds in itself") {
            assert!(check(&array).is_err(), "{}", array.data_type());
        }
    }
}
