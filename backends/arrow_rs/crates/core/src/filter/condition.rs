//! A comparison bound to the type of its column: which values match, and between which bounds none can.
//!
//! Numbers compare as in Python: by what they are, whatever types they have; a NaN is equal to nothing and in no
//! order, and the two zeros are equal.

use std::cmp::Ordering;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float16Type};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, i256};
use arrow_schema::{DataType, TimeUnit};
use num_bigint::BigInt;

use crate::error::{Error, Kind, Result};
use crate::filter::comparison::{Comparison, Operator, Test};
use crate::filter::literal::{Literal, Number, Place};
use crate::format::bounds::{Bound, Bounds};

type Half = <Float16Type as ArrowPrimitiveType>::Native;

/// What is asked of the values of a column.
#[derive(Debug)]
pub struct Condition {
    asks: Asks,
}

#[derive(Debug)]
enum Asks {
    /// Whether one of the literals is in this relation to the value.
    Any(Operator, Literals),
    /// Whether all are unequal to it.
    None(Literals),
    Null,
    NotNull,
}

/// Literals as values of the column's type are compared with them.
#[derive(Debug)]
enum Literals {
    Whole(Vec<Place<BigInt>>),
    Floating(Vec<Place<f64>>),
    /// In ascending order. Text as well: UTF-8 is in the order of its characters.
    Bytes(Vec<Vec<u8>>),
    /// Of a column that has only nulls.
    Unheld,
}

impl Condition {
    /// Fails where values of the type cannot be compared with the literals.
    pub fn new(comparison: &Comparison, data_type: &DataType) -> Result<Self> {
        let bind = |literals: &[Literal]| {
            Literals::new(value_type(data_type), literals)
                .map_err(|literal| misfit(&comparison.column, data_type, literal))
        };
        let asks = match &comparison.test {
            Test::Compare(Operator::NotEqual, literal) => Asks::None(bind(std::slice::from_ref(literal))?),
            Test::Compare(operator, literal) => Asks::Any(*operator, bind(std::slice::from_ref(literal))?),
            Test::Among(literals) => Asks::Any(Operator::Equal, bind(literals)?),
            Test::NotAmong(literals) => Asks::None(bind(literals)?),
            Test::Null => Asks::Null,
            Test::NotNull => Asks::NotNull,
        };
        Ok(Self { asks })
    }

    /// Which values match.
    pub fn matches(&self, values: &dyn Array) -> Result<BooleanBuffer> {
        // Of a dictionary's values some are null as well.
        let nulls = values.logical_nulls();
        let valid = || nulls.as_ref().map(|nulls| nulls.inner().clone());
        let all = || BooleanBuffer::new_set(values.len());
        let matches = match &self.asks {
            Asks::Null => return Ok(valid().map_or_else(|| !&all(), |valid| !&valid)),
            Asks::NotNull => return Ok(valid().unwrap_or_else(all)),
            Asks::Any(operator, literals) => literals.relate(*operator, values)?,
            Asks::None(literals) => !&literals.relate(Operator::Equal, values)?,
        };
        Ok(match valid() {
            None => matches,
            Some(valid) => &matches & &valid,
        })
    }

    /// Whether a null matches.
    pub fn takes_nulls(&self) -> bool {
        matches!(self.asks, Asks::Null)
    }

    /// Whether no value between the bounds can match.
    pub fn excludes(&self, bounds: &Bounds) -> bool {
        match &self.asks {
            Asks::Any(operator, literals) => literals.excludes(*operator, bounds),
            // Bounds need not be values that occur, and a count of nulls is not always true.
            Asks::None(_) | Asks::Null | Asks::NotNull => false,
        }
    }
}

/// What is compared: the values of a dictionary, otherwise the type itself.
fn value_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => value_type(values),
        other => other,
    }
}

fn misfit(column: &str, data_type: &DataType, literal: &Literal) -> Error {
    Error::usage(format!(
        "cannot compare column '{column}' of type {data_type} with {literal} (allowed: numbers with numeric and \
         boolean columns, text with text columns, bytes with binary ones, dates, times, durations and timestamps \
         with such columns, these with a time zone where the column has one)"
    ))
}

