//! Where bytes come from.

pub mod local;
pub mod window;

pub use local::LocalFile;
