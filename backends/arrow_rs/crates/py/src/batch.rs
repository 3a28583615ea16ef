use arrow_array::{ArrayRef, RecordBatch, StructArray};
use arrow_schema::FieldRef;
use pyo3::exceptions::{PyIndexError, PyKeyError};
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyCapsule, PyTuple};

use crate::schema::Schema;
use crate::{capsule, value};

/// Rows of all projected columns. Exports `__arrow_c_array__` and `__arrow_c_schema__` without a copy.
#[pyclass(frozen, module = "firstbyte_arrow")]
pub struct Batch(pub RecordBatch);

impl Batch {
    fn find(&self, name: &str) -> PyResult<usize> {
        let schema = self.0.schema_ref();
        schema.fields().iter().position(|field| field.name() == name).ok_or_else(|| {
            let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            PyKeyError::new_err(format!("no column '{name}' (the batch has: {})", names.join(", ")))
        })
    }
}

#[pymethods]
impl Batch {
    #[getter]
    fn num_rows(&self) -> usize {
        self.0.num_rows()
    }

    #[getter]
    fn num_columns(&self) -> usize {
        self.0.num_columns()
    }

    /// Bytes of the buffers that the batch keeps alive, shared ones counted each time.
    #[getter]
    fn nbytes(&self) -> usize {
        self.0.get_array_memory_size()
    }

    #[getter]
    fn schema(&self) -> Schema {
        Schema(self.0.schema())
    }

    fn __len__(&self) -> usize {
        self.0.num_rows()
    }

    fn __repr__(&self) -> String {
        format!("<Batch {} rows x {} columns>", self.0.num_rows(), self.0.num_columns())
    }

    /// One column by name. Raises KeyError for an unknown one.
    fn column(&self, name: &str) -> PyResult<Column> {
        let index = self.find(name)?;
        Ok(Column { array: self.0.column(index).clone(), field: self.0.schema_ref().fields()[index].clone() })
    }

    /// One value as a Python object: `str` for text, None for null. Raises KeyError and IndexError.
    fn value(&self, py: Python<'_>, column: &str, row: usize) -> PyResult<Py<PyAny>> {
        value::to_python(py, self.0.column(self.find(column)?), row)
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        // Casting is the consumer's work, as the interface allows.
        drop(requested_schema);
        let rows = StructArray::from(self.0.clone());
        capsule::array(py, &rows, self.__arrow_c_schema__(py)?)
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        capsule::schema(py, self.0.schema_ref().as_ref())
    }
}

/// One column of a batch: a sequence of Python objects that also exports `__arrow_c_array__`.
#[pyclass(frozen, sequence, module = "firstbyte_arrow")]
pub struct Column {
    array: ArrayRef,
    field: FieldRef,
}

#[pymethods]
impl Column {
    #[getter]
    fn name(&self) -> &str {
        self.field.name()
    }

    #[getter]
    fn null_count(&self) -> usize {
        self.array.null_count()
    }

    fn __len__(&self) -> usize {
        self.array.len()
    }

    fn __getitem__(&self, py: Python<'_>, row: isize) -> PyResult<Py<PyAny>> {
        let row = if row < 0 { row.checked_add_unsigned(self.array.len()) } else { Some(row) };
        let row = row.and_then(|row| usize::try_from(row).ok());
        value::to_python(py, &self.array, row.ok_or_else(|| PyIndexError::new_err("row out of range"))?)
    }

    /// All values as a list of Python objects.
    fn to_list(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        (0..self.array.len()).map(|row| value::to_python(py, &self.array, row)).collect()
    }

    fn __repr__(&self) -> String {
        format!("<Column {}: {}, {} rows>", self.field.name(), self.field.data_type(), self.array.len())
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        drop(requested_schema);
        capsule::array(py, &self.array, self.__arrow_c_schema__(py)?)
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        capsule::schema(py, self.field.as_ref())
    }
}
