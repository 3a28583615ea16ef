//! Columns from their pages straight into batches.
//!
//! arrow-rs decodes every column. This decodes the common ones, numbers and strings that are plain or in a
//! dictionary, and lists of them, with less memory and work: a page is let go before the next is
//! decompressed, a dictionary is used where it lies in its page and let go when the writer gave it up, and
//! the memory of a batch is reserved once, to its size.

pub mod byte_arrays;
mod column;
mod data_page;
mod dictionaries;
mod flat;
mod list_entries;
mod lists;
mod numbers;
pub mod values;

use arrow_array::types::{
    BinaryType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    LargeBinaryType, LargeUtf8Type, UInt32Type, UInt64Type, Utf8Type,
};
use arrow_schema::DataType;
use parquet::basic::{Repetition, Type};
use parquet::schema::types::{self as schema, ColumnDescriptor};

use self::byte_arrays::ByteArrays;
pub use self::column::Column;
use self::dictionaries::Dictionaries;
pub use self::dictionaries::dictionary;
use self::flat::Flat;
use self::list_entries::Meaning;
use self::lists::Lists;
use self::numbers::Numbers;
use self::values::{ArraySink, Decoded, Values};
use crate::dataset::parts::Part;
use crate::encoding::is_of_levels;
use crate::encoding::levels::Highest;
use crate::pages::batch_bytes::Room;
use crate::pages::boundary::Neighbours;
use crate::pages::chunk::Handling;
use crate::pages::row_groups::Chunks;
use crate::pages::visits::stretches;
use crate::plan::Piece;

/// The decoder of a column, if there is one here; arrow-rs has one for all.
///
/// What the footer lists as encodings decides, over all row groups that are read.
pub fn column(
    part: &Part,
    data_type: &DataType,
    pieces: &[Piece],
    chunks: &Chunks,
    neighbours: Option<Neighbours>,
) -> Option<Box<dyn Column>> {
    let schema = chunks.metadata.file_metadata().schema_descr();
    let &[leaf] = part.leaves.as_slice() else { return None };
    let descriptor = schema.column(leaf);
    // The footer lists the encoding of levels among those of values.
    let values = |data_type| {
        let room = Room::new(chunks.marker.clone(), chunks.context.max_batch_bytes);
        let values = values(descriptor.physical_type(), data_type, room)?;
        let known = |encoding| is_of_levels(encoding) || values.can_decode(encoding);
        let listed =
            |piece: &Piece| chunks.metadata.row_group(piece.group).column(leaf).encodings().all(known);
        pieces.iter().all(listed).then_some(values)
    };
    let highest = Highest { repetition: descriptor.max_rep_level(), definition: descriptor.max_def_level() };
    let handling = Handling { passes_delivered: true, ..Handling::default() };
    let pages = || (chunks.leaf(leaf, true, handling.clone()), stretches(&chunks.visits));
    match data_type {
        DataType::List(item) | DataType::LargeList(item) => {
            let meaning = list_levels(&descriptor, schema.get_column_root(leaf))?;
            // Few bytes can stand for any number of large strings; the offsets of the others bound them.
            if matches!(item.data_type(), DataType::LargeUtf8 | DataType::LargeBinary) {
                return None;
            }
            let values = values(item.data_type())?;
            let (chunks, stretches) = pages();
            let (item, levels) = (item.clone(), (highest, meaning));
            Some(if matches!(data_type, DataType::List(_)) {
                Box::new(Lists::<i32>::new(chunks, stretches, values, item, levels))
            } else {
                Box::new(Lists::<i64>::new(chunks, stretches, values, item, levels))
            })
        }
        _ if schema.get_column_root(leaf).is_primitive() && highest.repetition == 0 => {
            let values = values(data_type)?;
            let (chunks, stretches) = pages();
            Some(Box::new(Flat::new(chunks, stretches, values, highest, neighbours)))
        }
        _ => None,
    }
}

/// What the definition levels of a top-level list of primitive values mean, written in three levels as the
/// format asks for; None for other columns.
fn list_levels(leaf: &ColumnDescriptor, root: &schema::Type) -> Option<Meaning> {
    let [repeated] = group_fields(root)? else { return None };
    let [item] = group_fields(repeated)? else { return None };
    let is_list = item.is_primitive() && leaf.max_rep_level() == 1;
    let repetitions =
        [root, repeated, item].map(|part| part.get_basic_info().has_repetition().then(|| repetition(part)));
    let [Some(list), Some(Repetition::REPEATED), Some(item)] = repetitions else { return None };
    if !is_list || list == Repetition::REPEATED || item == Repetition::REPEATED {
        return None;
    }
    let empty = u32::from(list == Repetition::OPTIONAL);
    let highest = empty + 1 + u32::from(item == Repetition::OPTIONAL);
    (u32::try_from(leaf.max_def_level()) == Ok(highest)).then_some(Meaning { empty, highest })
}

fn group_fields(group: &schema::Type) -> Option<&[schema::TypePtr]> {
    group.is_group().then(|| group.get_fields())
}

fn repetition(part: &schema::Type) -> Repetition {
    part.get_basic_info().repetition()
}

/// The type's sink. Which encoding its pages have is found with each of them.
fn values(physical: Type, data_type: &DataType, room: Room) -> Option<Box<dyn Values>> {
    Some(match (physical, data_type) {
        (Type::INT32, DataType::Int32) => into(Numbers::<Int32Type>::new(room)),
        (Type::INT32, DataType::UInt32) => into(Numbers::<UInt32Type>::new(room)),
        (Type::INT32, DataType::Date32) => into(Numbers::<Date32Type>::new(room)),
        (Type::FLOAT, DataType::Float32) => into(Numbers::<Float32Type>::new(room)),
        (Type::INT64, DataType::Int64) => into(Numbers::<Int64Type>::new(room)),
        (Type::INT64, DataType::UInt64) => into(Numbers::<UInt64Type>::new(room)),
        (Type::DOUBLE, DataType::Float64) => into(Numbers::<Float64Type>::new(room)),
        (Type::BYTE_ARRAY, DataType::Utf8) => into(ByteArrays::<Utf8Type>::new(room)),
        (Type::BYTE_ARRAY, DataType::LargeUtf8) => into(ByteArrays::<LargeUtf8Type>::new(room)),
        (Type::BYTE_ARRAY, DataType::Binary) => into(ByteArrays::<BinaryType>::new(room)),
        (Type::BYTE_ARRAY, DataType::LargeBinary) => into(ByteArrays::<LargeBinaryType>::new(room)),
        (Type::BYTE_ARRAY, DataType::Dictionary(key, value)) if **value == DataType::Utf8 => match **key {
            DataType::Int8 => into(Dictionaries::<Int8Type>::new(room)),
            DataType::Int16 => into(Dictionaries::<Int16Type>::new(room)),
            // Large dictionaries are arrow-rs's, which keeps no page of them.
            _ => return None,
        },
        _ => return None,
    })
}

fn into(sink: impl ArraySink) -> Box<dyn Values> {
    Box::new(Decoded::new(sink))
}
