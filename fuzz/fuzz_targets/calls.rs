//! Frames of a connection with several upstream calls.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::calls::run(data));
