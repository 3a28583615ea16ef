//! Smallest and largest values as footers and page indexes have them, as far as they may be believed.
//!
//! Nobody reads the rows that are left out for them, so what is not certain is not used: bounds in an order that
//! the format does not define for the column, of another length than its values, beyond its type, that are no
//! number, or of which the smallest is above the largest.

use arrow_array::types::{ArrowPrimitiveType, Float16Type};
use arrow_schema::{DataType, TimeUnit as ArrowUnit};
use num_bigint::BigInt;
use parquet::basic::{ColumnOrder, ConvertedType, LogicalType, SortOrder, TimeUnit, Type};
use parquet::schema::types::ColumnDescriptor;

#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub enum Bound {
    /// In the units of the column: see `filter::condition`.
    Whole(BigInt),
    Floating(f64),
    Bytes(Vec<u8>),
}

/// None where nothing is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bounds {
    pub smallest: Option<Bound>,
    pub largest: Option<Bound>,
    /// Whether values may go on behind the largest: writers cut long ones short, and not all round them up.
    pub largest_may_be_cut: bool,
}

/// How the bounds of a column are written.
#[derive(Clone, Copy, Debug)]
pub struct Notation {
    kind: Kind,
    /// Whether the footer says that they are in the order of the column's type.
    is_ordered: bool,
    /// Whether that order is the signed one, in which old writers compared whatever they wrote.
    is_signed: bool,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Boolean,
    /// Of 32 or 64 bits, and the least and most that the column may hold.
    Integer {
        is_signed: bool,
        least: i128,
        most: i128,
    },
    Half,
    Single,
    Double,
    /// Whole numbers, most significant byte first, of a width where it is fixed.
    Decimal {
        width: Option<usize>,
    },
    Bytes {
        width: Option<usize>,
    },
}

impl Notation {
    /// None for columns whose bounds are not made use of.
    pub fn of(column: &ColumnDescriptor, order: Option<ColumnOrder>, data_type: &DataType) -> Option<Self> {
        let kind = Kind::of(column, data_type)?;
        let is_ordered = match order {
            Some(ColumnOrder::TYPE_DEFINED_ORDER(order)) => order != SortOrder::UNDEFINED,
            Some(ColumnOrder::IEEE_754_TOTAL_ORDER) => {
                matches!(kind, Kind::Half | Kind::Single | Kind::Double)
            }
            _ => false,
        };
        let is_signed = match kind {
            Kind::Boolean | Kind::Single | Kind::Double => true,
            Kind::Integer { is_signed, .. } => is_signed,
            Kind::Half | Kind::Decimal { .. } | Kind::Bytes { .. } => false,
        };
        Some(Self { kind, is_ordered, is_signed })
    }

    /// Whether bounds in the order of the column's type may be believed.
    pub fn is_ordered(self) -> bool {
        self.is_ordered
    }

    /// Whether bounds of old writers may be believed.
    pub fn is_signed(self) -> bool {
        self.is_signed
    }

    /// The bounds that these bytes are.
    pub fn read(self, smallest: Option<&[u8]>, largest: Option<&[u8]>, largest_is_exact: bool) -> Bounds {
        let (smallest, largest) =
            (smallest.map(|bytes| self.bound(bytes)), largest.map(|bytes| self.bound(bytes)));
        // One that is none makes the other doubtful.
        let is_broken = matches!(smallest, Some(None)) || matches!(largest, Some(None));
        let (smallest, largest) = (smallest.flatten(), largest.flatten());
        if is_broken || smallest.as_ref().zip(largest.as_ref()).is_some_and(|(low, high)| low > high) {
            return Bounds::default();
        }
        let largest_may_be_cut = matches!(self.kind, Kind::Bytes { .. }) && !largest_is_exact;
        Bounds { smallest, largest, largest_may_be_cut }
    }

