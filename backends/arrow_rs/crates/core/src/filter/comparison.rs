//! `column operator literal`: which values match, and between which bounds none can.
//!
//! Numbers compare as numbers do: a floating point NaN is equal to nothing and in no order, and the two zeros
//! are equal.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BooleanArray, LargeStringArray, PrimitiveArray, Scalar, StringArray, StringViewArray,
};
use arrow_buffer::BooleanBuffer;
use arrow_ord::cmp;
use arrow_schema::DataType;

use crate::error::{Error, Kind, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    /// The operator of a Python comparison.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(match text {
            "==" => Self::Equal,
            "!=" => Self::NotEqual,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return Err(Error::usage(format!("no operator '{text}' (allowed: ==, !=, <, <=, >, >=)"))),
        })
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
}

/// `column operator literal`. A null matches nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub column: String,
    pub operator: Operator,
    pub literal: Literal,
}

/// What is compared: the values of a dictionary, otherwise the type itself.
fn value_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => values,
        other => other,
    }
}

impl Comparison {
    /// Fails where values of this type cannot be compared with the literal.
    pub fn check(&self, data_type: &DataType) -> Result<()> {
        self.scalar(value_type(data_type)).map(drop)
    }

    /// Which values match. A null does not.
    pub fn matches(&self, values: &dyn Array) -> Result<BooleanBuffer> {
        self.holds(self.operator, values)
    }

    /// For each pair of bounds, whether no value between them can match. Where a bound is null, nothing is
    /// known.
    pub fn excludes(&self, minima: &dyn Array, maxima: &dyn Array) -> Result<BooleanBuffer> {
        match self.operator {
            Operator::Equal => {
                Ok(&self.holds(Operator::Greater, minima)? | &self.holds(Operator::Less, maxima)?)
            }
            Operator::Less => self.holds(Operator::GreaterOrEqual, minima),
            Operator::LessOrEqual => self.holds(Operator::Greater, minima),
            Operator::Greater => self.holds(Operator::LessOrEqual, maxima),
            Operator::GreaterOrEqual => self.holds(Operator::Less, maxima),
            // Bounds need not be values that occur.
            Operator::NotEqual => Ok(BooleanBuffer::new_unset(minima.len())),
        }
    }

    fn holds(&self, operator: Operator, values: &dyn Array) -> Result<BooleanBuffer> {
        match values.data_type() {
            DataType::Dictionary(..) => {
                let dictionary = values.as_any_dictionary();
                let among = self.holds(operator, dictionary.values())?;
                if among.is_empty() {
                    return Ok(BooleanBuffer::new_unset(values.len()));
                }
                let keys = dictionary.normalized_keys();
                Ok(BooleanBuffer::collect_bool(values.len(), |at| {
                    values.is_valid(at) && among.value(keys[at])
                }))
            }
            DataType::Float32 => self.holds_of_numbers::<Float32Type>(operator, values),
            DataType::Float64 => self.holds_of_numbers::<Float64Type>(operator, values),
            other => {
                let literal = Scalar::new(self.scalar(other)?);
                let compare = match operator {
                    Operator::Equal => cmp::eq,
                    Operator::NotEqual => cmp::neq,
                    Operator::Less => cmp::lt,
                    Operator::LessOrEqual => cmp::lt_eq,
                    Operator::Greater => cmp::gt,
                    Operator::GreaterOrEqual => cmp::gt_eq,
                };
                let holds = compare(&values, &literal)
                    .map_err(|error| Error::new(Kind::Unsupported, error.to_string()))?;
                Ok(match holds.nulls() {
                    None => holds.values().clone(),
                    Some(valid) => holds.values() & valid.inner(),
                })
            }
        }
    }

    /// Arrow's own comparison puts floating point numbers in a total order, in which zeros differ.
    fn holds_of_numbers<T: ArrowPrimitiveType>(
        &self,
        operator: Operator,
        values: &dyn Array,
    ) -> Result<BooleanBuffer>
    where
        T::Native: Into<f64>,
    {
        let literal = self.number().ok_or_else(|| self.misfit(values.data_type()))?;
        let holds = |value: f64| match operator {
            Operator::Equal => value == literal,
            Operator::NotEqual => value != literal,
            Operator::Less => value < literal,
            Operator::LessOrEqual => value <= literal,
            Operator::Greater => value > literal,
            Operator::GreaterOrEqual => value >= literal,
        };
        let values = values.as_primitive::<T>();
        Ok(BooleanBuffer::collect_bool(values.len(), |at| {
            values.is_valid(at) && holds(values.value(at).into())
        }))
    }

