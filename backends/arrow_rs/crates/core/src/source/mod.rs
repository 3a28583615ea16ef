//! Where bytes come from.

pub mod local;

pub use local::LocalFile;
