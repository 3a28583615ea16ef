//! The schema as writers left it, and as the format has it today.
//!
//! What old and careless writers did is made what they meant, as far as no row changes by it: annotations that
//! say nothing to us are dropped, and columns come as their physical type; a decimal number without a scale has
//! that of 0; groups without columns are left out; and the element of a list in two levels that is a map
//! gets the level around it that lists of today have.

use crate::error::{Error, Kind, Place, Result};
use crate::format::thrift::{Reader, Step, Stop, Writer, kind};

/// Nested types of real files are less than ten deep; decoders recurse.
const MAX_DEPTH: usize = 64;
/// The widest decimal numbers of Arrow.
const MOST_DIGITS: i64 = 76;

/// Values of the format's enumerations.
const REPEATED: i64 = 2;
const LAST_TYPE: i64 = 7;
mod converted {
    pub const MAP: i64 = 1;
    pub const LIST: i64 = 3;
    pub const DECIMAL: i64 = 5;
    pub const JSON: i64 = 19;
    pub const UTF8: i64 = 0;
    pub const INTERVAL: i64 = 21;
}
/// Ids of logical types.
mod logical {
    pub const MAP: i16 = 2;
    pub const LIST: i16 = 3;
    pub const DECIMAL: i16 = 5;
    pub const STRING: i16 = 1;
    pub const JSON: i16 = 12;
}
/// The logical type of text, as it is written.
const STRING: (&[u8], i16) = (&[0x1c, 0, 0], logical::STRING);

/// `SchemaElement`.
#[derive(Clone, Default)]
struct Element<'a> {
    physical: Option<i64>,
    length: Option<i64>,
    repetition: Option<i64>,
    name: &'a [u8],
    children: Option<i64>,
    converted: Option<i64>,
    scale: Option<i64>,
    precision: Option<i64>,
    id: Option<i64>,
    /// As it is written, and which of its kinds it is.
    logical: Option<(&'a [u8], i16)>,
}

/// An element and what is below it.
struct Node<'a> {
    element: Element<'a>,
    children: Vec<Node<'a>>,
}

/// Read a schema, which must be a tree in depth-first order, and write it as the format has it.
pub fn rewrite(reader: &mut Reader<'_>, out: &mut Writer) -> Result<()> {
    let (_, count) = reader.list()?;
    let mut left = count;
    let root = if count > 0 { Some(Node::read(reader, &mut left, 0)?) } else { None };
    let root =
        root.filter(|_| left == 0).ok_or(Stop::Bad("a schema with more or fewer elements than its tree"))?;
    let root = Node { children: mended(root.children, &root.element), element: root.element };
    out.list(kind::STRUCT, root.count());
    root.write(out);
    Ok(())
}

impl<'a> Node<'a> {
    fn read(reader: &mut Reader<'a>, left: &mut usize, depth: usize) -> Result<Self> {
        if depth > MAX_DEPTH {
            return Err(Stop::Bad("a schema nested too deep").into());
        }
        *left = left.checked_sub(1).ok_or(Stop::Bad("a schema with fewer elements than its tree"))?;
        let element = Element::read(reader)?;
        element.check()?;
        let mut children = Vec::new();
        for _ in 0..element.children.unwrap_or(0) {
            children.push(Self::read(reader, left, depth + 1)?);
        }
        Ok(Self { element, children })
    }

    fn count(&self) -> usize {
        1 + self.children.iter().map(Node::count).sum::<usize>()
    }

    fn is_empty_group(&self) -> bool {
        self.element.physical.is_none() && self.children.is_empty()
    }

    fn write(&self, out: &mut Writer) {
        self.element.write(self.children.len(), out);
        self.children.iter().for_each(|child| child.write(out));
    }
}

/// The children of `parent` as the format has them.
fn mended<'a>(children: Vec<Node<'a>>, parent: &Element<'a>) -> Vec<Node<'a>> {
    let is_list = parent.is(converted::LIST, logical::LIST) && children.len() == 1;
    let mend = |node: Node<'a>| {
        let Node { mut element, children } = node;
        let children = mended(children, &element);
        element.mend();
        let is_map = element.is(converted::MAP, logical::MAP) && !children.is_empty();
        if !(is_list && is_map && element.repetition == Some(REPEATED)) {
            return Node { element, children };
        }
        // As deep as before: a level that must be there adds none.
        let list = Element { repetition: Some(REPEATED), name: b"list", ..Element::default() };
        element.repetition = Some(0);
        Node { element: list, children: vec![Node { element, children }] }
    };
    children.into_iter().map(mend).filter(|node| !node.is_empty_group()).collect()
}

