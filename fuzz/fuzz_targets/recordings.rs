//! Recordings of a service, read and replayed.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::recordings::run(data));