impl std::fmt::Display for Literal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(_) => out.write_str("a number"),
            Self::Text(text) => write!(out, "the text {text:?}"),
            Self::Bytes(_) => out.write_str("bytes"),
            Self::Date(_) => out.write_str("a date"),
            Self::Timestamp { is_utc: true, .. } => out.write_str("a timestamp with a time zone"),
            Self::Timestamp { is_utc: false, .. } => out.write_str("a timestamp without a time zone"),
            Self::Time { .. } => out.write_str("a time"),
            Self::Duration { .. } => out.write_str("a duration"),
        }
    }
}

/// Whether values that are so ordered to a literal are in the relation.
fn holds(operator: Operator, order: Option<Ordering>) -> bool {
    match operator {
        Operator::Equal => order == Some(Ordering::Equal),
        Operator::NotEqual => order != Some(Ordering::Equal),
        Operator::Less => order == Some(Ordering::Less),
        Operator::LessOrEqual => order.is_some_and(Ordering::is_le),
        Operator::Greater => order == Some(Ordering::Greater),
        Operator::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
    }
}

/// The number that a column of the type holds for a literal, in the column's units: of 10 to the minus scale, of
/// days, of parts of a second.
fn in_units(data_type: &DataType, literal: &Literal) -> Option<Number> {
    let per_second = |unit: &TimeUnit| match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    };
    match (data_type, literal) {
        (
            DataType::Decimal32(_, scale)
            | DataType::Decimal64(_, scale)
            | DataType::Decimal128(_, scale)
            | DataType::Decimal256(_, scale),
            Literal::Number(number),
        ) => {
            // The format knows none below zero.
            let scale = u32::try_from(*scale).ok()?;
            Some(number.clone().times(&BigInt::from(10).pow(scale)))
        }
        (_, Literal::Number(number)) => {
            (data_type.is_numeric() || *data_type == DataType::Boolean).then(|| number.clone())
        }
        (DataType::Date32, Literal::Date(days)) => Some(Number::ratio(*days, 1)),
        (DataType::Date64, Literal::Date(days)) => Some(Number::ratio(i128::from(*days) * 86_400_000, 1)),
        (DataType::Timestamp(unit, zone), Literal::Timestamp { nanoseconds, is_utc }) => {
            (zone.is_some() == *is_utc).then(|| Number::ratio(*nanoseconds, per_second(unit)))
        }
        (DataType::Time32(unit) | DataType::Time64(unit), Literal::Time { nanoseconds })
        | (DataType::Duration(unit), Literal::Duration { nanoseconds }) => {
            Some(Number::ratio(*nanoseconds, per_second(unit)))
        }
        _ => None,
    }
}

