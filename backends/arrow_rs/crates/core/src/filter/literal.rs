//! What columns are compared with: values as they are, not as a column could hold them.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_integer::Integer;

/// A value of no particular width.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    Number(Number),
    Text(String),
    Bytes(Vec<u8>),
    /// Days since 1970-01-01.
    Date(i64),
    /// Since 1970-01-01, in UTC or in no time zone.
    Timestamp {
        nanoseconds: i128,
        is_utc: bool,
    },
    /// Since midnight.
    Time {
        nanoseconds: i128,
    },
    Duration {
        nanoseconds: i128,
    },
}

/// A number without rounding.
#[derive(Clone, Debug, PartialEq)]
pub enum Number {
    Ratio {
        numerator: BigInt,
        /// Above zero.
        denominator: BigInt,
    },
    Infinite {
        is_negative: bool,
    },
    NotANumber,
}

impl From<i64> for Literal {
    fn from(value: i64) -> Self {
        Self::Number(Number::ratio(value, 1))
    }
}

impl From<f64> for Literal {
    fn from(value: f64) -> Self {
        Self::Number(Number::from(value))
    }
}

/// As in Python, where the truth values are the numbers 0 and 1.
impl From<bool> for Literal {
    fn from(value: bool) -> Self {
        Self::Number(Number::ratio(i64::from(value), 1))
    }
}

impl From<&str> for Literal {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        if value.is_nan() {
            return Self::NotANumber;
        }
        if value.is_infinite() {
            return Self::Infinite { is_negative: value < 0.0 };
        }
        let bits = value.to_bits();
        let (exponent, fraction) = ((bits >> 52 & 0x7ff) as i32, bits & ((1 << 52) - 1));
        let digits = if exponent == 0 { fraction } else { fraction | 1 << 52 };
        let power = exponent.max(1) - 1075;
        let digits = BigInt::from(digits) * if value < 0.0 { -1 } else { 1 };
        if power < 0 {
            Self::Ratio { numerator: digits, denominator: BigInt::from(1) << power.unsigned_abs() }
        } else {
            Self::Ratio { numerator: digits << power.unsigned_abs(), denominator: 1.into() }
        }
    }
}

impl Number {
    /// `denominator` must be above zero.
    pub fn ratio(numerator: impl Into<BigInt>, denominator: impl Into<BigInt>) -> Self {
        Self::Ratio { numerator: numerator.into(), denominator: denominator.into() }
    }

    /// The number times `factor`, which must be above zero.
    pub fn times(self, factor: &BigInt) -> Self {
        match self {
            Self::Ratio { numerator, denominator } => {
                Self::Ratio { numerator: numerator * factor, denominator }
            }
            other => other,
        }
    }
}

/// Where a number is among those of a type: values up to `floor` are less, all others more; or `floor` is it.
#[derive(Clone, Debug, PartialEq)]
pub enum Place<T> {
    At {
        floor: T,
        is_equal: bool,
    },
    BelowAll,
    AboveAll,
    /// It is none, and in no order with any.
    Nowhere,
}

impl<T: PartialOrd> Place<T> {
    /// Of a value, compared with the number.
    pub fn order(&self, value: &T) -> Option<Ordering> {
        match self {
            Self::At { floor, is_equal } => match value.partial_cmp(floor)? {
                Ordering::Equal if !is_equal => Some(Ordering::Less),
                order => Some(order),
            },
            Self::BelowAll => value.partial_cmp(value).map(|_| Ordering::Greater),
            Self::AboveAll => value.partial_cmp(value).map(|_| Ordering::Less),
            Self::Nowhere => None,
        }
    }
}

impl Place<BigInt> {
    /// Among the whole numbers.
    pub fn among_whole(number: &Number) -> Self {
        match number {
            Number::Ratio { numerator, denominator } => {
                let (floor, rest) = numerator.div_mod_floor(denominator);
                Self::At { floor, is_equal: rest == BigInt::ZERO }
            }
            Number::Infinite { is_negative: true } => Self::BelowAll,
            Number::Infinite { is_negative: false } => Self::AboveAll,
            Number::NotANumber => Self::Nowhere,
        }
    }

