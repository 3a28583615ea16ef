//! Text and binary values that arrow-rs decoded as views into pages, copied into arrays of their own.
//!
//! A few bytes can stand for any amount of text: indices into a dictionary refer to the same entry again and again.
//! Views of it take no more than 16 bytes each, and tell how much there is before memory is reserved for it.

use std::sync::Arc;

use arrow_array::builder::GenericByteBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    BinaryType, BinaryViewType, ByteArrayType, ByteViewType, LargeBinaryType, LargeUtf8Type, StringViewType,
    Utf8Type,
};
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, GenericByteViewArray, GenericListArray, MapArray, OffsetSizeTrait,
    StructArray,
};
use arrow_schema::{ArrowError, DataType, FieldRef};

use crate::error::{Error, Result};
use crate::pages::batch_bytes::Room;

/// The array as one of the type, of which it has the views. Fails where there is no room for what they show.
pub fn copy(array: &ArrayRef, data_type: &DataType, room: &Room) -> Result<ArrayRef> {
    if array.data_type() == data_type {
        return Ok(array.clone());
    }
    match data_type {
        DataType::Utf8 => bytes::<StringViewType, Utf8Type>(array.as_byte_view(), room),
        DataType::LargeUtf8 => bytes::<StringViewType, LargeUtf8Type>(array.as_byte_view(), room),
        DataType::Binary => bytes::<BinaryViewType, BinaryType>(array.as_byte_view(), room),
        DataType::LargeBinary => bytes::<BinaryViewType, LargeBinaryType>(array.as_byte_view(), room),
        DataType::List(item) => list::<i32>(array.as_list(), item, room),
        DataType::LargeList(item) => list::<i64>(array.as_list(), item, room),
        DataType::FixedSizeList(item, size) => {
            let lists = array.as_fixed_size_list();
            let values = copy(lists.values(), item.data_type(), room)?;
            made(FixedSizeListArray::try_new(item.clone(), *size, values, lists.nulls().cloned()))
        }
        DataType::Map(entries, is_sorted) => {
            let map = array.as_map();
            let copied = copy(&(Arc::new(map.entries().clone()) as ArrayRef), entries.data_type(), room)?;
            let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
            let copied = copied.as_struct().clone();
            made(MapArray::try_new(entries.clone(), offsets, copied, nulls, *is_sorted))
        }
        DataType::Struct(fields) => {
            let group = array.as_struct();
            let columns = group.columns().iter().zip(fields);
            let columns = columns.map(|(column, field)| copy(column, field.data_type(), room));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            made(StructArray::try_new(fields.clone(), columns, group.nulls().cloned()))
        }
        // `RecordBatch` says what is wrong with it.
        _ => Ok(array.clone()),
    }
}

fn made<A: Array + 'static>(array: std::result::Result<A, ArrowError>) -> Result<ArrayRef> {
    array.map(|array| Arc::new(array) as ArrayRef).map_err(|error| Error::corrupt(error.to_string()))
}

fn list<O: OffsetSizeTrait>(lists: &GenericListArray<O>, item: &FieldRef, room: &Room) -> Result<ArrayRef> {
    let values = copy(lists.values(), item.data_type(), room)?;
    let (offsets, nulls) = (lists.offsets().clone(), lists.nulls().cloned());
    made(GenericListArray::<O>::try_new(item.clone(), offsets, values, nulls))
}

fn bytes<V, T>(views: &GenericByteViewArray<V>, room: &Room) -> Result<ArrayRef>
where
    V: ByteViewType,
    T: ByteArrayType<Native = V::Native>,
{
    let length = |value: &V::Native| AsRef::<[u8]>::as_ref(value).len();
    let total = views.iter().flatten().map(length).fold(0, usize::saturating_add);
    room.take(total, 1)?;
    room.take(views.len() + 1, size_of::<T::Offset>())?;
    if size_of::<T::Offset>() == 4 && total > i32::MAX as usize {
        return Err(Error::limit("the strings of a batch take more than 2 GiB"));
    }
    let mut copied = GenericByteBuilder::<T>::with_capacity(views.len(), total);
    views.iter().for_each(|value| copied.append_option(value));
    Ok(Arc::new(copied.finish()))
}
