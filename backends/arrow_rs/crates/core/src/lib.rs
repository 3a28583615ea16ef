//! A Parquet reader for training: early first batch, bounded memory, safe on any bytes.
//!
//! Nothing here knows Python; `crates/py` is a thin layer over [`Dataset`] and [`Scan`].

pub mod alloc;
pub mod error;
pub mod guard;
pub mod meta;
pub mod scan;
pub mod source;

pub use error::{Error, Kind, Place, Result};
pub use meta::Dataset;
pub use scan::{Scan, ScanOptions};

/// Name and version of the libraries inside that decide speed and memory.
pub fn library_versions() -> Vec<(&'static str, &'static str)> {
    let locked: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/versions.rs"));
    locked.to_vec()
}
