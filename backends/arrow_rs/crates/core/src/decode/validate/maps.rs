//! Maps whose keys are null: a schema may say that they are optional, and Arrow has no such arrays.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};

use crate::decode::validate::nested;
use crate::error::{Error, Result};

/// Refuse null keys in maps, at any depth.
pub fn check(array: &ArrayRef) -> Result<()> {
    nested::each(array, |array| match array.as_map_opt() {
        Some(map) if map.keys().null_count() > 0 => Err(Error::corrupt("a key of a map is null")),
        _ => Ok(()),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{Int32Builder, MapBuilder, StringBuilder};
    use arrow_array::{ListArray, MapArray, StringArray, StructArray};
    use arrow_buffer::OffsetBuffer;
    use arrow_schema::{DataType, Field, Fields};

    use super::*;

    fn map(null_key: bool) -> ArrayRef {
        let mut builder = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
        builder.keys().append_value("a");
        builder.values().append_null();
        builder.append(true).unwrap();
        let whole = builder.finish();
        if !null_key {
            return Arc::new(whole);
        }
        let fields = Fields::from(vec![
            Field::new("keys", DataType::Utf8, false),
            Field::new("values", DataType::Int32, true),
        ]);
        let keys: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>]));
        // SAFETY: as unsound as what decoders of arrow-rs make of a schema with optional keys, and only looked at.
        let entries =
            unsafe { StructArray::new_unchecked(fields.clone(), vec![keys, whole.values().clone()], None) };
        let field = Arc::new(Field::new("entries", DataType::Struct(fields), false));
        Arc::new(MapArray::new(field, whole.offsets().clone(), entries, None, false))
    }

    fn within(array: ArrayRef) -> ArrayRef {
        let field = Arc::new(Field::new("item", array.data_type().clone(), true));
        Arc::new(ListArray::new(field, OffsetBuffer::from_lengths([1]), array, None))
    }

    #[test]
    fn null_keys_are_found_at_any_depth() {
        for (null_key, sound) in [(false, true), (true, false)] {
            let array = map(null_key);
            assert_eq!(check(&array).is_ok(), sound);
            assert_eq!(check(&within(array)).is_ok(), sound);
        }
        let without: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>]));
        assert!(check(&without).is_ok() && check(&within(without)).is_ok());
    }
}
