//! From pages to batches.

pub mod concat;
mod copied;
pub mod decoder;
pub mod direct;
mod validate;