    fn bound(self, bytes: &[u8]) -> Option<Bound> {
        let number = |value: f64| (!value.is_nan()).then_some(Bound::Floating(value));
        match self.kind {
            Kind::Boolean => match bytes {
                [truth @ (0 | 1)] => Some(Bound::Whole((*truth).into())),
                _ => None,
            },
            Kind::Integer { is_signed, least, most } => {
                let value: i128 = match (bytes.len(), is_signed) {
                    (4, true) => i32::from_le_bytes(bytes.try_into().ok()?).into(),
                    (4, false) => u32::from_le_bytes(bytes.try_into().ok()?).into(),
                    (8, true) => i64::from_le_bytes(bytes.try_into().ok()?).into(),
                    (8, false) => u64::from_le_bytes(bytes.try_into().ok()?).into(),
                    _ => return None,
                };
                (least..=most).contains(&value).then(|| Bound::Whole(value.into()))
            }
            Kind::Half => {
                let half = <Float16Type as ArrowPrimitiveType>::Native::from_le_bytes(bytes.try_into().ok()?);
                number(half.to_f64())
            }
            Kind::Single => number(f32::from_le_bytes(bytes.try_into().ok()?).into()),
            Kind::Double => number(f64::from_le_bytes(bytes.try_into().ok()?)),
            Kind::Decimal { width } => {
                let fits = width.is_none_or(|width| bytes.len() == width);
                (fits && !bytes.is_empty()).then(|| Bound::Whole(BigInt::from_signed_bytes_be(bytes)))
            }
            Kind::Bytes { width } => {
                let fits = width.is_none_or(|width| bytes.len() <= width);
                fits.then(|| Bound::Bytes(bytes.to_vec()))
            }
        }
    }
}

impl Kind {
    fn of(column: &ColumnDescriptor, data_type: &DataType) -> Option<Self> {
        let physical = column.physical_type();
        let width = usize::try_from(column.type_length()).ok();
        let bits: u32 = match physical {
            Type::INT32 => 32,
            Type::INT64 => 64,
            _ => 0,
        };
        // Whole numbers that are of the same unit in the file and in batches.
        let all = |is_signed: bool| {
            let most = if is_signed { (1_i128 << (bits - 1)) - 1 } else { (1_i128 << bits) - 1 };
            let least = if is_signed { -most - 1 } else { 0 };
            Some(Self::Integer { is_signed, least, most })
        };
        match data_type {
            DataType::Dictionary(_, values) => Self::of(column, values),
            DataType::Boolean if physical == Type::BOOLEAN => Some(Self::Boolean),
            DataType::Float16 if physical == Type::FIXED_LEN_BYTE_ARRAY && width == Some(2) => {
                Some(Self::Half)
            }
            DataType::Float32 if physical == Type::FLOAT => Some(Self::Single),
            DataType::Float64 if physical == Type::DOUBLE => Some(Self::Double),
            DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
                if physical == Type::BYTE_ARRAY =>
            {
                Some(Self::Bytes { width: None })
            }
            DataType::FixedSizeBinary(_) if physical == Type::FIXED_LEN_BYTE_ARRAY => {
                Some(Self::Bytes { width })
            }
            DataType::Decimal32(_, scale)
            | DataType::Decimal64(_, scale)
            | DataType::Decimal128(_, scale)
            | DataType::Decimal256(_, scale)
                if i32::from(*scale) == column.type_scale() =>
            {
                match physical {
                    Type::INT32 | Type::INT64 => all(true),
                    Type::FIXED_LEN_BYTE_ARRAY => Some(Self::Decimal { width }),
                    Type::BYTE_ARRAY => Some(Self::Decimal { width: None }),
                    _ => None,
                }
            }
            _ if bits == 0 => None,
            DataType::Date32 if physical == Type::INT32 => all(true),
            DataType::Timestamp(unit, _) | DataType::Time32(unit) | DataType::Time64(unit) => {
                (unit_of(column) == Some(*unit)).then(|| all(true)).flatten()
            }
            _ => {
                let (is_signed, most): (bool, i128) = match data_type {
                    DataType::Int8 => (true, i8::MAX.into()),
                    DataType::Int16 => (true, i16::MAX.into()),
                    DataType::Int32 => (true, i32::MAX.into()),
                    DataType::Int64 => (true, i64::MAX.into()),
                    DataType::UInt8 => (false, u8::MAX.into()),
                    DataType::UInt16 => (false, u16::MAX.into()),
                    DataType::UInt32 => (false, u32::MAX.into()),
                    DataType::UInt64 => (false, u64::MAX.into()),
                    _ => return None,
                };
                let least = if is_signed { -most - 1 } else { 0 };
                // Numbers without a sign may be stored in wider ones that have one.
                let is_signed = !is_unsigned(column);
                Some(Self::Integer { is_signed, least, most })
            }
        }
    }
}

