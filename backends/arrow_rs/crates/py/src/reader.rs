use std::sync::{Mutex, MutexGuard, PoisonError};

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};
use std::time::Duration;

use firstbyte_core::{Error, Kind, Scan, Step};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};

use crate::batch::Batch;
use crate::capsule;
use crate::dataset::position_to_dict;
use crate::errors::raise;
use crate::schema::Schema;

/// How long to wait for threads before looking for signals.
const PATIENCE: Duration = Duration::from_millis(50);

/// One pass over a file: an iterator of `Batch` and a context manager. Other Python threads run while it
/// reads and decodes. Exports `__arrow_c_stream__`, which hands the rest of the pass to the consumer.
#[pyclass(frozen, module = "firstbyte_arrow")]
pub struct Reader {
    /// None once closed or handed over.
    scan: Mutex<Option<Scan>>,
    schema: SchemaRef,
}

impl Reader {
    pub fn new(scan: Scan) -> Self {
        Self { schema: scan.schema().clone(), scan: Mutex::new(Some(scan)) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Scan>> {
        // The scan catches panics itself and is whole, or at its end, after each call.
        self.scan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Reader {
    #[getter]
    fn schema(&self) -> Schema {
        Schema(self.schema.clone())
    }

    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Batch>> {
        loop {
            let step = py.detach(|| match self.lock().as_mut() {
                Some(scan) => scan.next_within(PATIENCE),
                None => Err(closed()),
            });
            match step.map_err(|error| raise(py, &error))? {
                Step::Batch(batch) => return Ok(Some(Batch(batch))),
                Step::End => return Ok(None),
                // Ctrl-C is answered while threads are at work, too.
                Step::Pending => py.check_signals()?,
            }
        }
    }

    /// Where the next row is: a dict of plain values for `scan(resume=...)`.
    #[getter]
    fn position<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let position = py.detach(|| self.lock().as_ref().map(Scan::progress));
        position_to_dict(py, position.ok_or_else(|| raise(py, &closed()))?)
    }

    /// The most bytes that threads and queues held at once; None without threads.
    #[getter]
    fn most_bytes(&self, py: Python<'_>) -> PyResult<Option<usize>> {
        py.detach(|| self.lock().as_ref().map(Scan::most_bytes)).ok_or_else(|| raise(py, &closed()))
    }

    /// Release what the reader holds; idempotent. Batches handed out stay valid.
    fn close(&self, py: Python<'_>) {
        py.detach(|| drop(self.lock().take()));
    }

    fn __enter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    #[pyo3(signature = (*_exc_info))]
    fn __exit__(&self, py: Python<'_>, _exc_info: &Bound<'_, pyo3::types::PyTuple>) {
        self.close(py);
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        capsule::schema(py, self.schema.as_ref())
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        drop(requested_schema);
        let scan = py.detach(|| self.lock().take()).ok_or_else(|| raise(py, &closed()))?;
        capsule::stream(py, Box::new(Stream { scan, schema: self.schema.clone() }))
    }
}

fn closed() -> Error {
    Error::new(Kind::Closed, "the reader is closed, or was handed over as an Arrow stream")
}

/// The scan as Arrow's own iterator of batches. It ends after an error.
struct Stream {
    scan: Scan,
    schema: SchemaRef,
}

impl Iterator for Stream {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.scan.next()?.map_err(|error| ArrowError::ExternalError(Box::new(error))))
    }
}

impl RecordBatchReader for Stream {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}
