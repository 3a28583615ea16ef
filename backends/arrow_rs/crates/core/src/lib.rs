//! A Parquet reader for training: early first batch, bounded memory, safe on any bytes.
//!
//! Nothing here knows Python; `crates/py` is a thin layer over [`Dataset`] and [`Scan`].

mod ahead;
pub mod alloc;
mod block;
mod boundary;
mod budget;
mod codec;
mod decoder;
mod early;
pub mod error;
mod flat;
mod footer;
pub mod guard;
mod hybrid;
mod lengths;
mod mapped;
mod meta;
mod page_header;
mod pages;
mod plan;
mod pool;
mod predicate;
mod runs;
mod scan;
mod shuffle;
pub mod source;
mod take;
mod thrift;
mod window;

pub use ahead::Step;
pub use error::{Error, Kind, Place, Result};
pub use meta::{Dataset, Strings};
pub use predicate::{Comparison, Literal, Operator};
pub use scan::{Position, Scan, ScanOptions};

/// Name and version of the libraries inside that decide speed and memory.
pub fn library_versions() -> Vec<(&'static str, &'static str)> {
    let locked: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/versions.rs"));
    locked.to_vec()
}
