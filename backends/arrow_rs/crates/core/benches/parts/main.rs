//! Parts of the crate, one by one: `cargo bench -p firstbyte-core --features internals`.

mod codec;
mod encoding;
mod footer;
#[path = "../../tests/shards/mod.rs"]
#[expect(dead_code, reason = "tests use more of it")]
mod shards;

use criterion::{criterion_group, criterion_main};

criterion_group!(
    parts,
    encoding::hybrid,
    encoding::levels,
    encoding::delta_lengths,
    encoding::strings,
    codec::pages,
    footer::parse,
);
criterion_main!(parts);
