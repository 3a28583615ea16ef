//! From pages to batches.

pub mod concat;
pub mod decoder;
mod direct;
mod validate;