    fn number(&self) -> Option<f64> {
        match self.literal {
            Literal::Integer(value) => Some(value as f64),
            Literal::Float(value) => Some(value),
            Literal::Boolean(_) | Literal::Text(_) => None,
        }
    }

    fn misfit(&self, data_type: &DataType) -> Error {
        Error::usage(format!(
            "cannot compare column '{}' of type {data_type} with {:?} (allowed: numbers with numeric columns, \
             text with text columns, True and False with boolean columns)",
            self.column, self.literal
        ))
    }

    /// The literal as an array of one value of the column's type.
    fn scalar(&self, data_type: &DataType) -> Result<ArrayRef> {
        let misfit = || self.misfit(data_type);
        let integer = || match self.literal {
            Literal::Integer(value) => Ok(value),
            _ => Err(misfit()),
        };
        fn of<T: ArrowPrimitiveType>(value: Option<T::Native>) -> Option<ArrayRef> {
            Some(Arc::new(PrimitiveArray::<T>::from_value(value?, 1)))
        }
        let text = match &self.literal {
            Literal::Text(text) => Some([text.as_str()]),
            _ => None,
        };
        let array: Option<ArrayRef> = match data_type {
            DataType::Boolean => match self.literal {
                Literal::Boolean(value) => Some(Arc::new(BooleanArray::from(vec![value]))),
                _ => None,
            },
            DataType::Int8 => of::<Int8Type>(integer()?.try_into().ok()),
            DataType::Int16 => of::<Int16Type>(integer()?.try_into().ok()),
            DataType::Int32 => of::<Int32Type>(integer()?.try_into().ok()),
            DataType::Int64 => of::<Int64Type>(Some(integer()?)),
            DataType::UInt8 => of::<UInt8Type>(integer()?.try_into().ok()),
            DataType::UInt16 => of::<UInt16Type>(integer()?.try_into().ok()),
            DataType::UInt32 => of::<UInt32Type>(integer()?.try_into().ok()),
            DataType::UInt64 => of::<UInt64Type>(integer()?.try_into().ok()),
            DataType::Float32 => of::<Float32Type>(self.number().map(|value| value as f32)),
            DataType::Float64 => of::<Float64Type>(self.number()),
            DataType::Utf8 => text.map(|text| Arc::new(StringArray::from_iter_values(text)) as ArrayRef),
            DataType::LargeUtf8 => {
                text.map(|text| Arc::new(LargeStringArray::from_iter_values(text)) as ArrayRef)
            }
            DataType::Utf8View => {
                text.map(|text| Arc::new(StringViewArray::from_iter_values(text)) as ArrayRef)
            }
            _ => None,
        };
        array.ok_or_else(misfit)
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Float64Array, Int32Array};

    use super::*;

    fn comparison(operator: &str, literal: Literal) -> Comparison {
        Comparison { column: "x".into(), operator: Operator::parse(operator).unwrap(), literal }
    }

    fn matching(operator: &str, literal: Literal, values: &dyn Array) -> Vec<usize> {
        let matches = comparison(operator, literal).matches(values).unwrap();
        matches.set_indices().collect()
    }

    #[test]
    fn floats_compare_as_numbers() {
        let values = Float64Array::from(vec![Some(-0.0), Some(0.0), Some(f64::NAN), Some(-f64::NAN), None]);
        assert_eq!(matching("==", Literal::Integer(0), &values), [0, 1]);
        assert_eq!(matching("<", Literal::Float(1.0), &values), [0, 1]);
        assert_eq!(matching(">", Literal::Float(-1.0), &values), [0, 1]);
        assert_eq!(matching("!=", Literal::Float(0.0), &values), [2, 3]);
    }

    #[test]
    fn whatever_is_excluded_does_not_match() {
        let values = Int32Array::from(vec![1, 2, 3]);
        let (minima, maxima) = (Int32Array::from(vec![1, 3]), Int32Array::from(vec![2, 3]));
        for operator in ["==", "!=", "<", "<=", ">", ">="] {
            for literal in 0..5 {
                let compared = comparison(operator, Literal::Integer(literal));
                let excluded = compared.excludes(&minima, &maxima).unwrap();
                let matches = compared.matches(&values).unwrap();
                assert!(!(excluded.value(0) && (matches.value(0) || matches.value(1))), "{compared:?}");
                assert!(!(excluded.value(1) && matches.value(2)), "{compared:?}");
            }
        }
        let excluded = comparison("==", Literal::Integer(3)).excludes(&minima, &maxima).unwrap();
        assert_eq!(excluded.set_indices().collect::<Vec<_>>(), [0]);
    }
}