    /// Among those of a type.
    pub fn within<T>(&self, convert: impl Fn(&BigInt) -> Option<T>) -> Place<T> {
        match self {
            Self::At { floor, is_equal } => match convert(floor) {
                Some(floor) => Place::At { floor, is_equal: *is_equal },
                None if *floor < BigInt::ZERO => Place::BelowAll,
                None => Place::AboveAll,
            },
            Self::BelowAll => Place::BelowAll,
            Self::AboveAll => Place::AboveAll,
            Self::Nowhere => Place::Nowhere,
        }
    }
}

impl Place<f64> {
    /// Among the floating point numbers, of which two are infinite.
    pub fn among_floats(number: &Number) -> Self {
        let (numerator, denominator) = match number {
            Number::Ratio { numerator, denominator } => (numerator, denominator),
            Number::Infinite { is_negative: true } => {
                return Self::At { floor: f64::NEG_INFINITY, is_equal: true };
            }
            Number::Infinite { is_negative: false } => {
                return Self::At { floor: f64::INFINITY, is_equal: true };
            }
            Number::NotANumber => return Self::Nowhere,
        };
        let order = |value: f64| match Number::from(value) {
            Number::Ratio { numerator: own, denominator: per } => (own * denominator).cmp(&(numerator * per)),
            _ if value < 0.0 => Ordering::Less,
            _ => Ordering::Greater,
        };
        // Bit patterns in the order of their numbers: the largest that is not above is found by halving.
        let (mut low, mut high) = (rank(f64::NEG_INFINITY), rank(f64::INFINITY));
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            if order(unrank(middle)).is_gt() {
                high = middle;
            } else {
                low = middle;
            }
        }
        let floor = unrank(low);
        Self::At { floor, is_equal: order(floor).is_eq() }
    }
}

/// Of a floating point number among all of them.
fn rank(value: f64) -> i128 {
    let magnitude = i128::from(value.to_bits() & (u64::MAX >> 1));
    if value.is_sign_negative() { -magnitude } else { magnitude }
}

fn unrank(rank: i128) -> f64 {
    // The magnitude of a rank has 63 bits.
    let magnitude = f64::from_bits(u64::try_from(rank.unsigned_abs()).unwrap_or(u64::MAX));
    if rank < 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXACT: i64 = 1 << 53;

    #[test]
    fn floats_are_the_numbers_that_they_stand_for() {
        assert_eq!(Number::from(-0.75), Number::ratio(-3_i64 << 51, 1_i64 << 53));
        for value in [0.0, 1.5, -1e300, 5e-324, f64::MAX, 0.1] {
            let place = Place::among_floats(&Number::from(value));
            assert_eq!(place, Place::At { floor: value, is_equal: true });
        }
    }

    #[test]
    fn whole_numbers_that_no_float_is_lie_between_two() {
        let place = Place::among_floats(&Number::ratio(EXACT + 1, 1));
        assert_eq!(place, Place::At { floor: EXACT as f64, is_equal: false });
        assert_eq!(place.order(&(EXACT as f64)), Some(Ordering::Less));
        assert_eq!(place.order(&((EXACT + 2) as f64)), Some(Ordering::Greater));
        assert_eq!(place.order(&f64::NAN), None);
        let huge = Place::among_floats(&Number::ratio(BigInt::from(10).pow(400), 1));
        assert_eq!(huge.order(&f64::INFINITY), Some(Ordering::Greater));
        assert_eq!(huge.order(&f64::MAX), Some(Ordering::Less));
        let negative = Place::among_floats(&Number::ratio(-BigInt::from(10).pow(400), 1));
        assert_eq!(negative.order(&f64::NEG_INFINITY), Some(Ordering::Less));
        assert_eq!(negative.order(&f64::MIN), Some(Ordering::Greater));
    }

    #[test]
    fn fractions_and_numbers_beyond_a_type_lie_among_its_values() {
        let place = |number| Place::among_whole(&number).within(|floor| i8::try_from(floor).ok());
        assert_eq!(place(Number::ratio(-7, 2)), Place::At { floor: -4, is_equal: false });
        assert_eq!(place(Number::ratio(-6, 2)), Place::At { floor: -3, is_equal: true });
        assert_eq!(place(Number::from(127.5)), Place::At { floor: 127, is_equal: false });
        assert_eq!(place(Number::ratio(128, 1)), Place::AboveAll);
        assert_eq!(place(Number::from(f64::NEG_INFINITY)), Place::BelowAll);
        assert_eq!(place(Number::from(f64::NAN)).order(&0), None);
    }
}