impl Literals {
    /// Fails with the first literal that does not fit.
    fn new<'a>(data_type: &DataType, literals: &'a [Literal]) -> Result<Self, &'a Literal> {
        let numbers = || literals.iter().map(|literal| in_units(data_type, literal).ok_or(literal));
        let bytes = |of: fn(&Literal) -> Option<&[u8]>| {
            let bytes = literals.iter().map(|literal| of(literal).map(<[u8]>::to_vec).ok_or(literal));
            let mut bytes = bytes.collect::<Result<Vec<_>, _>>()?;
            bytes.sort_unstable();
            Ok(Self::Bytes(bytes))
        };
        match data_type {
            DataType::Null => Ok(Self::Unheld),
            DataType::Float16 | DataType::Float32 | DataType::Float64 => {
                let places = numbers().map(|number| Ok(Place::among_floats(&number?)));
                places.collect::<Result<_, _>>().map(Self::Floating)
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => bytes(|literal| match literal {
                Literal::Text(text) => Some(text.as_bytes()),
                _ => None,
            }),
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => bytes(|literal| match literal {
                Literal::Bytes(bytes) => Some(bytes),
                _ => None,
            }),
            _ => {
                let places = numbers().map(|number| Ok(Place::among_whole(&number?)));
                places.collect::<Result<_, _>>().map(Self::Whole)
            }
        }
    }

    /// Which values are in the relation to one of the literals. What is said of nulls means nothing.
    fn relate(&self, operator: Operator, values: &dyn Array) -> Result<BooleanBuffer> {
        if let DataType::Dictionary(..) = values.data_type() {
            let dictionary = values.as_any_dictionary();
            let among = self.relate(operator, dictionary.values())?;
            if among.is_empty() {
                return Ok(BooleanBuffer::new_unset(values.len()));
            }
            let keys = dictionary.normalized_keys();
            return Ok(BooleanBuffer::collect_bool(values.len(), |at| {
                values.is_valid(at) && among.value(keys[at])
            }));
        }
        match self {
            Self::Unheld => Ok(BooleanBuffer::new_unset(values.len())),
            Self::Whole(places) => related_whole(places, operator, values),
            Self::Floating(places) => related_floats(places, operator, values),
            Self::Bytes(literals) => related_bytes(literals, operator, values),
        }
    }

    fn excludes(&self, operator: Operator, bounds: &Bounds) -> bool {
        match self {
            Self::Unheld => false,
            Self::Whole(places) => places.iter().all(|place| {
                let order = |bound: &Bound| match bound {
                    Bound::Whole(value) => place.order(value),
                    _ => None,
                };
                outside(operator, bounds, order, |_| false)
            }),
            Self::Floating(places) => places.iter().all(|place| {
                let order = |bound: &Bound| match bound {
                    Bound::Floating(value) => place.order(value),
                    _ => None,
                };
                outside(operator, bounds, order, |_| false)
            }),
            Self::Bytes(literals) => literals.iter().all(|literal| {
                let order = |bound: &Bound| match bound {
                    Bound::Bytes(value) => Some(value.as_slice().cmp(literal)),
                    _ => None,
                };
                let continues =
                    |bound: &Bound| matches!(bound, Bound::Bytes(value) if literal.starts_with(value));
                outside(operator, bounds, order, |bound| bounds.largest_may_be_cut && continues(bound))
            }),
        }
    }
}

/// Whether nothing between the bounds is in the relation to a literal, to which bounds are so ordered. `reaches`:
/// whether values that go on behind the largest may reach the literal or pass it.
fn outside(
    operator: Operator,
    bounds: &Bounds,
    order: impl Fn(&Bound) -> Option<Ordering>,
    reaches: impl Fn(&Bound) -> bool,
) -> bool {
    let smallest = bounds.smallest.as_ref().and_then(&order);
    let largest = bounds.largest.as_ref().filter(|bound| !reaches(bound)).and_then(&order);
    match operator {
        Operator::Equal => smallest == Some(Ordering::Greater) || largest == Some(Ordering::Less),
        Operator::Less => smallest.is_some_and(Ordering::is_ge),
        Operator::LessOrEqual => smallest == Some(Ordering::Greater),
        Operator::Greater => largest.is_some_and(Ordering::is_le),
        Operator::GreaterOrEqual => largest == Some(Ordering::Less),
        Operator::NotEqual => false,
    }
}

