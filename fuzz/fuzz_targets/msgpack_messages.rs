//! Hub messages in MessagePack, and bundles.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::msgpack_messages::run(data));