impl<'a> Element<'a> {
    fn read(reader: &mut Reader<'a>) -> Step<Self> {
        let mut element = Self::default();
        let mut last = 0;
        while let Some((id, wire)) = reader.field(&mut last)? {
            let integer = |reader: &mut Reader<'a>| reader.integer().map(Some);
            match (id, wire) {
                (4, kind::BINARY) => element.name = reader.binary()?,
                (10, kind::STRUCT) => {
                    let start = reader.position();
                    let kind = Reader::new(reader.rest()).field(&mut 0)?.map_or(0, |(id, _)| id);
                    reader.skip(wire)?;
                    element.logical = Some((reader.since(start), kind));
                }
                (1, _) => element.physical = integer(reader)?,
                (2, _) => element.length = integer(reader)?,
                (3, _) => element.repetition = integer(reader)?,
                (5, _) => element.children = integer(reader)?,
                (6, _) => element.converted = integer(reader)?,
                (7, _) => element.scale = integer(reader)?,
                (8, _) => element.precision = integer(reader)?,
                (9, _) => element.id = integer(reader)?,
                (_, wire) => reader.skip(wire)?,
            }
        }
        Ok(element)
    }

    fn is(&self, converted: i64, logical: i16) -> bool {
        match self.logical {
            Some((_, kind)) => kind == logical,
            None => self.converted == Some(converted),
        }
    }

    fn check(&self) -> Result<()> {
        let name = || String::from_utf8_lossy(self.name).into_owned();
        let unsupported = |message: String| {
            let place = Place { column: Some(name()), ..Place::default() };
            Err(Error::new(Kind::Unsupported, message).within(&place))
        };
        // C strings carry names to other libraries.
        if self.name.contains(&0) {
            return Err(Stop::Bad("a column name with a NUL byte").into());
        }
        if self.children.is_some_and(|children| children < 0) {
            return Err(Stop::Bad("a negative number of children").into());
        }
        match self.physical {
            Some(physical) if physical > LAST_TYPE => {
                return unsupported(format!(
                    "a column of physical type {physical}, which the format did not have"
                ));
            }
            Some(_) if self.children.is_some_and(|children| children > 0) => {
                return Err(Stop::Bad("a column of values that has children").into());
            }
            _ => {}
        }
        let digits = self.precision.filter(|_| self.is(converted::DECIMAL, logical::DECIMAL));
        match digits {
            Some(digits) if digits > MOST_DIGITS => {
                unsupported(format!("decimal numbers of {digits} digits (Arrow has up to {MOST_DIGITS})"))
            }
            _ => Ok(()),
        }
    }

    fn mend(&mut self) {
        if self.converted == Some(converted::INTERVAL) {
            // Arrow has an interval of these parts, but not all that take Arrow have it.
            (self.converted, self.logical) = (None, None);
        }
        if self.converted.is_some_and(|converted| !(0..=converted::INTERVAL).contains(&converted)) {
            self.converted = None;
        }
        if matches!(self.logical, Some((_, 0))) {
            // None of those that are known.
            self.logical = None;
        }
        // Both are text, whose dictionaries arrow-rs takes for bytes where it is not called so twice.
        if self.is(converted::JSON, logical::JSON) || matches!(self.logical, Some((_, logical::STRING))) {
            (self.converted, self.logical) = (Some(converted::UTF8), Some(STRING));
        }
        if self.converted == Some(converted::DECIMAL) && self.scale.is_none() {
            self.scale = Some(0);
        }
    }