fn related_whole(places: &[Place<BigInt>], operator: Operator, values: &dyn Array) -> Result<BooleanBuffer> {
    fn of<T: ArrowNativeType + for<'a> TryFrom<&'a BigInt>>(
        places: &[Place<BigInt>],
        operator: Operator,
        values: &dyn Array,
    ) -> BooleanBuffer {
        let places = places.iter().map(|place| place.within(|floor| T::try_from(floor).ok()));
        related(&places.collect::<Vec<_>>(), operator, values, |value: T| value)
    }
    Ok(match values.data_type() {
        DataType::Boolean => {
            let places: Vec<_> =
                places.iter().map(|place| place.within(|floor| u8::try_from(floor).ok())).collect();
            let (truths, test) = (values.as_boolean().values(), tester(&places, operator));
            BooleanBuffer::collect_bool(values.len(), |at| test(&u8::from(truths.value(at))))
        }
        DataType::Int8 => of::<i8>(places, operator, values),
        DataType::Int16 => of::<i16>(places, operator, values),
        DataType::Int32 | DataType::Date32 | DataType::Time32(_) | DataType::Decimal32(..) => {
            of::<i32>(places, operator, values)
        }
        DataType::Int64
        | DataType::Date64
        | DataType::Time64(_)
        | DataType::Timestamp(..)
        | DataType::Duration(_)
        | DataType::Decimal64(..) => of::<i64>(places, operator, values),
        DataType::UInt8 => of::<u8>(places, operator, values),
        DataType::UInt16 => of::<u16>(places, operator, values),
        DataType::UInt32 => of::<u32>(places, operator, values),
        DataType::UInt64 => of::<u64>(places, operator, values),
        DataType::Decimal128(..) => of::<i128>(places, operator, values),
        DataType::Decimal256(..) => {
            let places: Vec<_> = places.iter().map(|place| place.within(wide)).collect();
            related(&places, operator, values, |value: i256| value)
        }
        other => return Err(no_values(other)),
    })
}

fn wide(value: &BigInt) -> Option<i256> {
    let bytes = value.to_signed_bytes_le();
    let fill = if *value < BigInt::ZERO { 0xff } else { 0 };
    let mut all = [fill; 32];
    all.get_mut(..bytes.len())?.copy_from_slice(&bytes);
    Some(i256::from_le_bytes(all))
}

fn related_floats(places: &[Place<f64>], operator: Operator, values: &dyn Array) -> Result<BooleanBuffer> {
    Ok(match values.data_type() {
        DataType::Float16 => related(places, operator, values, Half::to_f64),
        DataType::Float32 => related(places, operator, values, |value: f32| f64::from(value)),
        DataType::Float64 => related(places, operator, values, |value: f64| value),
        other => return Err(no_values(other)),
    })
}

/// The relation of an array's numbers, read with `widen`, to any of the places.
fn related<N: ArrowNativeType, T: Clone + PartialOrd>(
    places: &[Place<T>],
    operator: Operator,
    values: &dyn Array,
    widen: impl Fn(N) -> T,
) -> BooleanBuffer {
    let data = values.to_data();
    let numbers = &data.buffer::<N>(0)[..values.len()];
    let test = tester(places, operator);
    BooleanBuffer::collect_bool(values.len(), |at| test(&widen(numbers[at])))
}

/// Whether a value is in the relation to any of the places.
fn tester<T: Clone + PartialOrd>(places: &[Place<T>], operator: Operator) -> impl Fn(&T) -> bool {
    let exact = places.iter().filter_map(|place| match place {
        Place::At { floor, is_equal: true } => Some(floor.clone()),
        _ => None,
    });
    let mut exact: Vec<T> = exact.collect();
    exact.sort_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
    move |value| match operator {
        // A NaN is less than all, and so equal to none.
        Operator::Equal => {
            exact.binary_search_by(|known| known.partial_cmp(value).unwrap_or(Ordering::Less)).is_ok()
        }
        _ => places.iter().any(|place| holds(operator, place.order(value))),
    }
}

fn related_bytes(literals: &[Vec<u8>], operator: Operator, values: &dyn Array) -> Result<BooleanBuffer> {
    fn of<'a>(
        literals: &[Vec<u8>],
        operator: Operator,
        count: usize,
        value: impl Fn(usize) -> &'a [u8],
    ) -> BooleanBuffer {
        let holds = |value: &[u8], literal: &Vec<u8>| holds(operator, Some(value.cmp(literal)));
        BooleanBuffer::collect_bool(count, |at| match operator {
            Operator::Equal => literals.binary_search_by(|known| known.as_slice().cmp(value(at))).is_ok(),
            _ => literals.iter().any(|literal| holds(value(at), literal)),
        })
    }
    macro_rules! related {
        ($array:expr) => {{
            let array = $array;
            of(literals, operator, values.len(), |at| array.value(at).as_ref())
        }};
    }
    Ok(match values.data_type() {
        DataType::Utf8 => related!(values.as_string::<i32>()),
        DataType::LargeUtf8 => related!(values.as_string::<i64>()),
        DataType::Utf8View => related!(values.as_string_view()),
        DataType::Binary => related!(values.as_binary::<i32>()),
        DataType::LargeBinary => related!(values.as_binary::<i64>()),
        DataType::BinaryView => related!(values.as_binary_view()),
        DataType::FixedSizeBinary(_) => related!(values.as_fixed_size_binary()),
        other => return Err(no_values(other)),
    })
}

