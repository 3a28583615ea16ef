//! A Parquet reader for training: early first batch, bounded memory, safe on any bytes.
//!
//! Nothing here knows Python; `crates/py` is a thin layer over [`Dataset`] and [`Scan`].

mod ahead;
pub mod alloc;
mod block;
mod boundary;
mod budget;
mod cache;
mod chunks;
mod codec;
mod comparison;
mod dataset;
mod decoder;
mod direct;
mod divide;
mod early;
pub mod error;
mod floor;
mod footer;
pub mod guard;
mod hybrid;
mod interrupt;
mod join;
mod lengths;
mod levels;
mod mapped;
mod maps;
mod meta;
mod nested;
mod options;
mod page_header;
mod page_index;
mod page_map;
mod pages;
mod plan;
mod pool;
mod predicate;
mod prune;
mod row_starts;
mod runs;
mod scan;
mod shape;
mod shuffle;
pub mod source;
mod strands;
mod take;
mod text;
mod thrift;
mod window;
mod workbench;

pub use ahead::Step;
pub use comparison::{Comparison, Literal, Operator};
pub use dataset::Dataset;
pub use error::{Error, Kind, Place, Result};
pub use interrupt::Interrupt;
pub use meta::Strings;
pub use options::{Position, ScanOptions};
pub use scan::Scan;

/// Name and version of the libraries inside that decide speed and memory.
pub fn library_versions() -> Vec<(&'static str, &'static str)> {
    let locked: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/versions.rs"));
    locked.to_vec()
}
