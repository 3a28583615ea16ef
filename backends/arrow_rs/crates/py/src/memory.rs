use firstbyte_core::alloc;
use pyo3::prelude::*;

/// Bytes that the crate holds, counted exactly at its allocator.
#[pyclass(frozen, get_all, module = "firstbyte_arrow")]
pub struct MemoryStats {
    /// Allocated and not yet freed.
    live_bytes: usize,
    /// The most that was live at once since the start or the last `reset_peak`.
    peak_bytes: usize,
}

#[pymethods]
impl MemoryStats {
    fn __repr__(&self) -> String {
        format!("MemoryStats(live_bytes={}, peak_bytes={})", self.live_bytes, self.peak_bytes)
    }
}

/// Bytes that the crate holds now and held at most. Allocates nothing through the allocator it reports.
#[pyfunction]
pub fn memory() -> MemoryStats {
    MemoryStats { live_bytes: alloc::live_bytes(), peak_bytes: alloc::peak_bytes() }
}

/// Start a new peak at what is live now.
#[pyfunction]
pub fn reset_peak() {
    alloc::reset_peak();
}
