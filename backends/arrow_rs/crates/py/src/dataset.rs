use std::path::PathBuf;

use firstbyte_core::{Dataset as CoreDataset, ScanOptions};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::errors::raise;
use crate::reader::Reader;
use crate::schema::Schema;

/// One Parquet file: its footer and an open descriptor. Picklable by path; starts no thread.
#[pyclass(frozen, module = "firstbyte_arrow")]
pub struct Dataset(CoreDataset);

/// Read the footer of the Parquet file at `source`.
///
/// Raises StoreError (an OSError) where the file cannot be read, CorruptFileError where it is not Parquet.
#[pyfunction]
pub fn open(py: Python<'_>, source: PathBuf) -> PyResult<Dataset> {
    let opened = py.detach(|| CoreDataset::open(source));
    opened.map(Dataset).map_err(|error| raise(py, &error))
}

#[pymethods]
impl Dataset {
    #[getter]
    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    #[getter]
    fn schema(&self) -> Schema {
        Schema(self.0.schema().clone())
    }

    #[getter]
    fn num_rows(&self) -> u64 {
        self.0.num_rows()
    }

    /// Rows of each row group, in file order.
    #[getter]
    fn row_groups(&self) -> Vec<u64> {
        self.0.row_group_rows()
    }

    /// One pass over the file.
    ///
    /// columns: top-level names; batches have them in file order. row_groups: which, in the order to read
    /// them. batch_size: rows of a batch; the last one may be smaller.
    /// Raises ValueError for a column or row group that does not exist.
    #[pyo3(signature = (*, columns=None, row_groups=None, batch_size=1024))]
    fn scan(
        &self,
        py: Python<'_>,
        columns: Option<Vec<String>>,
        row_groups: Option<Vec<usize>>,
        batch_size: usize,
    ) -> PyResult<Reader> {
        let options = ScanOptions { columns, row_groups, batch_rows: batch_size };
        let scan = py.detach(|| self.0.scan(&options));
        scan.map(Reader::new).map_err(|error| raise(py, &error))
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let open = py.import("firstbyte_arrow")?.getattr("open")?;
        PyTuple::new(py, [open, PyTuple::new(py, [self.path()])?.into_any()])
    }

    fn __repr__(&self) -> String {
        format!(
            "<Dataset {}: {} rows in {} row groups>",
            self.0.path().display(),
            self.0.num_rows(),
            self.0.row_group_rows().len()
        )
    }
}
