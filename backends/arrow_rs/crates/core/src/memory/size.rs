//! Counts of the file as counts in memory.

/// The count as an index or a length. What no memory can hold becomes as large as possible, so that it fails every
/// check against what is there.
pub fn in_memory(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
