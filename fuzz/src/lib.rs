//! What each fuzz target does with its input, and what must hold whatever the input is.
//!
//! The targets themselves, in `fuzz_targets`, only hand their input over.

pub mod bodies;
pub mod claims_header;
pub mod connection_string;
pub mod handshake;
pub mod json_messages;
pub mod msgpack_messages;
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