    fn write(&self, children: usize, out: &mut Writer) {
        let mut last = 0;
        let integers = |out: &mut Writer, last: &mut i16, fields: &[(i16, Option<i64>)]| {
            for (id, value) in fields {
                if let Some(value) = value {
                    out.field(last, *id, kind::I32);
                    out.integer(*value);
                }
            }
        };
        integers(out, &mut last, &[(1, self.physical), (2, self.length), (3, self.repetition)]);
        out.field(&mut last, 4, kind::BINARY);
        out.varint(self.name.len() as u64);
        out.bytes.extend_from_slice(self.name);
        let children = self.physical.is_none().then_some(i64::try_from(children).unwrap_or(i64::MAX));
        let annotation = [(6, self.converted), (7, self.scale), (8, self.precision), (9, self.id)];
        integers(out, &mut last, &[(5, children)]);
        integers(out, &mut last, &annotation);
        if let Some((logical, _)) = self.logical {
            out.field(&mut last, 10, kind::STRUCT);
            out.bytes.extend_from_slice(logical);
        }
        out.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(name: &'static str, converted: Option<i64>) -> Element<'static> {
        Element {
            physical: Some(1),
            repetition: Some(0),
            name: name.as_bytes(),
            converted,
            ..Element::default()
        }
    }

    fn group(name: &'static str, converted: Option<i64>, children: Vec<Node<'static>>) -> Node<'static> {
        let element = Element { repetition: Some(0), name: name.as_bytes(), converted, ..Element::default() };
        Node { element, children }
    }

    fn of(element: Element<'static>) -> Node<'static> {
        Node { element, children: Vec::new() }
    }

    /// Names, numbers of children and converted types after reading what was written.
    fn rewritten(root: &Node<'static>) -> Result<Vec<(String, i64, Option<i64>)>> {
        let mut out = Writer::default();
        out.list(kind::STRUCT, root.count());
        root.write(&mut out);
        let mut again = Writer::default();
        rewrite(&mut Reader::new(&out.bytes), &mut again)?;
        let mut reader = Reader::new(&again.bytes);
        let (_, count) = reader.list()?;
        let element = |_| {
            let element = Element::read(&mut reader)?;
            let name = String::from_utf8_lossy(element.name).into_owned();
            Ok((name, element.children.unwrap_or(0), element.converted))
        };
        (0..count).map(element).collect()
    }

    #[test]
    fn annotations_that_say_nothing_to_us_are_dropped() {
        let columns = [Some(24), Some(converted::INTERVAL), Some(0)];
        let root = group("schema", None, columns.map(|converted| of(leaf("c", converted))).into());
        let converted: Vec<_> = rewritten(&root).unwrap().into_iter().map(|(_, _, it)| it).collect();
        assert_eq!(converted, [None, None, None, Some(0)]);
    }

    #[test]
    fn all_text_is_called_text_by_both_annotations() {
        let mut json = leaf("json", None);
        json.logical = Some((&b"\xcc\0\0"[..], logical::JSON));
        let mut string = leaf("string", None);
        string.logical = Some(STRING);
        let root =
            group("schema", None, vec![of(json), of(leaf("older", Some(converted::JSON))), of(string)]);
        let converted: Vec<_> = rewritten(&root).unwrap().into_iter().map(|(_, _, it)| it).collect();
        assert_eq!(converted, [None, Some(0), Some(0), Some(0)]);
    }

    #[test]
    fn groups_without_columns_are_left_out() {
        let empty = group("empty", None, vec![group("in it", None, vec![])]);
        let root = group("schema", None, vec![empty, of(leaf("c", None))]);
        let names: Vec<_> =
            rewritten(&root).unwrap().into_iter().map(|(name, count, _)| (name, count)).collect();
        assert_eq!(names, [("schema".into(), 1), ("c".into(), 0)]);
    }

    #[test]
    fn a_map_that_is_repeated_in_a_list_gets_its_level() {
        let mut map =
            group("array", Some(converted::MAP), vec![group("map", None, vec![of(leaf("key", None))])]);
        map.element.repetition = Some(REPEATED);
        let root = group("schema", None, vec![group("maps", Some(converted::LIST), vec![map])]);
        let names: Vec<_> = rewritten(&root).unwrap().into_iter().map(|(name, _, _)| name).collect();
        assert_eq!(names, ["schema", "maps", "list", "array", "map", "key"]);
    }

    #[test]
    fn what_is_valid_and_unknown_is_unsupported() {
        let mut wide = leaf("wide", Some(converted::DECIMAL));
        wide.precision = Some(77);
        let mut strange = leaf("strange", None);
        strange.physical = Some(8);
        for element in [wide, strange] {
            let error = rewritten(&group("schema", None, vec![of(element)])).unwrap_err();
            assert_eq!(error.kind, Kind::Unsupported);
        }
    }

    #[test]
    fn trees_with_too_many_or_too_few_elements_are_corrupt() {
        let mut root = group("schema", None, vec![of(leaf("c", None))]);
        for children in [0_usize, 2] {
            let mut out = Writer::default();
            out.list(kind::STRUCT, 2);
            root.element.write(children, &mut out);
            root.children[0].write(&mut out);
            assert!(rewrite(&mut Reader::new(&out.bytes), &mut Writer::default()).is_err());
        }
        root.children.clear();
        let mut deep = group("deep", None, vec![of(leaf("c", None))]);
        for _ in 0..MAX_DEPTH {
            deep = group("deep", None, vec![deep]);
        }
        assert!(rewritten(&deep).is_err());
    }
}
