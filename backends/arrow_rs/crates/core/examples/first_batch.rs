//! The first batch of a file, again and again: `first_batch FILE TIMES` prints the nanoseconds of each and, in the last
//! line, the most bytes that one held.

#![expect(clippy::unwrap_used, reason = "a wrong argument or file ends it")]

use std::env;
use std::time::Instant;

use firstbyte_core::alloc::{Counting, live_bytes, peak_bytes, reset_peak};
use firstbyte_core::{Dataset, ScanOptions};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let mut arguments = env::args().skip(1);
    let path = arguments.next().unwrap();
    let times: u32 = arguments.next().unwrap().parse().unwrap();
    let mut most = 0;
    for _ in 0..times {
        reset_peak();
        let before = live_bytes();
        let begin = Instant::now();
        let mut scan = Dataset::open(&path).unwrap().scan(&ScanOptions::default()).unwrap();
        let batch = scan.next().unwrap().unwrap();
        println!("{}", begin.elapsed().as_nanos());
        most = most.max(peak_bytes() - before);
        drop(batch);
    }
    println!("{most}");
}
