//! Rows that a comparison leaves out: what is not read for it, and what is dropped after decoding.

pub mod comparison;
pub mod condition;
pub mod literal;
pub mod predicate;
pub mod prune;
