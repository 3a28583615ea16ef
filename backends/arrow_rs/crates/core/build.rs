//! Hands the locked versions of the libraries that decide speed and memory to the code.

use std::fs;
use std::path::Path;

const REPORTED: [&str; 4] = ["arrow-array", "parquet", "zstd-sys", "zlib-rs"];

fn main() {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
    println!("cargo:rerun-if-changed={}", lock.display());
    let text =
        fs::read_to_string(&lock).unwrap_or_else(|error| panic!("cannot read {}: {error}", lock.display()));
    let mut name = "";
    let mut found = Vec::new();
    for line in text.lines() {
        if let Some(value) = line.strip_prefix("name = ") {
            name = value.trim_matches('"');
        } else if let Some(value) = line.strip_prefix("version = ")
            && REPORTED.contains(&name)
        {
            found.push(format!("(\"{name}\", {value})"));
        }
    }
    let code = format!("&[{}]", found.join(", "));
    let out = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("versions.rs"), code).expect("OUT_DIR can be written");
}
