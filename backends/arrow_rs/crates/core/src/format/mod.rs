//! The structures of the format, read from bytes and checked before anything is believed.

pub mod bounds;
pub mod footer;
pub mod page_header;
pub mod page_index;
mod schema;
pub mod statistics;
mod structures;
pub mod thrift;
pub mod unreadable;
