//! How columns arrive: the types of batches, and what decoders are told to make them.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit};
use parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use parquet::schema::types::{SchemaDescriptor, Type, TypePtr};

use crate::dataset::names::{is_map, leaf_count};
use crate::dataset::parts::Part;
use crate::error::Result;

/// How text arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strings {
    /// As the file declares it, which is mostly Utf8: every string copied once into its batch.
    #[default]
    AsStored,
    /// Utf8View: batches point into decompressed pages and keep them alive.
    View,
    /// Dictionary(Int32, Utf8): what repeats is stored once per batch.
    Dictionary,
}

/// What the caller asks of types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forms {
    pub strings: Strings,
    /// The unit of timestamps of type INT96, where it is not the file's, which is nanoseconds but for writers that
    /// say more.
    pub int96: Option<TimeUnit>,
}

/// A part of a column in the forms that are asked for.
pub struct Shape {
    /// As it is in batches.
    pub field: FieldRef,
    /// As decoders of arrow-rs take it: the whole column.
    pub hint: FieldRef,
    /// Whether maps of which keys or values alone are wanted are lists in both.
    pub has_parts_of_maps: bool,
}

impl Shape {
    pub fn of(field: &FieldRef, schema: &SchemaDescriptor, part: &Part, forms: Forms) -> Self {
        if part.is_whole && forms == Forms::default() {
            return Self { field: field.clone(), hint: field.clone(), has_parts_of_maps: false };
        }
        // The leaves of a column follow each other.
        let is_of_root = |leaf: &usize| schema.get_column_root_idx(*leaf) == part.root;
        let before = part.leaves.first().map_or(0, |&first| (0..first).rev().take_while(is_of_root).count());
        let leaf = part.leaves.first().map_or(0, |first| first - before);
        let mut walk = Walk { schema, leaves: &part.leaves, forms, leaf, has_parts_of_maps: false };
        let (hint, kept) = walk.field(field);
        let field = kept.unwrap_or_else(|| hint.clone());
        Self { field, hint, has_parts_of_maps: walk.has_parts_of_maps }
    }
}

/// A way through the leaves of a column.
struct Walk<'a> {
    schema: &'a SchemaDescriptor,
    /// Those that are wanted.
    leaves: &'a [usize],
    forms: Forms,
    /// The next leaf.
    leaf: usize,
    has_parts_of_maps: bool,
}

impl Walk<'_> {
    /// The whole field, and what of it is wanted.
    fn field(&mut self, field: &Field) -> (FieldRef, Option<FieldRef>) {
        let (whole, kept) = self.data_type(field.data_type());
        let with = |data_type| Arc::new(field.clone().with_data_type(data_type));
        (with(whole), kept.map(with))
    }

    fn data_type(&mut self, data_type: &DataType) -> (DataType, Option<DataType>) {
        match data_type {
            DataType::Struct(fields) => {
                let (whole, kept) = self.fields(fields);
                (DataType::Struct(whole), (!kept.is_empty()).then_some(DataType::Struct(kept)))
            }
            DataType::List(item) => self.list(item, DataType::List),
            DataType::LargeList(item) => self.list(item, DataType::LargeList),
            DataType::ListView(item) => self.list(item, DataType::ListView),
            DataType::LargeListView(item) => self.list(item, DataType::LargeListView),
            DataType::FixedSizeList(item, size) => {
                self.list(item, |item| DataType::FixedSizeList(item, *size))
            }
            DataType::Map(entries, is_sorted) => self.map(entries, *is_sorted),
            other => {
                let form = self.leaf_type(other);
                let is_wanted = self.leaves.binary_search(&self.leaf).is_ok();
                self.leaf += 1;
                (form.clone(), is_wanted.then_some(form))
            }
        }
    }

    fn fields(&mut self, fields: &Fields) -> (Fields, Fields) {
        let (mut whole, mut kept) = (Vec::new(), Vec::new());
        for field in fields {
            let (all, some) = self.field(field);
            whole.push(all);
            kept.extend(some);
        }
        (whole.into(), kept.into())
    }

    fn list(&mut self, item: &Field, made: impl Fn(FieldRef) -> DataType) -> (DataType, Option<DataType>) {
        let (whole, kept) = self.field(item);
        (made(whole), kept.map(made))
    }

    /// Without its keys or its values it is a list of the others, as pyarrow has it.
    fn map(&mut self, entries: &FieldRef, is_sorted: bool) -> (DataType, Option<DataType>) {
        // Text in maps arrives as the file declares it.
        let strings = std::mem::take(&mut self.forms.strings);
        let (whole, kept) = self.field(entries);
        self.forms.strings = strings;
        let count = |entries: &FieldRef| match entries.data_type() {
            DataType::Struct(fields) => fields.len(),
            _ => 0,
        };
        match kept {
            Some(kept) if count(&kept) < count(&whole) => {
                self.has_parts_of_maps = true;
                (DataType::List(whole), Some(DataType::List(kept)))
            }
            kept => (DataType::Map(whole, is_sorted), kept.map(|kept| DataType::Map(kept, is_sorted))),
        }
    }

    fn leaf_type(&self, stored: &DataType) -> DataType {
        let is_text = matches!(stored, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        match (stored, self.forms.strings, self.forms.int96) {
            (_, Strings::View, _) if is_text => DataType::Utf8View,
            (_, Strings::Dictionary, _) if is_text => {
                DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into())
            }
            (DataType::Timestamp(_, zone), _, Some(unit)) if self.is_int96() => {
                DataType::Timestamp(unit, zone.clone())
            }
            _ => stored.clone(),
        }
    }

    fn is_int96(&self) -> bool {
        self.leaf < self.schema.num_columns()
            && self.schema.column(self.leaf).physical_type() == Physical::INT96
    }
}

