//! From column chunks to decompressed pages.

pub mod batch_bytes;
mod body;
pub mod boundary;
pub mod chunk;
pub mod chunk_pages;
pub mod context;
mod first_rows;
pub mod headers;
mod map;
mod opening;
mod partial;
pub mod row_groups;
mod row_starts;
pub mod siblings;
pub mod visits;