fn no_values(data_type: &DataType) -> Error {
    Error::new(Kind::Unsupported, format!("values of type {data_type} are not compared"))
}

#[cfg(test)]
mod tests {
    use arrow_array::{
        ArrayRef, BooleanArray, Decimal128Array, DictionaryArray, Float64Array, Int32Array, StringArray,
        TimestampMillisecondArray, UInt64Array,
    };

    use super::*;

    const OPERATORS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

    fn condition(operator: &str, literal: impl Into<Literal>, data_type: &DataType) -> Result<Condition> {
        let operand = crate::filter::comparison::Operand::One(literal.into());
        Condition::new(&Comparison::parse("x".into(), operator, operand)?, data_type)
    }

    fn matching(operator: &str, literal: impl Into<Literal>, values: &dyn Array) -> Vec<usize> {
        let matches = condition(operator, literal, values.data_type()).unwrap().matches(values).unwrap();
        matches.set_indices().collect()
    }

    #[test]
    fn floats_compare_as_numbers() {
        let values = Float64Array::from(vec![Some(-0.0), Some(0.0), Some(f64::NAN), Some(-f64::NAN), None]);
        assert_eq!(matching("==", 0, &values), [0, 1]);
        assert_eq!(matching("<", 1.0, &values), [0, 1]);
        assert_eq!(matching(">", -1.0, &values), [0, 1]);
        assert_eq!(matching("!=", 0.0, &values), [2, 3]);
        assert_eq!(matching("==", f64::NAN, &values), [0; 0]);
        assert_eq!(matching("!=", f64::NAN, &values), [0, 1, 2, 3]);
    }

    #[test]
    fn numbers_of_different_types_compare_exactly() {
        let exact = 1_i64 << 53;
        let floats = Float64Array::from(vec![exact as f64, (exact + 2) as f64]);
        assert_eq!(matching("==", exact + 1, &floats), [0; 0]);
        assert_eq!(matching("<", exact + 1, &floats), [0]);
        let integers = Int32Array::from(vec![1, 2, 3]);
        assert_eq!(matching(">=", 2.5, &integers), [2]);
        assert_eq!(matching("==", 2.0, &integers), [1]);
        assert_eq!(matching("<", i64::MAX, &integers), [0, 1, 2]);
        assert_eq!(matching(">", f64::NEG_INFINITY, &integers), [0, 1, 2]);
        let unsigned = UInt64Array::from(vec![0, 1 << 63, u64::MAX]);
        let most = Literal::Number(Number::ratio(u64::MAX, 1));
        assert_eq!(matching("==", most, &unsigned), [2]);
        assert_eq!(matching(">", -1, &unsigned), [0, 1, 2]);
        let prices = Decimal128Array::from(vec![125, 150]).with_precision_and_scale(10, 2).unwrap();
        assert_eq!(matching("==", 1.25, &prices), [0]);
        assert_eq!(matching(">", 1.3, &prices), [1]);
        assert_eq!(matching("==", true, &BooleanArray::from(vec![true, false])), [0]);
        assert_eq!(matching("<", 0.5, &BooleanArray::from(vec![true, false])), [1]);
    }

