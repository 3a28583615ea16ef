//! Where a reader of pages is among those that the index lists, and whether the index told the truth.

use crate::error::{Error, Result};
use crate::format::page_index::Span;

/// The pages of one chunk. They are visited in order: read or stepped over.
#[derive(Debug)]
pub struct PageMap {
    spans: Vec<Span>,
    next: usize,
}

impl PageMap {
    pub fn new(spans: Vec<Span>) -> Self {
        Self { spans, next: 0 }
    }

    /// The page whose header starts at `at`; None before the first data page.
    pub fn at(&mut self, at: u64) -> Option<Span> {
        while self.spans.get(self.next).is_some_and(|span| span.offset < at) {
            self.next += 1;
        }
        self.spans.get(self.next).copied().filter(|span| span.offset == at)
    }

    /// Compare a page that was found at `at` with the index. `rows` is None for a page without rows.
    pub fn confirm(&mut self, at: u64, bytes: u64, rows: Option<u64>) -> Result<()> {
        let listed = self.at(at).map(|span| (span.bytes, span.rows));
        if listed == rows.map(|rows| (bytes, rows)) {
            return Ok(());
        }
        let text = |page: Option<(u64, u64)>| match page {
            Some((bytes, rows)) => format!("a data page of {bytes} bytes and {rows} rows"),
            None => "no data page".to_owned(),
        };
        Err(Error::corrupt(format!(
            "the page index contradicts the pages: it has {}, the file {}",
            text(listed),
            text(rows.map(|rows| (bytes, rows)))
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_compared_with_the_index() {
        let span = |offset, rows| Span { offset, bytes: 8, row: 0, rows };
        let mut map = PageMap::new(vec![span(10, 3), span(18, 2)]);
        assert!(map.confirm(4, 6, None).is_ok(), "a dictionary before the first data page");
        assert!(map.confirm(10, 8, Some(3)).is_ok());
        assert_eq!(map.at(18), Some(span(18, 2)));
        for (at, bytes, rows) in [(18, 8, Some(3)), (18, 9, Some(2)), (18, 8, None), (19, 8, Some(2))] {
            let error = map.confirm(at, bytes, rows).unwrap_err();
            assert!(error.message.contains("contradicts"), "{error}");
        }
    }
}
