//! Comparisons as Python writes them: (column, operator, value).

use firstbyte_core::{Comparison, Literal, Number, Operand};
use num_bigint::BigInt;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyFloat, PyFrozenSet, PyList, PySequence, PySet, PyString, PyTuple};

use crate::errors::raise;

/// Decimal numbers beyond this power of ten, either way, are in the same order to all that a column can hold.
const MOST_DIGITS: u32 = 400;

/// A tuple of column, operator and value; without a value where the operator takes none.
pub fn from_python(asked: &Bound<'_, PyAny>) -> PyResult<Comparison> {
    let misfit = || {
        PyValueError::new_err(format!(
            "where: a comparison is (column, operator, value), or (column, 'is null'), not {asked}"
        ))
    };
    let parts = asked.cast::<PySequence>().map_err(|_| misfit())?;
    if asked.is_instance_of::<PyString>() || !matches!(parts.len()?, 2 | 3) {
        return Err(misfit());
    }
    let text = |at| parts.get_item(at)?.extract::<String>().map_err(|_| misfit());
    let (column, operator) = (text(0)?, text(1)?);
    let operand = if parts.len()? == 2 { Operand::Nothing } else { operand(&column, &parts.get_item(2)?)? };
    Comparison::parse(column, &operator, operand).map_err(|error| raise(asked.py(), &error))
}

fn operand(column: &str, value: &Bound<'_, PyAny>) -> PyResult<Operand> {
    if value.is_none() {
        return Ok(Operand::Nothing);
    }
    let is_many = value.is_instance_of::<PyList>()
        || value.is_instance_of::<PyTuple>()
        || value.is_instance_of::<PySet>()
        || value.is_instance_of::<PyFrozenSet>();
    if !is_many {
        return literal(column, value).map(Operand::One);
    }
    let values = value.try_iter()?.map(|value| literal(column, &value?));
    values.collect::<PyResult<_>>().map(Operand::Many)
}

fn literal(column: &str, value: &Bound<'_, PyAny>) -> PyResult<Literal> {
    let py = value.py();
    // That of NumPy as well.
    if let Ok(truth) = value.extract::<bool>() {
        return Ok(truth.into());
    }
    if value.is_instance_of::<PyString>() {
        return Ok(Literal::Text(value.extract()?));
    }
    if value.is_instance_of::<PyBytes>() || value.is_instance_of::<PyByteArray>() {
        return Ok(Literal::Bytes(value.extract()?));
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        return Ok(number.value().into());
    }
    let datetime = py.import("datetime")?;
    let is = |class: &str| value.is_instance(&datetime.getattr(class)?);
    if is("datetime")? {
        return timestamp(value);
    }
    if is("date")? {
        let days: i64 = value.call_method0("toordinal")?.extract()?;
        return Ok(Literal::Date(days - EPOCH_ORDINAL));
    }
    if is("time")? {
        if !value.getattr("tzinfo")?.is_none() {
            return Err(PyValueError::new_err(format!(
                "where: column '{column}' is compared with a time that has a time zone, which no column has"
            )));
        }
        let parts = [("hour", 3_600), ("minute", 60), ("second", 1)];
        let mut seconds = 0;
        for (part, size) in parts {
            seconds += value.getattr(part)?.extract::<i128>()? * size;
        }
        let microseconds: i128 = value.getattr("microsecond")?.extract()?;
        return Ok(Literal::Time { nanoseconds: (seconds * 1_000_000 + microseconds) * 1_000 });
    }
    if is("timedelta")? {
        return Ok(Literal::Duration { nanoseconds: nanoseconds(value)? });
    }
    number(value).map_err(|_| {
        PyTypeError::new_err(format!(
            "where: column '{column}' is compared with {value}, which is no number, text, bytes, date, time, \
             timestamp or duration"
        ))
    })
}

/// `date(1970, 1, 1).toordinal()`.
const EPOCH_ORDINAL: i64 = 719_163;

fn timestamp(value: &Bound<'_, PyAny>) -> PyResult<Literal> {
    let zone = value.getattr("tzinfo")?;
    let is_utc = !zone.is_none();
    let datetime = value.py().import("datetime")?;
    let utc = datetime.getattr("timezone")?.getattr("utc")?;
    let none = value.py().None().into_bound(value.py());
    let epoch =
        datetime.getattr("datetime")?.call1((1970, 1, 1, 0, 0, 0, 0, if is_utc { utc } else { none }))?;
    Ok(Literal::Timestamp { nanoseconds: nanoseconds(&value.sub(epoch)?)?, is_utc })
}

/// Of a timedelta; that of pandas has a part which Python's lacks.
fn nanoseconds(delta: &Bound<'_, PyAny>) -> PyResult<i128> {
    let part = |name: &str| delta.getattr(name)?.extract::<i128>();
    let seconds = part("days")? * 86_400 + part("seconds")?;
    let rest = if delta.hasattr("nanoseconds")? { part("nanoseconds")? } else { 0 };
    Ok((seconds * 1_000_000 + part("microseconds")?) * 1_000 + rest)
}

/// An int, a Decimal, a Fraction, or what other libraries have for them.
fn number(value: &Bound<'_, PyAny>) -> PyResult<Literal> {
    if value.hasattr("__index__")? {
        let whole: BigInt = value.py().import("operator")?.call_method1("index", (value,))?.extract()?;
        return Ok(Literal::Number(Number::ratio(whole, 1)));
    }
    if value.hasattr("adjusted")? && value.call_method0("is_finite")?.is_truthy()? {
        let power: i64 = value.call_method0("adjusted")?.extract()?;
        if value.is_truthy()? && power.abs() > i64::from(MOST_DIGITS) {
            return clamped(value.lt(0)?, power > 0);
        }
    }
    match value.call_method0("as_integer_ratio") {
        Ok(ratio) => {
            let (numerator, denominator): (BigInt, BigInt) = ratio.extract()?;
            Ok(Literal::Number(Number::ratio(numerator, denominator)))
        }
        // Those without a ratio are infinite or no number.
        Err(error) => match value.call_method0("__float__")?.extract::<f64>()? {
            finite if finite.is_finite() => Err(error),
            other => Ok(other.into()),
        },
    }
}

fn clamped(is_negative: bool, is_large: bool) -> PyResult<Literal> {
    let sign = BigInt::from(if is_negative { -1 } else { 1 });
    let power = BigInt::from(10).pow(MOST_DIGITS);
    let (numerator, denominator) = if is_large { (sign * power, BigInt::from(1)) } else { (sign, power) };
    Ok(Literal::Number(Number::ratio(numerator, denominator)))
}
