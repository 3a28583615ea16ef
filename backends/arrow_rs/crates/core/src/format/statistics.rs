//! The bounds of column chunks in the footer, read on their own: what is wrong with them concerns no scan.

use crate::format::bounds::{Bounds, Notation};
use crate::format::thrift::{Reader, Step, kind};

/// A chunk's statistics as they are written.
#[derive(Clone, Copy, Debug, Default)]
struct Statistics<'a> {
    /// What the format calls deprecated: of a signed comparison of whatever the column holds.
    old_largest: Option<&'a [u8]>,
    old_smallest: Option<&'a [u8]>,
    largest: Option<&'a [u8]>,
    smallest: Option<&'a [u8]>,
    largest_is_exact: bool,
}

/// For each row group of the footer, the bounds of the chunk of a leaf.
pub fn bounds(footer: &[u8], leaf: usize, notation: Notation) -> Step<Vec<Bounds>> {
    let mut reader = Reader::new(footer);
    let mut all = Vec::new();
    let mut last = 0;
    while let Some(field) = reader.field(&mut last)? {
        match field {
            (4, kind::LIST) => {
                let (_, groups) = reader.list()?;
                all = (0..groups).map(|_| of_group(&mut reader, leaf, notation)).collect::<Step<_>>()?;
            }
            (_, wire) => reader.skip(wire)?,
        }
    }
    Ok(all)
}

fn of_group(reader: &mut Reader<'_>, leaf: usize, notation: Notation) -> Step<Bounds> {
    let mut bounds = Bounds::default();
    let mut last = 0;
    while let Some(field) = reader.field(&mut last)? {
        match field {
            (1, kind::LIST) => {
                let (wire, chunks) = reader.list()?;
                for chunk in 0..chunks {
                    if chunk == leaf {
                        bounds = of_chunk(reader)?.bounds(notation);
                    } else {
                        reader.skip_element(wire)?;
                    }
                }
            }
            (_, wire) => reader.skip(wire)?,
        }
    }
    Ok(bounds)
}

fn of_chunk<'a>(reader: &mut Reader<'a>) -> Step<Statistics<'a>> {
    let mut statistics = Statistics::default();
    let mut last = 0;
    while let Some(field) = reader.field(&mut last)? {
        match field {
            (3, kind::STRUCT) => {
                let mut last = 0;
                while let Some(field) = reader.field(&mut last)? {
                    match field {
                        (12, kind::STRUCT) => statistics = Statistics::read(reader)?,
                        (_, wire) => reader.skip(wire)?,
                    }
                }
            }
            (_, wire) => reader.skip(wire)?,
        }
    }
    Ok(statistics)
}

impl<'a> Statistics<'a> {
    fn read(reader: &mut Reader<'a>) -> Step<Self> {
        let mut found = Self::default();
        let mut last = 0;
        while let Some(field) = reader.field(&mut last)? {
            match field {
                (1, kind::BINARY) => found.old_largest = Some(reader.binary()?),
                (2, kind::BINARY) => found.old_smallest = Some(reader.binary()?),
                (5, kind::BINARY) => found.largest = Some(reader.binary()?),
                (6, kind::BINARY) => found.smallest = Some(reader.binary()?),
                (7, kind::TRUE) => found.largest_is_exact = true,
                (_, wire) => reader.skip(wire)?,
            }
        }
        Ok(found)
    }

    fn bounds(&self, notation: Notation) -> Bounds {
        if notation.is_ordered() && (self.smallest.is_some() || self.largest.is_some()) {
            return notation.read(self.smallest, self.largest, self.largest_is_exact);
        }
        if notation.is_signed() {
            return notation.read(self.old_smallest, self.old_largest, true);
        }
        Bounds::default()
    }
}
