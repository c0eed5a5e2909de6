//! Hub messages in JSON.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::json_messages::run(data));
