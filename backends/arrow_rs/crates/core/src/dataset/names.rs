//! What a name means: a top-level column, or what is in one, as in `messages.content`.
//!
//! Between dots stand fields of structs, and the levels of lists and maps as the file has them, as in
//! `messages.list.element.content`, or left out. At every depth the longest field name that fits goes first, so that
//! a name that has dots itself is found, and what the file calls so goes before what is found by leaving levels out.

use std::ops::Range;

use parquet::basic::{ConvertedType, Repetition};
use parquet::schema::types::{SchemaDescriptor, Type};

use crate::error::{Error, Result};

/// So many names are listed in an error.
const LISTED_NAMES: usize = 50;

/// What a name means.
#[derive(Clone, Debug)]
pub struct Named<'a> {
    pub leaves: Range<usize>,
    /// Structs around it, where each row has one of it; None within lists and maps.
    pub depth: Option<usize>,
    node: &'a Type,
}

/// Fails where nothing, or more than one, has the name.
pub fn find<'a>(schema: &'a SchemaDescriptor, name: &str) -> Result<Named<'a>> {
    let root = Inside { group: schema.root_schema(), first_leaf: 0, depth: Some(0) };
    if let Some(found) = root.find(name)? {
        return Ok(found);
    }
    let dots = name.rmatch_indices('.').map(|(at, _)| &name[..at]);
    let around = dots.filter_map(|prefix| Some((prefix, root.find(prefix).ok()??))).next();
    let (what, names) = match &around {
        None => ("the file".to_owned(), field_names(root.group)),
        Some((prefix, around)) => (format!("'{prefix}'"), field_names(around.node)),
    };
    Err(Error::usage(match names.len() {
        0 => format!("no column '{name}' ({what} has no fields)"),
        count if count <= LISTED_NAMES => format!("no column '{name}' ({what} has: {})", names.join(", ")),
        count => format!(
            "no column '{name}' ({what} has: {} and {} more)",
            names[..LISTED_NAMES].join(", "),
            count - LISTED_NAMES
        ),
    }))
}

/// A group in whose fields a name is looked for.
struct Inside<'a> {
    group: &'a Type,
    first_leaf: usize,
    /// Of its fields.
    depth: Option<usize>,
}

impl<'a> Inside<'a> {
    fn find(&self, name: &str) -> Result<Option<Named<'a>>> {
        match self.find_field(name)? {
            None => self.without_levels().map_or(Ok(None), |inside| inside.find(name)),
            found => Ok(found),
        }
    }

    fn find_field(&self, name: &str) -> Result<Option<Named<'a>>> {
        let mut fitting: Vec<(&'a Type, Range<usize>)> = Vec::new();
        let mut leaf = self.first_leaf;
        for field in self.group.get_fields() {
            let leaves = leaf..leaf + leaf_count(field);
            leaf = leaves.end;
            let rest = name.strip_prefix(field.name());
            if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
                fitting.push((field, leaves));
            }
        }
        fitting.sort_by_key(|(field, _)| std::cmp::Reverse(field.name().len()));
        for fields in fitting.chunk_by(|(a, _), (b, _)| a.name() == b.name()) {
            let (node, leaves) = fields[0].clone();
            let found = match name.strip_prefix(node.name()).and_then(|rest| rest.strip_prefix('.')) {
                None => Some(Named { leaves, depth: self.depth, node }),
                Some(_) if node.is_primitive() => None,
                Some(rest) => self.field(node, leaves.start).find(rest)?,
            };
            if found.is_some() && fields.len() > 1 {
                let message = format!("{} columns are called '{}'", fields.len(), node.name());
                return Err(Error::usage(message));
            }
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn field(&self, group: &'a Type, first_leaf: usize) -> Self {
        let depth = self.depth.filter(|_| !repeats(group)).map(|depth| depth + 1);
        Inside { group, first_leaf, depth }
    }

    /// Inside of the elements, where the group is a list, or of the entries of a map.
    fn without_levels(&self) -> Option<Self> {
        let inner = inner_level(self.group)?;
        Some(Inside { group: inner, first_leaf: self.first_leaf, depth: None })
    }
}

/// Whether a row can have several of what is in the group.
fn repeats(group: &Type) -> bool {
    is_list(group) || is_map(group) || is_repeated(group)
}

fn is_repeated(node: &Type) -> bool {
    let info = node.get_basic_info();
    info.has_repetition() && info.repetition() == Repetition::REPEATED
}

fn is_list(group: &Type) -> bool {
    group.get_basic_info().converted_type() == ConvertedType::LIST
}

pub fn is_map(group: &Type) -> bool {
    matches!(group.get_basic_info().converted_type(), ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE)
}

