use arrow_schema::SchemaRef;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::capsule;

/// The columns of a file or of a batch: names, types, nullability. Exports `__arrow_c_schema__`.
#[pyclass(frozen, module = "firstbyte_arrow")]
pub struct Schema(pub SchemaRef);

#[pymethods]
impl Schema {
    /// Names of the columns, in order.
    #[getter]
    fn names(&self) -> Vec<&str> {
        self.0.fields().iter().map(|field| field.name().as_str()).collect()
    }

    /// Arrow type of each column as text, in order.
    #[getter]
    fn types(&self) -> Vec<String> {
        self.0.fields().iter().map(|field| field.data_type().to_string()).collect()
    }

    fn __len__(&self) -> usize {
        self.0.fields().len()
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    fn __repr__(&self) -> String {
        let columns: Vec<_> =
            self.0.fields().iter().map(|field| format!("{}: {}", field.name(), field.data_type())).collect();
        format!("<Schema {}>", columns.join(", "))
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        capsule::schema(py, self.0.as_ref())
    }
}
