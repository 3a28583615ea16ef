//! From pages to batches.

pub mod concat;
pub mod decoder;
pub mod direct;
mod validate;
