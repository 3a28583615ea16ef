//! Rows that a comparison leaves out: what is not read for it, and what is dropped after decoding.

pub mod comparison;
pub mod predicate;
pub mod prune;
