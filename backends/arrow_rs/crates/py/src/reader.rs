use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};
use firstbyte_core::{Error, Kind, Scan, Step};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};

use crate::batch::Batch;
use crate::capsule;
use crate::errors::raise;
use crate::position;
use crate::schema::Schema;
use crate::signals::{PATIENCE, Signals};

/// One pass over a file: an iterator of `Batch` and a context manager. Other Python threads run while it
/// reads and decodes. Exports `__arrow_c_stream__`, which hands the rest of the pass to the consumer.
#[pyclass(frozen, module = "firstbyte_arrow")]
pub struct Reader {
    /// None once closed or handed over.
    scan: Mutex<Option<Scan>>,
    schema: SchemaRef,
    signals: Arc<Signals>,
}

impl Reader {
    pub fn new(scan: Scan, signals: Arc<Signals>) -> Self {
        Self { schema: scan.schema().clone(), scan: Mutex::new(Some(scan)), signals }
    }

    /// The scan, as soon as no other thread uses it. Called without the interpreter's lock.
    fn lock(&self) -> Result<MutexGuard<'_, Option<Scan>>, Error> {
        if self.signals.are_handled_here() {
            return Err(Error::new(
                Kind::Usage,
                "the reader is in use by the call that the signal interrupted",
            ));
        }
        // The scan catches panics itself and is whole, or at its end, after each call.
        Ok(self.scan.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Use the scan, unless the reader is closed.
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        use_it: impl FnOnce(&mut Scan) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        let outcome = py.detach(|| self.lock()?.as_mut().map_or_else(|| Err(closed()), use_it));
        outcome.map_err(|error| self.raise(py, &error))
    }

    fn raise(&self, py: Python<'_>, error: &Error) -> PyErr {
        let raised = self.signals.take_raised().filter(|_| error.kind == Kind::Interrupted);
        raised.unwrap_or_else(|| raise(py, error))
    }

    fn take(&self, py: Python<'_>) -> PyResult<Option<Scan>> {
        py.detach(|| Ok(self.lock()?.take())).map_err(|error| raise(py, &error))
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
            match self.with(py, |scan| scan.next_within(PATIENCE))? {
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
        position::to_dict(py, self.with(py, |scan| Ok(scan.progress()))?)
    }

    /// The most bytes that threads and queues held at once; None without threads.
    #[getter]
    fn most_bytes(&self, py: Python<'_>) -> PyResult<Option<usize>> {
        self.with(py, |scan| Ok(scan.most_bytes()))
    }

    /// Release what the reader holds; idempotent. Batches handed out stay valid.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let scan = self.take(py)?;
        py.detach(|| drop(scan));
        Ok(())
    }

    fn __enter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    #[pyo3(signature = (*_exc_info))]
    fn __exit__(&self, py: Python<'_>, _exc_info: &Bound<'_, pyo3::types::PyTuple>) -> PyResult<()> {
        self.close(py)
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
        let scan = self.take(py)?.ok_or_else(|| raise(py, &closed()))?;
        // The consumer may call from any thread, and while another waits for it with the interpreter's lock.
        let scan = scan.without_interrupt();
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
