//! Pages that lie across the ends of pieces, decompressed once for both.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use parquet::column::page::Page;

/// Pages that one of two neighbours has decompressed and the other still needs, by their place in the file.
#[derive(Default)]
pub struct Boundary(Mutex<HashMap<u64, Page>>);

/// Which of a piece's neighbours are decoded in the same scan, by others.
#[derive(Clone)]
pub struct Neighbours {
    pub boundary: Arc<Boundary>,
    pub before: bool,
    pub after: bool,
}

/// Rows from a page on that a piece passes over, and rows that it takes after them.
pub struct Span {
    pub neighbours: Neighbours,
    pub skipped: usize,
    pub wanted: usize,
}

impl Span {
    /// Where to exchange the page, which has so many rows, if a neighbour needs it, too. `early` rows of it
    /// were delivered before.
    pub fn shares(&self, rows: usize, early: usize) -> Option<&Boundary> {
        let taken = self.skipped.saturating_add(self.wanted).saturating_add(early);
        let before = self.neighbours.before && self.skipped > 0 && rows > 0;
        let after = self.neighbours.after && rows > taken;
        // Of a page across several pieces the first and the last are one another's neighbours.
        (before != after).then_some(&*self.neighbours.boundary)
    }
}

impl Boundary {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Page>> {
        // No code that can panic runs while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The page at `place`, if a neighbour left it here.
    pub fn take(&self, place: u64) -> Option<Page> {
        self.lock().remove(&place)
    }

    /// Leave a page for the neighbour; not if both have decompressed it at the same time.
    pub fn leave(&self, place: u64, page: &Page) {
        let mut pages = self.lock();
        if pages.remove(&place).is_none() {
            pages.insert(place, page.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_left_once_and_never_for_nobody() {
        let page = Page::DictionaryPage {
            buf: vec![1].into(),
            num_values: 0,
            encoding: parquet::basic::Encoding::PLAIN,
            is_sorted: false,
        };
        let boundary = Boundary::default();
        boundary.leave(7, &page);
        assert!(boundary.take(8).is_none());
        assert!(boundary.take(7).is_some());
        assert!(boundary.take(7).is_none());
        boundary.leave(7, &page);
        boundary.leave(7, &page);
        assert!(boundary.take(7).is_none(), "both had it");
    }
}
