//! One Arrow value as a Python object, without the help of another library.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyIndexError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

/// The value at `row`. Raises IndexError out of range, TypeError for types that have no plain Python
/// counterpart here (take those through the Arrow capsule).
pub fn to_python(py: Python<'_>, array: &ArrayRef, row: usize) -> PyResult<Py<PyAny>> {
    if row >= array.len() {
        return Err(PyIndexError::new_err(format!("row {row} out of range: the batch has {}", array.len())));
    }
    if array.is_null(row) {
        return Ok(py.None());
    }
    match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).into_py_any(py),
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).into_py_any(py),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).into_py_any(py),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).into_py_any(py),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into_py_any(py),
        DataType::UInt8 => array.as_primitive::<UInt8Type>().value(row).into_py_any(py),
        DataType::UInt16 => array.as_primitive::<UInt16Type>().value(row).into_py_any(py),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(row).into_py_any(py),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).into_py_any(py),
        DataType::Float16 => array.as_primitive::<Float16Type>().value(row).to_f32().into_py_any(py),
        DataType::Float32 => array.as_primitive::<Float32Type>().value(row).into_py_any(py),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).into_py_any(py),
        DataType::Utf8 => array.as_string::<i32>().value(row).into_py_any(py),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).into_py_any(py),
        DataType::Utf8View => array.as_string_view().value(row).into_py_any(py),
        DataType::Binary => bytes(py, array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => bytes(py, array.as_binary::<i64>().value(row)),
        DataType::BinaryView => bytes(py, array.as_binary_view().value(row)),
        DataType::FixedSizeBinary(_) => bytes(py, array.as_fixed_size_binary().value(row)),
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            to_python(py, dictionary.values(), dictionary.normalized_keys()[row])
        }
        DataType::List(_) => list(py, &array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(py, &array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(_, _) => list(py, &array.as_fixed_size_list().value(row)),
        DataType::Struct(fields) => {
            let columns = array.as_struct();
            let dict = PyDict::new(py);
            for (field, column) in fields.iter().zip(columns.columns()) {
                dict.set_item(field.name(), to_python(py, column, row)?)?;
            }
            dict.into_py_any(py)
        }
        other => Err(PyTypeError::new_err(format!(
            "no plain Python value for Arrow type {other}: take the batch through __arrow_c_array__"
        ))),
    }
}

fn bytes(py: Python<'_>, value: &[u8]) -> PyResult<Py<PyAny>> {
    PyBytes::new(py, value).into_py_any(py)
}

fn list(py: Python<'_>, values: &ArrayRef) -> PyResult<Py<PyAny>> {
    let items: PyResult<Vec<_>> = (0..values.len()).map(|row| to_python(py, values, row)).collect();
    PyList::new(py, items?)?.into_py_any(py)
}
