//! What the footer's structures look like, and a walk that holds bytes against it.
//!
//! The decoder behind us goes by field numbers and believes their types. A field that says to be of another
//! type is stepped over by one reader and read by another, and then everything after it means two things.
//! So each known field must be of its type, and what is checked here is what is decoded afterwards.

use crate::format::thrift::{MAX_DEPTH, Reader, Step, Stop, kind};

/// The type of a field or of an element of a list.
#[derive(Clone, Copy)]
pub enum Shape {
    Bool,
    Byte,
    /// Of 16, 32 or 64 bits: all are written alike.
    Integer,
    Double,
    Binary,
    List(&'static Shape),
    /// Known fields; others are stepped over.
    Struct(&'static [(i16, Shape)]),
}

use Shape::{Binary, Bool, Byte, Double, Integer, List, Struct};

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
const STATISTICS: Shape = Struct(&[
    (1, Binary),
    (2, Binary),
    (3, Integer),
    (4, Integer),
    (5, Binary),
    (6, Binary),
    (7, Bool),
    (8, Bool),
    (9, Integer),
]);
const BOX: Shape = Struct(&[
    (1, Double),
    (2, Double),
    (3, Double),
    (4, Double),
    (5, Double),
    (6, Double),
    (7, Double),
    (8, Double),
]);
const COLUMN_METADATA: Shape = Struct(&[
    (1, Integer),
    (2, List(&Integer)),
    (3, List(&Binary)),
    (4, Integer),
    (5, Integer),
    (6, Integer),
    (7, Integer),
    (8, List(&KEY_VALUE)),
    (9, Integer),
    (10, Integer),
    (11, Integer),
    (12, STATISTICS),
    (13, List(&Struct(&[(1, Integer), (2, Integer), (3, Integer)]))),
    (14, Integer),
    (15, Integer),
    (16, Struct(&[(1, Integer), (2, List(&Integer)), (3, List(&Integer))])),
    (17, Struct(&[(1, BOX), (2, List(&Integer))])),
]);
const COLUMN_CHUNK: Shape = Struct(&[
    (1, Binary),
    (2, Integer),
    (3, COLUMN_METADATA),
    (4, Integer),
    (5, Integer),
    (6, Integer),
    (7, Integer),
]);
const ROW_GROUP: Shape = Struct(&[
    (1, List(&COLUMN_CHUNK)),
    (2, Integer),
    (3, Integer),
    (4, List(&Struct(&[(1, Integer), (2, Bool), (3, Bool)]))),
    (5, Integer),
    (6, Integer),
    (7, Integer),
]);
const SCHEMA_ELEMENT: Shape = Struct(&[
    (1, Integer),
    (2, Integer),
    (3, Integer),
    (4, Binary),
    (5, Integer),
    (6, Integer),
    (7, Integer),
    (8, Integer),
    (9, Integer),
    (10, LOGICAL_TYPE),
]);

/// `FileMetaData`: the whole footer.
pub const FOOTER: Shape = Struct(&[
    (1, Integer),
    (2, List(&SCHEMA_ELEMENT)),
    (3, Integer),
    (4, List(&ROW_GROUP)),
    (5, List(&KEY_VALUE)),
    (6, Binary),
    (7, List(&Struct(&[(1, EMPTY), (2, EMPTY)]))),
]);

impl Shape {
    fn is_written_as(self, wire: u8) -> bool {
        match self {
            Bool => matches!(wire, kind::TRUE | kind::FALSE),
            Byte => wire == kind::BYTE,
            Integer => matches!(wire, kind::I16 | kind::I32 | kind::I64),
            Double => wire == kind::DOUBLE,
            Binary => wire == kind::BINARY,
            List(_) => wire == kind::LIST,
            Struct(_) => wire == kind::STRUCT,
        }
    }

    /// Walk over a value of this shape. Every length in it is then known to be true.
    pub fn check(self, reader: &mut Reader<'_>) -> Step<()> {
        self.check_at(reader, 0)
    }

    fn check_at(self, reader: &mut Reader<'_>, depth: u32) -> Step<()> {
        match self {
            List(element) => {
                let (wire, count) = reader.list()?;
                // Some writers give an empty list no type.
                if count > 0 && !element.is_written_as(wire) {
                    return Err(Stop::Bad("a list of another type than the format's"));
                }
                (0..count).try_for_each(|_| match element {
                    Struct(_) | List(_) => element.check_at(reader, depth + 1),
                    _ => reader.skip_element(wire),
                })
            }
            Struct(fields) => {
                if depth > MAX_DEPTH {
                    return Err(Stop::Bad("nested too deep"));
                }
                let mut last = 0;
                while let Some((id, wire)) = reader.field(&mut last)? {
                    match fields.iter().find(|(known, _)| *known == id) {
                        Some((_, shape)) if !shape.is_written_as(wire) => {
                            return Err(Stop::Bad("a field of another type than the format's"));
                        }
                        Some((_, shape @ (Struct(_) | List(_)))) => shape.check_at(reader, depth + 1)?,
                        _ => reader.skip(wire)?,
                    }
                }
                Ok(())
            }
            // Only structures and lists have anything inside.
            Bool | Byte | Integer | Double | Binary => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A schema of one element: repetition, name, children.
    const SCHEMA: [u8; 10] = [0x29, 0x1c, 0x35, 0x02, 0x18, 0x01, b'a', 0x15, 0x00, 0x00];

    fn check(bytes: &[u8]) -> Step<()> {
        FOOTER.check(&mut Reader::new(bytes))
    }

    #[test]
    fn a_footer_of_the_right_types_passes() {
        let footer = [&SCHEMA[..], &[0x16, 0x06, 0x00]].concat();
        assert_eq!(check(&footer), Ok(()));
        assert_eq!(check(&footer[..footer.len() - 1]), Err(Stop::More));
    }

    #[test]
    fn a_known_field_of_another_type_is_refused() {
        // The repetition as a boolean, which has no bytes of its own: what follows would shift.
        let mut footer = [&SCHEMA[..], &[0x16, 0x06, 0x00]].concat();
        footer[2] = 0x31;
        assert_eq!(check(&footer), Err(Stop::Bad("a field of another type than the format's")));
    }

    #[test]
    fn unknown_fields_are_stepped_over() {
        // Field 100 of the file, a list of two numbers.
        assert_eq!(check(&[0x09, 0xc8, 0x01, 0x25, 0x02, 0x04, 0x00]), Ok(()));
    }
}
