//! Memory that is counted, bounded and used again.

pub mod alloc;
pub mod budget;
mod mapped;
pub mod pool;
mod raw_buffer;
pub mod size;
