//! Requests to the upstream endpoint of an app.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::upstream::run(data));