/// The level below that a name need not have.
fn inner_level(group: &Type) -> Option<&Type> {
    let [inner] = group.get_fields() else { return None };
    let is_level = is_list(group) || is_map(group) || is_repeated(group);
    (is_level && inner.is_group()).then_some(&**inner)
}

pub fn leaf_count(node: &Type) -> usize {
    if node.is_primitive() { 1 } else { node.get_fields().iter().map(|field| leaf_count(field)).sum() }
}

/// The names of what is in the node, without the levels of lists and maps.
fn field_names(node: &Type) -> Vec<&str> {
    if node.is_primitive() {
        return Vec::new();
    }
    match inner_level(node) {
        Some(inner) => field_names(inner),
        None if is_list(node) => Vec::new(),
        None => node.get_fields().iter().map(|field| field.name()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::schema::parser::parse_message_type;

    use super::*;

    fn schema(text: &str) -> SchemaDescriptor {
        SchemaDescriptor::new(Arc::new(parse_message_type(&format!("message m {{ {text} }}")).unwrap()))
    }

    const CHAT: &str = "required int64 id; \
        optional group messages (LIST) { repeated group list { optional group element \
          { optional binary role (UTF8); optional binary content (UTF8); } } } \
        optional group labels (MAP) { repeated group key_value \
          { required binary key (UTF8); optional group value { optional int32 x; optional int32 y; } } } \
        optional group meta { optional int32 lang; optional group deep { optional int32 lang; } }";

    fn found(text: &str, name: &str) -> (Range<usize>, Option<usize>) {
        let schema = schema(text);
        let named = find(&schema, name).unwrap();
        (named.leaves, named.depth)
    }

    #[test]
    fn names_are_the_format_s_or_leave_levels_out() {
        for (name, leaves, depth) in [
            ("id", 0..1, Some(0)),
            ("messages", 1..3, Some(0)),
            ("messages.list", 1..3, None),
            ("messages.list.element.content", 2..3, None),
            ("messages.element.role", 1..2, None),
            ("messages.content", 2..3, None),
            ("labels.key", 3..4, None),
            ("labels.key_value.value.y", 5..6, None),
            ("labels.value", 4..6, None),
            ("meta.lang", 6..7, Some(1)),
            ("meta.deep", 7..8, Some(1)),
            ("meta.deep.lang", 7..8, Some(2)),
        ] {
            assert_eq!(found(CHAT, name), (leaves, depth), "{name}");
        }
    }

    #[test]
    fn the_longest_field_name_that_fits_goes_first() {
        let text = "required group a { required int32 b; required int32 c; } required int32 a.b; \
                    required group a.c { required int32 d; }";
        assert_eq!(found(text, "a.b"), (2..3, Some(0)));
        assert_eq!(found(text, "a.c"), (3..4, Some(0)));
        assert_eq!(found(text, "a.c.d"), (3..4, Some(1)));
        assert_eq!(found(text, "a"), (0..2, Some(0)));
    }

    #[test]
    fn elements_of_lists_of_lists_and_of_old_lists_are_found() {
        let nested = "optional group l (LIST) { repeated group list { optional group element (LIST) \
                      { repeated group list { optional group element { optional int32 x; } } } } }";
        assert_eq!(found(nested, "l.x"), (0..1, None));
        let old = "optional group l (LIST) { repeated group array { required int32 x; required int32 y; } } \
                   repeated group bare { required int32 z; }";
        assert_eq!(found(old, "l.y"), (1..2, None));
        assert_eq!(found(old, "bare.z"), (2..3, None));
        assert_eq!(found(old, "bare"), (2..3, Some(0)));
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        let schema = schema(&format!("{CHAT} required int32 id;"));
        for (name, words) in [
            ("nothing", "no column 'nothing' (the file has: id, messages, labels, meta, id)"),
            ("messages.contnt", "no column 'messages.contnt' ('messages' has: role, content)"),
            ("meta.deep.x", "no column 'meta.deep.x' ('meta.deep' has: lang)"),
            ("labels.x", "no column 'labels.x' ('labels' has: key, value)"),
            ("meta.lang.x", "no column 'meta.lang.x' ('meta.lang' has no fields)"),
            ("", "no column '' (the file has: id, messages, labels, meta, id)"),
            ("id", "2 columns are called 'id'"),
        ] {
            assert_eq!(find(&schema, name).unwrap_err().message, words);
        }
    }

    #[test]
    fn a_list_of_names_has_an_end() {
        let columns: Vec<_> = (0..60).map(|at| format!("required int32 c{at};")).collect();
        let error = find(&schema(&columns.concat()), "x").unwrap_err();
        assert!(error.message.ends_with("c48, c49 and 10 more)"), "{}", error.message);
    }
}
