//! Python bindings: classes, Arrow capsules and exceptions over `firstbyte_core`.

// As in the core.
#![cfg_attr(
    not(test),
    deny(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        clippy::expect_used,
        clippy::panic,
        clippy::unwrap_used,
    )
)]

mod batch;
mod capsule;
mod comparison;
mod dataset;
mod errors;
mod memory;
mod position;
mod reader;
mod schema;
mod signals;
mod value;

use pyo3::prelude::*;

#[global_allocator]
static ALLOCATOR: firstbyte_core::alloc::Counting = firstbyte_core::alloc::Counting;

/// What the crate was compiled as. A debug build is several times slower: whoever measures must refuse it.
const BUILD_PROFILE: &str = if cfg!(debug_assertions) { "debug" } else { "release" };

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("build_profile", BUILD_PROFILE)?;
    module.add("library_versions", firstbyte_core::library_versions())?;
    errors::register(module)?;
    module.add_class::<batch::Batch>()?;
    module.add_class::<batch::Column>()?;
    module.add_class::<dataset::Dataset>()?;
    module.add_class::<memory::MemoryStats>()?;
    module.add_class::<reader::Reader>()?;
    module.add_class::<schema::Schema>()?;
    module.add_function(wrap_pyfunction!(dataset::open, module)?)?;
    module.add_function(wrap_pyfunction!(memory::memory, module)?)?;
    module.add_function(wrap_pyfunction!(memory::reset_peak, module)?)?;
    Ok(())
}
