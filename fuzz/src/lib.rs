//! The fuzz targets: how each target uses its input, and the conditions that must hold for every input.
//!
//! The programs in `fuzz_targets` only pass their input to these functions.

pub mod bodies;
pub mod calls;
pub mod claims_header;
pub mod connection_string;
pub mod handshake;
pub mod json_messages;
pub mod msgpack_messages;
pub mod recordings;
pub mod rest;
pub mod seal;
pub mod settings;
pub mod tokens;
pub mod upstream;
pub mod websocket;

mod clients;
mod messages;
mod pieces;
mod values;
mod world;
mod written;