fn is_unsigned(column: &ColumnDescriptor) -> bool {
    match column.logical_type_ref() {
        Some(LogicalType::Integer(integer)) => !integer.is_signed,
        Some(_) => false,
        None => matches!(
            column.converted_type(),
            ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64
        ),
    }
}

/// The unit of times and timestamps as they are stored.
fn unit_of(column: &ColumnDescriptor) -> Option<ArrowUnit> {
    let logical = match column.logical_type_ref() {
        Some(LogicalType::Timestamp(timestamp)) => Some(&timestamp.unit),
        Some(LogicalType::Time(time)) => Some(&time.unit),
        _ => None,
    };
    match (logical, column.converted_type()) {
        (Some(TimeUnit::MILLIS), _) => Some(ArrowUnit::Millisecond),
        (Some(TimeUnit::MICROS), _) => Some(ArrowUnit::Microsecond),
        (Some(TimeUnit::NANOS), _) => Some(ArrowUnit::Nanosecond),
        (None, ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIME_MILLIS) => Some(ArrowUnit::Millisecond),
        (None, ConvertedType::TIMESTAMP_MICROS | ConvertedType::TIME_MICROS) => Some(ArrowUnit::Microsecond),
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notation(kind: Kind) -> Notation {
        Notation { kind, is_ordered: true, is_signed: true }
    }

    #[test]
    fn doubtful_bounds_are_none() {
        let byte = notation(Kind::Integer { is_signed: true, least: -128, most: 127 });
        let pair = |low: i32, high: i32| byte.read(Some(&low.to_le_bytes()), Some(&high.to_le_bytes()), true);
        assert_eq!(pair(-1, 2).smallest, Some(Bound::Whole((-1).into())));
        assert_eq!(pair(2, -1), Bounds::default(), "above each other");
        assert_eq!(pair(-1, 300), Bounds::default(), "beyond the type");
        assert_eq!(byte.read(Some(&[1]), Some(&[2, 0, 0, 0]), true), Bounds::default(), "too short");
        let float = |low: f64, high: f64| {
            notation(Kind::Double).read(Some(&low.to_le_bytes()), Some(&high.to_le_bytes()), true)
        };
        assert_eq!(float(1.0, f64::NAN), Bounds::default());
        assert_eq!(float(0.0, -0.0).largest, Some(Bound::Floating(0.0)), "the zeros are equal");
        assert_eq!(notation(Kind::Boolean).read(Some(&[0]), Some(&[2]), true), Bounds::default());
    }

    #[test]
    fn decimals_are_whole_numbers_with_a_sign() {
        let read =
            |bytes: &[u8], width| notation(Kind::Decimal { width }).read(Some(bytes), None, true).smallest;
        assert_eq!(read(&[0xff, 0x38], Some(2)), Some(Bound::Whole((-200).into())));
        assert_eq!(read(&[0x00, 0xc8], None), Some(Bound::Whole(200.into())));
        assert_eq!(read(&[0xc8], Some(2)), None);
    }

    #[test]
    fn only_text_that_is_said_to_be_whole_is() {
        let text = notation(Kind::Bytes { width: None });
        assert!(text.read(None, Some(b"ca"), false).largest_may_be_cut);
        assert!(!text.read(None, Some(b"ca"), true).largest_may_be_cut);
    }
}
