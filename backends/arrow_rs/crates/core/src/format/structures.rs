//! What the footer's structures look like, and a copy of them that holds nothing else.
//!
//! The decoder behind us goes by field numbers and believes their types. A field that says to be of another
//! type is stepped over by one reader and read by another, and then everything after it means two things.
//! So each field that is made use of must be of its type, and what is not is left out, whatever it is: vendors have
//! put fields of their own under numbers that the format gave away later.

use crate::format::thrift::{MAX_DEPTH, Reader, Step, Stop, Writer, kind};

/// The type of a field or of an element of a list.
#[derive(Clone, Copy)]
pub enum Shape {
    Bool,
    Byte,
    /// Of 16, 32 or 64 bits: all are written alike.
    Integer,
    Binary,
    List(&'static Shape),
    /// Fields that are made use of; others are left out.
    Struct(&'static [(i16, Shape)]),
    /// One of several structures, of which nobody knows what later versions of the format have inside.
    Union,
    /// Left out where it is of another type: rows are the same without it.
    Spare(&'static Shape),
}

use Shape::{Binary, Bool, Byte, Integer, List, Spare, Struct, Union};

const EMPTY: Shape = Struct(&[]);
const TIME: Shape = Struct(&[(1, Bool), (2, Struct(&[(1, EMPTY), (2, EMPTY), (3, EMPTY)]))]);
const LOGICAL_TYPE: Shape = Struct(&[
    (1, EMPTY),
    (2, EMPTY),
    (3, EMPTY),
    (4, EMPTY),
    (5, Struct(&[(1, Integer), (2, Integer)])),
    (6, EMPTY),
    (7, TIME),
    (8, TIME),
    (10, Struct(&[(1, Byte), (2, Bool)])),
    (11, EMPTY),
    (12, EMPTY),
    (13, EMPTY),
    (14, EMPTY),
    (15, EMPTY),
    (16, Struct(&[(1, Byte)])),
    (17, Struct(&[(1, Binary)])),
    (18, Struct(&[(1, Binary), (2, Integer)])),
    (19, EMPTY),
]);
const KEY_VALUE: Shape = Struct(&[(1, Binary), (2, Binary)]);
/// Without statistics, which are most of a footer's bytes: see `format::statistics`.
const COLUMN_METADATA: Shape = Struct(&[
    (1, Integer),
    (2, List(&Integer)),
    (3, List(&Binary)),
    (4, Integer),
    (5, Integer),
    (6, Integer),
    (7, Integer),
    (9, Integer),
    (11, Integer),
]);
const COLUMN_CHUNK: Shape = Struct(&[
    (1, Binary),
    (2, Integer),
    (3, COLUMN_METADATA),
    (4, Spare(&Integer)),
    (5, Spare(&Integer)),
    (6, Spare(&Integer)),
    (7, Spare(&Integer)),
]);
const ROW_GROUP: Shape = Struct(&[(1, List(&COLUMN_CHUNK)), (2, Integer), (3, Integer)]);
const SCHEMA_ELEMENT: Shape = Struct(&[
    (1, Integer),
    (2, Integer),
    (3, Integer),
    (4, Binary),
    (5, Integer),
    (6, Integer),
    (7, Integer),
    (8, Integer),
    (9, Spare(&Integer)),
    (10, LOGICAL_TYPE),
]);

/// `FileMetaData`: the whole footer.
pub const FOOTER: Shape = Struct(&[
    (1, Integer),
    (2, List(&SCHEMA_ELEMENT)),
    (3, Integer),
    (4, List(&ROW_GROUP)),
    (5, Spare(&List(&KEY_VALUE))),
    (6, Spare(&Binary)),
    (7, Spare(&List(&Union))),
]);

impl Shape {
    fn is_written_as(self, wire: u8) -> bool {
        match self {
            Bool => matches!(wire, kind::TRUE | kind::FALSE),
            Byte => wire == kind::BYTE,
            Integer => matches!(wire, kind::I16 | kind::I32 | kind::I64),
            Binary => wire == kind::BINARY,
            List(_) => wire == kind::LIST,
            Struct(_) | Union => wire == kind::STRUCT,
            Spare(shape) => shape.is_written_as(wire),
        }
    }

    /// What an element of a list is written as where the list is empty.
    fn wire(self) -> u8 {
        match self {
            Bool => kind::TRUE,
            Byte => kind::BYTE,
            Integer => kind::I32,
            Binary => kind::BINARY,
            List(_) => kind::LIST,
            Struct(_) | Union => kind::STRUCT,
            Spare(shape) => shape.wire(),
        }
    }

    /// Copy a value of this shape. Every length in it is then known to be true.
    pub fn copy(self, reader: &mut Reader<'_>, out: &mut Writer) -> Step<()> {
        self.copy_at(reader, out, 0)
    }

    fn copy_at(self, reader: &mut Reader<'_>, out: &mut Writer, depth: u32) -> Step<()> {
        match self {
            Spare(shape) => shape.copy_at(reader, out, depth),
            List(element) => {
                let (wire, count) = reader.list()?;
                // Some writers give an empty list no type, or any.
                let wire = if count == 0 { element.wire() } else { wire };
                if !element.is_written_as(wire) {
                    return Err(Stop::Bad("a list of another type than the format's"));
                }
                out.list(wire, count);
                (0..count).try_for_each(|_| match element {
                    Struct(_) | List(_) => element.copy_at(reader, out, depth + 1),
                    _ => copied(reader, out, |reader| reader.skip_element(wire)),
                })
            }
            Struct(fields) => {
                if depth > MAX_DEPTH {
                    return Err(Stop::Bad("nested too deep"));
                }
                let (mut last, mut last_out) = (0, 0);
                while let Some((id, wire)) = reader.field(&mut last)? {
                    let known = fields.iter().find(|(known, _)| *known == id).map(|(_, shape)| *shape);
                    match known {
                        Some(shape) if shape.is_written_as(wire) => {
                            out.field(&mut last_out, id, wire);
                            match shape {
                                Struct(_) | List(_) | Spare(_)
                                    if matches!(wire, kind::STRUCT | kind::LIST) =>
                                {
                                    shape.copy_at(reader, out, depth + 1)?;
                                }
                                _ => copied(reader, out, |reader| reader.skip(wire))?,
                            }
                        }
                        Some(Spare(_)) | None => reader.skip(wire)?,
                        Some(_) => return Err(Stop::Bad("a field of another type than the format's")),
                    }
                }
                out.end();
                Ok(())
            }
            // Only structures and lists have anything inside.
            Bool | Byte | Integer | Binary | Union => Ok(()),
        }
    }
}

/// Copy what `step` reads, as it is.
fn copied<'a>(
    reader: &mut Reader<'a>,
    out: &mut Writer,
    step: impl Fn(&mut Reader<'a>) -> Step<()>,
) -> Step<()> {
    let start = reader.position();
    step(reader)?;
    out.bytes.extend_from_slice(reader.since(start));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A schema of one element: repetition, name, children.
    const SCHEMA: [u8; 10] = [0x29, 0x1c, 0x35, 0x02, 0x18, 0x01, b'a', 0x15, 0x00, 0x00];

    fn copy(bytes: &[u8]) -> Step<Vec<u8>> {
        let mut out = Writer::default();
        FOOTER.copy(&mut Reader::new(bytes), &mut out).map(|()| out.bytes)
    }

    #[test]
    fn a_footer_of_the_right_types_is_copied() {
        let footer = [&SCHEMA[..], &[0x16, 0x06, 0x00]].concat();
        assert_eq!(copy(&footer), Ok(footer.clone()));
        assert_eq!(copy(&footer[..footer.len() - 1]), Err(Stop::More));
    }

    #[test]
    fn a_known_field_of_another_type_is_refused() {
        // The repetition as a boolean, which has no bytes of its own: what follows would shift.
        let mut footer = [&SCHEMA[..], &[0x16, 0x06, 0x00]].concat();
        footer[2] = 0x31;
        assert_eq!(copy(&footer), Err(Stop::Bad("a field of another type than the format's")));
    }

    #[test]
    fn what_is_of_no_use_is_left_out() {
        // Field 100 of the file, a list of two numbers, and the writer's name as a number.
        assert_eq!(copy(&[0x09, 0xc8, 0x01, 0x25, 0x02, 0x04, 0x05, 0x0c, 0x02, 0x00]), Ok(vec![0x00]));
    }

    #[test]
    fn empty_lists_get_the_type_of_the_format() {
        for wire in [0, kind::BYTE, kind::STRUCT] {
            assert_eq!(copy(&[0x49, wire, 0x00]), Ok(vec![0x49, kind::STRUCT, 0x00]));
        }
    }
}