/// The type as arrow-rs decodes it: text and binary values as views, which are copied where that is wanted, once it is
/// known how much they show.
pub fn as_views(data_type: &DataType) -> DataType {
    let inner = |field: &FieldRef| -> FieldRef {
        Arc::new(Field::clone(field).with_data_type(as_views(field.data_type())))
    };
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        DataType::List(item) => DataType::List(inner(item)),
        DataType::LargeList(item) => DataType::LargeList(inner(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(inner(item), *size),
        DataType::Map(entries, is_sorted) => DataType::Map(inner(entries), *is_sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        other => other.clone(),
    }
}

/// The types of the leaves of a type, in their order.
pub fn leaf_types<'a>(data_type: &'a DataType, found: &mut Vec<&'a DataType>) {
    match data_type {
        DataType::Struct(fields) => fields.iter().for_each(|field| leaf_types(field.data_type(), found)),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => leaf_types(item.data_type(), found),
        leaf => found.push(leaf),
    }
}

/// The schema with the maps of one column, of which keys or values alone are wanted, as lists of their entries.
pub fn with_parts_of_maps(schema: &SchemaDescriptor, part: &Part) -> Result<SchemaDescriptor> {
    as_lists(&schema.root_schema_ptr(), &part.leaves, &mut 0).map(SchemaDescriptor::new)
}

fn as_lists(node: &TypePtr, wanted: &[usize], leaf: &mut usize) -> Result<TypePtr> {
    if node.is_primitive() {
        *leaf += 1;
        return Ok(node.clone());
    }
    let is_list = is_map(node) && is_part(node, *leaf, wanted);
    let fields = node.get_fields().iter().map(|field| as_lists(field, wanted, leaf));
    let fields = fields.collect::<Result<Vec<_>>>()?;
    let info = node.get_basic_info();
    let (converted, logical) = if is_list {
        (ConvertedType::LIST, Some(LogicalType::List))
    } else {
        (info.converted_type(), info.logical_type_ref().cloned())
    };
    let mut made = Type::group_type_builder(node.name())
        .with_fields(fields)
        .with_converted_type(converted)
        .with_logical_type(logical)
        .with_id(info.has_id().then(|| info.id()));
    if info.has_repetition() {
        made = made.with_repetition(info.repetition());
    }
    Ok(Arc::new(made.build()?))
}

/// Whether some of a map's keys and values are wanted and some are not. Its leaves begin at `leaf`.
fn is_part(map: &Type, mut leaf: usize, wanted: &[usize]) -> bool {
    let entries = map.get_fields().iter().filter(|entries| entries.is_group());
    let kept = entries.flat_map(|entries| entries.get_fields()).map(|field| {
        let leaves = leaf..leaf + leaf_count(field);
        leaf = leaves.end;
        wanted.iter().any(|leaf| leaves.contains(leaf))
    });
    let kept: Vec<bool> = kept.collect();
    kept.contains(&true) && kept.contains(&false)
}
