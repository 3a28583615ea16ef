//! Gzip, which may have several members, one after another.

use flate2::{Decompress, FlushDecompress, Status};

use crate::codec::prefix::step::Prefix;
use crate::codec::whole::bad;
use crate::error::Result;
use crate::memory::size::in_memory;

/// The largest window: what any writer may have used.
const WINDOW_BITS: u8 = 15;

pub struct Gzip {
    member: Decompress,
}

impl Default for Gzip {
    fn default() -> Self {
        Self { member: Decompress::new_gzip(WINDOW_BITS) }
    }
}

impl Prefix for Gzip {
    fn advance(&mut self, input: &[u8], page: &mut Vec<u8>, target: usize) -> Result<usize> {
        let (mut used, first) = (0, page.len());
        page.resize(target.max(first), 0);
        let mut written = first;
        while written < target {
            let before = (self.member.total_in(), self.member.total_out());
            let status = self.member.decompress(&input[used..], &mut page[written..], FlushDecompress::None);
            let more_in = in_memory(self.member.total_in() - before.0);
            let more_out = in_memory(self.member.total_out() - before.1);
            (used, written) = (used + more_in, written + more_out);
            match status.map_err(bad)? {
                Status::StreamEnd => *self = Self::default(),
                _ if more_in == 0 && more_out == 0 => break,
                _ => {}
            }
        }
        page.truncate(written);
        Ok(used)
    }
}
