//! Bodies of long polling and Server-Sent Events.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::bodies::run(data));
