//! The Arrow C data interface as PyCapsules: how every other library takes our data without a copy.
//!
//! A capsule owns its C structure. A consumer moves the contents out and leaves `release` empty; if nobody
//! does, dropping the structure with the capsule releases it.

use arrow_array::ffi::{FFI_ArrowSchema, to_ffi};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{Array, RecordBatchReader};
use arrow_schema::ArrowError;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};

fn failed(error: ArrowError) -> PyErr {
    PyValueError::new_err(error.to_string().replace('\0', "\\0"))
}

/// `__arrow_c_schema__`.
pub fn schema<'py, S>(py: Python<'py>, source: S) -> PyResult<Bound<'py, PyCapsule>>
where
    FFI_ArrowSchema: TryFrom<S, Error = ArrowError>,
{
    PyCapsule::new_with_value(py, FFI_ArrowSchema::try_from(source).map_err(failed)?, c"arrow_schema")
}

/// `__arrow_c_array__`: the pair of schema and array.
pub fn array<'py>(
    py: Python<'py>,
    source: &dyn Array,
    schema: Bound<'py, PyCapsule>,
) -> PyResult<Bound<'py, PyTuple>> {
    let (array, _) = to_ffi(&source.to_data()).map_err(failed)?;
    let array = PyCapsule::new_with_value(py, array, c"arrow_array")?;
    PyTuple::new(py, [schema, array])
}

/// `__arrow_c_stream__`. The reader must never panic: the consumer calls it from C.
pub fn stream(py: Python<'_>, source: Box<dyn RecordBatchReader + Send>) -> PyResult<Bound<'_, PyCapsule>> {
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(source), c"arrow_array_stream")
}