    #[test]
    fn moments_compare_where_both_have_a_zone_or_neither() {
        let values = TimestampMillisecondArray::from(vec![1_000, 1_001]);
        let moment = |nanoseconds, is_utc| Literal::Timestamp { nanoseconds, is_utc };
        assert_eq!(matching(">", moment(1_000_000_001, false), &values), [1]);
        assert!(condition(">", moment(0, true), values.data_type()).is_err());
        assert_eq!(matching(">", moment(1_000_000_001, true), &values.with_timezone("UTC")), [1]);
        assert!(condition("==", 3, &DataType::Date32).is_err());
    }

    #[test]
    fn lists_of_values_and_nulls() {
        let values = Float64Array::from(vec![Some(1.0), None, Some(f64::NAN), Some(3.0)]);
        let of = |test: Test| {
            let comparison = Comparison { column: "x".into(), test };
            let condition = Condition::new(&comparison, values.data_type()).unwrap();
            condition.matches(&values).unwrap().set_indices().collect::<Vec<_>>()
        };
        let some = || vec![3.0.into(), f64::NAN.into(), 1_i64.into()];
        assert_eq!(of(Test::Among(some())), [0, 3]);
        assert_eq!(of(Test::NotAmong(some())), [2]);
        assert_eq!(of(Test::Among(vec![])), [0; 0]);
        assert_eq!(of(Test::NotAmong(vec![])), [0, 2, 3]);
        assert_eq!(of(Test::Null), [1]);
        assert_eq!(of(Test::NotNull), [0, 2, 3]);
    }

    #[test]
    fn values_of_dictionaries_compare_and_nulls_among_them_do_not() {
        let values: ArrayRef = std::sync::Arc::new(StringArray::from(vec![Some("a"), None, Some("b")]));
        let keys = Int32Array::from(vec![Some(2), Some(1), None, Some(0)]);
        let coded = DictionaryArray::new(keys, values);
        assert_eq!(matching("!=", "a", &coded), [0]);
        assert_eq!(matching("<", "b", &coded), [3]);
        let null = Comparison { column: "x".into(), test: Test::Null };
        let matches = Condition::new(&null, coded.data_type()).unwrap().matches(&coded).unwrap();
        assert_eq!(matches.set_indices().collect::<Vec<_>>(), [1, 2]);
    }

    fn bounds(smallest: Bound, largest: Bound, largest_may_be_cut: bool) -> Bounds {
        Bounds { smallest: Some(smallest), largest: Some(largest), largest_may_be_cut }
    }

    #[test]
    fn whatever_is_excluded_does_not_match() {
        let values = Int32Array::from(vec![1, 2, 3]);
        let all = [(1, 2), (3, 3)].map(|(low, high): (i64, i64)| {
            bounds(Bound::Whole(low.into()), Bound::Whole(high.into()), false)
        });
        for operator in OPERATORS {
            for half in 0..10 {
                let condition = condition(operator, f64::from(half) / 2.0, &DataType::Int32).unwrap();
                let matches = condition.matches(&values).unwrap();
                let excluded = all.each_ref().map(|bounds| condition.excludes(bounds));
                assert!(!(excluded[0] && (matches.value(0) || matches.value(1))), "{operator} {half}");
                assert!(!(excluded[1] && matches.value(2)), "{operator} {half}");
            }
        }
        let three = condition("==", 3, &DataType::Int32).unwrap();
        assert_eq!(all.each_ref().map(|bounds| three.excludes(bounds)), [true, false]);
    }

    #[test]
    fn a_largest_text_that_was_cut_excludes_nothing_that_begins_like_it() {
        let excludes = |operator, literal: &str, is_cut| {
            let bounds = bounds(Bound::Bytes(b"ab".into()), Bound::Bytes(b"ca".into()), is_cut);
            condition(operator, literal, &DataType::Utf8).unwrap().excludes(&bounds)
        };
        for operator in ["==", ">", ">="] {
            assert!(excludes(operator, "cat", false) && !excludes(operator, "cat", true), "{operator}");
            assert!(excludes(operator, "cb", true), "{operator}");
        }
        assert!(excludes(">", "ca", false) && !excludes(">", "ca", true));
        assert!(excludes("<", "ab", true) && excludes("==", "aa", true));
    }
}
