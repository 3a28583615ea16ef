//! Exceptions: the kinds of the core's error, each with the place as attributes.

use firstbyte_core::{Error, Kind};
use pyo3::exceptions::{
    PyException, PyKeyboardInterrupt, PyNotImplementedError, PyOSError, PyRuntimeError, PyValueError,
};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};

struct Exceptions {
    parquet: Py<PyType>,
    corrupt: Py<PyType>,
    limit: Py<PyType>,
    unsupported: Py<PyType>,
    store: Py<PyType>,
    forked: Py<PyType>,
}

static EXCEPTIONS: PyOnceLock<Exceptions> = PyOnceLock::new();

fn exceptions(py: Python<'_>) -> PyResult<&Exceptions> {
    EXCEPTIONS.get_or_try_init(py, || {
        let new = |name: &str, doc: &str, bases: &[Bound<'_, PyType>]| -> PyResult<Py<PyType>> {
            let attributes = PyDict::new(py);
            attributes.set_item("__doc__", doc)?;
            attributes.set_item("__module__", "firstbyte_arrow")?;
            let class = py.get_type::<PyType>().call1((name, PyTuple::new(py, bases)?, attributes))?;
            Ok(class.cast_into::<PyType>()?.unbind())
        };
        let exception = py.get_type::<PyException>();
        let parquet = new(
            "ParquetError",
            "Base of all that can go wrong with a file. Attributes, each None where unknown: file, column, row_group, offset.",
            &[exception],
        )?;
        let base = parquet.bind(py).clone();
        Ok(Exceptions {
            corrupt: new(
                "CorruptFileError",
                "The bytes are not a Parquet file, or contradict themselves.",
                std::slice::from_ref(&base),
            )?,
            limit: new(
                "LimitError",
                "The file asks for more than the caller allows.",
                std::slice::from_ref(&base),
            )?,
            unsupported: new(
                "UnsupportedError",
                "Valid Parquet that this reader does not read.",
                &[base.clone(), py.get_type::<PyNotImplementedError>()],
            )?,
            store: new(
                "StoreError",
                "The operating system or the store did not give the bytes.",
                &[base.clone(), py.get_type::<PyOSError>()],
            )?,
            forked: new(
                "ForkedReaderError",
                "The reader was made in another process; open it again in this one.",
                &[base, py.get_type::<PyRuntimeError>()],
            )?,
            parquet,
        })
    })
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let all = exceptions(py)?;
    for (name, class) in [
        ("ParquetError", &all.parquet),
        ("CorruptFileError", &all.corrupt),
        ("LimitError", &all.limit),
        ("UnsupportedError", &all.unsupported),
        ("StoreError", &all.store),
        ("ForkedReaderError", &all.forked),
    ] {
        module.add(name, class.bind(py))?;
    }
    Ok(())
}

/// The Python exception for a core error.
pub fn raise(py: Python<'_>, error: &Error) -> PyErr {
    build(py, error).unwrap_or_else(|failure| failure)
}

fn build(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let all = exceptions(py)?;
    let message = error.to_string();
    let value = match error.kind {
        Kind::Usage | Kind::Closed => return Ok(PyValueError::new_err(message)),
        Kind::Interrupted => return Ok(PyKeyboardInterrupt::new_err(message)),
        Kind::Io(Some(errno)) => all.store.bind(py).call1((errno, message))?,
        Kind::Io(None) => all.store.bind(py).call1((message,))?,
        Kind::Corrupt => all.corrupt.bind(py).call1((message,))?,
        Kind::Limit => all.limit.bind(py).call1((message,))?,
        Kind::Unsupported => all.unsupported.bind(py).call1((message,))?,
        Kind::Forked => all.forked.bind(py).call1((message,))?,
    };
    let place = &error.place;
    value.setattr("file", place.file.as_ref().map(|path| path.as_os_str()))?;
    value.setattr("column", place.column.as_deref())?;
    value.setattr("row_group", place.row_group)?;
    value.setattr("offset", place.offset)?;
    Ok(PyErr::from_value(value))
}
