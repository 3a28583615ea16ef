//! From column chunks to decompressed pages.

pub mod boundary;
pub mod chunk;
pub mod first_rows;
mod map;
mod row_starts;
pub mod visits;
pub mod workbench;
