//! A Parquet reader for training: early first batch, bounded memory, safe on any bytes.
//!
//! Nothing here knows Python; `crates/py` is a thin layer over [`Dataset`] and [`Scan`].

// Bytes of a file decide what runs here: nothing may be cut off or given up without a reason beside it. What tests
// make themselves needs none.
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

mod codec;
mod dataset;
mod decode;
pub mod defaults;
mod encoding;
pub mod error;
mod filter;
mod format;
pub mod guard;
mod interrupt;
mod memory;
mod pages;
mod plan;
mod random;
mod scan;
pub mod source;

pub use arrow_schema::TimeUnit;
pub use dataset::Dataset;
pub use dataset::forms::{Forms, Strings};
pub use error::{Error, Kind, Place, Result};
pub use filter::comparison::{Comparison, Operand, Operator, Test};
pub use filter::literal::{Literal, Number};
pub use interrupt::Interrupt;
pub use memory::alloc;
pub use scan::Scan;
pub use scan::ahead::Step;
pub use scan::options::{Position, ScanOptions};

/// What fuzzers and benchmarks reach into; no part of the interface.
#[cfg(feature = "internals")]
pub mod internals {
    pub use crate::decode::direct::byte_arrays::ByteArrays;
    pub use crate::decode::direct::values::{Decoded, Values};
    pub use crate::encoding::delta::check as check_delta;
    pub use crate::encoding::hybrid::{Runs, Validity, encode as encode_hybrid};
    pub use crate::encoding::levels::{Highest, check as check_levels};
    pub use crate::format::footer::read as read_footer;
    pub use crate::format::page_header::{Body, PageHeader};
    pub use crate::format::thrift::Stop;
    pub use crate::pages::batch_bytes::Room;
    pub use crate::random::Random;
}

/// Name and version of the libraries inside that decide speed and memory.
pub fn library_versions() -> Vec<(&'static str, &'static str)> {
    let locked: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/versions.rs"));
    locked.to_vec()
}
