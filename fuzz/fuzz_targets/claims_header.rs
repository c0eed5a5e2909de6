//! Writing and reading of the plain claims header, `X-ASRS-User-Claims`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::claims_header::run(data));
