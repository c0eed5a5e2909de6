//! The plain claims header.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::claims_header::run(data));
