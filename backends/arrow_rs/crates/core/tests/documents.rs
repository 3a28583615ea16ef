//! What the stub file and the README say about the code.

use std::fs;
use std::path::{Path, PathBuf};

use firstbyte_core::defaults;

fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The file with single spaces for line breaks and indentation.
fn text(path: &str) -> String {
    let text = fs::read_to_string(package().join(path)).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_stub_file_has_the_defaults_of_the_bindings() {
    let stub = text("python/firstbyte_arrow/_native.pyi");
    for (name, value) in [
        ("batch_size", defaults::BATCH_ROWS as u64),
        ("threads", defaults::THREADS as u64),
        ("memory_budget", defaults::MEMORY_BUDGET_BYTES as u64),
        ("max_page_bytes", defaults::MAX_PAGE_BYTES as u64),
        ("max_batch_bytes", defaults::MAX_BATCH_BYTES),
        ("epoch", defaults::EPOCH),
        ("shuffle_rows", defaults::SHUFFLE_ROWS as u64),
    ] {
        let (stated, wanted) = (format!(" {name}: int = "), format!(" {name}: int = {value},"));
        let count = stub.matches(&stated).count();
        assert!(count > 0 && stub.matches(&wanted).count() == count, "{wanted}");
    }
}

#[test]
fn the_readme_has_what_is_kept() {
    let readme = text("README.md");
    for (bytes, sentence) in [
        (defaults::METADATA_CACHE_BYTES, "change time, up to {} MiB in all"),
        (defaults::SPARE_MAPPING_BYTES, "up to {} MiB of freed ones wait"),
    ] {
        let wanted = sentence.replace("{}", &(bytes >> 20).to_string());
        assert!(readme.contains(&wanted), "{wanted}");
    }
}

#[test]
fn the_readme_names_files_that_exist() {
    let readme = text("README.md");
    let quoted = readme.split('`').skip(1).step_by(2);
    let sources: Vec<_> = quoted.filter(|name| name.ends_with(".rs") || name.ends_with(".pyi")).collect();
    assert!(sources.len() > 5, "{sources:?}");
    for name in sources {
        let places = ["", "crates/core/src", "python/firstbyte_arrow"];
        assert!(places.iter().any(|place| package().join(place).join(name).is_file()), "{name}");
    }
}
