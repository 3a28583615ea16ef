use std::path::PathBuf;
use std::sync::Arc;

use firstbyte_core::defaults;
use firstbyte_core::{Dataset as CoreDataset, Error, Forms, ScanOptions, Strings, TimeUnit};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::batch::Batch;
use crate::comparison;
use crate::errors::raise;
use crate::position;
use crate::reader::Reader;
use crate::schema::Schema;
use crate::signals::Signals;

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

fn strings(text: &str) -> Result<Strings, Error> {
    Ok(match text {
        "utf8" => Strings::AsStored,
        "view" => Strings::View,
        "dictionary" => Strings::Dictionary,
        _ => return Err(Error::usage(format!("no strings '{text}' (allowed: utf8, view, dictionary)"))),
    })
}

fn int96(unit: Option<&str>) -> Result<Option<TimeUnit>, Error> {
    Ok(match unit {
        None => None,
        Some("ns") => Some(TimeUnit::Nanosecond),
        Some("us") => Some(TimeUnit::Microsecond),
        Some("ms") => Some(TimeUnit::Millisecond),
        Some("s") => Some(TimeUnit::Second),
        Some(unit) => {
            return Err(Error::usage(format!("no unit '{unit}' of int96 (allowed: ns, us, ms, s)")));
        }
    })
}

fn forms(strings: &str, int96: Option<&str>) -> Result<Forms, Error> {
    Ok(Forms { strings: self::strings(strings)?, int96: self::int96(int96)? })
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

    /// One pass over the file. The stub file describes each argument.
    #[pyo3(signature = (*, columns=None, row_groups=None, shard=None, batch_size=defaults::BATCH_ROWS,
                        threads=defaults::THREADS, memory_budget=defaults::MEMORY_BUDGET_BYTES, strings="utf8",
                        int96=None, max_page_bytes=defaults::MAX_PAGE_BYTES,
                        max_batch_bytes=defaults::MAX_BATCH_BYTES, seed=None, epoch=defaults::EPOCH,
                        shuffle_rows=defaults::SHUFFLE_ROWS, r#where=None, resume=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of one Python method")]
    fn scan(
        &self,
        py: Python<'_>,
        columns: Option<Vec<String>>,
        row_groups: Option<Vec<usize>>,
        shard: Option<(u64, u64)>,
        batch_size: usize,
        threads: usize,
        memory_budget: usize,
        strings: &str,
        int96: Option<&str>,
        max_page_bytes: usize,
        max_batch_bytes: u64,
        seed: Option<u64>,
        epoch: u64,
        shuffle_rows: usize,
        r#where: Option<Vec<Bound<'_, PyAny>>>,
        resume: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Reader> {
        if batch_size == 0 {
            return Err(PyValueError::new_err("batch_size must be at least 1"));
        }
        let signals = Arc::new(Signals::default());
        let options = ScanOptions {
            columns,
            row_groups,
            shard,
            batch_rows: batch_size,
            threads,
            memory_budget_bytes: memory_budget,
            forms: forms(strings, int96).map_err(|error| raise(py, &error))?,
            max_page_bytes,
            max_batch_bytes,
            seed,
            epoch,
            shuffle_rows,
            predicate: r#where
                .unwrap_or_default()
                .into_iter()
                .map(|asked| comparison::from_python(&asked))
                .collect::<PyResult<_>>()?,
            resume: resume.map(position::from_dict).transpose()?,
            interrupt: Some(Arc::new(Signals::interrupt(&signals))),
        };
        let scan = py.detach(|| self.0.scan(&options));
        scan.map(|scan| Reader::new(scan, signals)).map_err(|error| raise(py, &error))
    }

    /// The rows with these numbers, counted from 0 through the file, in the order asked for, as one batch.
    ///
    /// Raises ValueError for a row or column that does not exist.
    #[pyo3(signature = (indices, *, columns=None, strings="utf8", int96=None,
                        max_page_bytes=defaults::MAX_PAGE_BYTES, max_batch_bytes=defaults::MAX_BATCH_BYTES))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of one Python method")]
    fn take(
        &self,
        py: Python<'_>,
        indices: Vec<u64>,
        columns: Option<Vec<String>>,
        strings: &str,
        int96: Option<&str>,
        max_page_bytes: usize,
        max_batch_bytes: u64,
    ) -> PyResult<Batch> {
        let forms = forms(strings, int96).map_err(|error| raise(py, &error))?;
        let options =
            ScanOptions { columns, forms, max_page_bytes, max_batch_bytes, ..ScanOptions::default() };
        let taken = py.detach(|| self.0.take(&indices, &options));
        taken.map(Batch).map_err(|error| raise(py, &error))
    }

    /// Read and decompress every page of the columns and throw it away: the floor under the time of a scan.
    ///
    /// Returns the decompressed bytes.
    #[pyo3(signature = (*, columns=None))]
    fn decompress(&self, py: Python<'_>, columns: Option<Vec<String>>) -> PyResult<u64> {
        py.detach(|| self.0.decompress(columns.as_deref())).map_err(|error| raise(py, &error))
    }

    /// What the dictionary and the largest page of each column take, decompressed: the floor under the memory of a
    /// scan.
    ///
    /// Returns the bytes of the row group where that is most. Only page headers are read.
    #[pyo3(signature = (*, columns=None))]
    fn pages_in_hand(&self, py: Python<'_>, columns: Option<Vec<String>>) -> PyResult<u64> {
        py.detach(|| self.0.pages_in_hand(columns.as_deref())).map_err(|error| raise(py, &error))
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
