//! What a decoder of arrow-rs may hand out although Arrow does not allow it.

pub mod maps;
mod nested;
pub mod required;
pub mod text;
