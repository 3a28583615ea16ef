#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| firstbyte_fuzz::page_header(bytes));
