//! REST calls to the local service.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::rest::run(data));
