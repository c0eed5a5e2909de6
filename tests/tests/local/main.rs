//! The local service as a whole: bytes in, bytes out, over sockets and in memory.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod answers;
mod client_results;
mod cors;
mod groups;
mod handshake;
mod keep_alive;
mod negotiate;
mod order;
mod outbox;
mod rest;
mod stop;
mod support;
mod tokens;
mod upstream_calls;
mod web_socket;
