//! Tests of the whole local service, byte by byte, over sockets and in memory.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod answers;
mod attacks;
mod client_results;
mod cors;
mod delivery;
mod groups;
mod handshake;
mod http_upstream;
mod keep_alive;
mod long_polling;
mod malformed;
mod messagepack;
mod model;
mod negotiate;
mod order;
mod outbox;
mod registry;
mod rest;
mod rest_execute;
mod rest_keys;
mod rest_limits;
mod rest_names;
mod rest_streams;
mod rest_support;
mod rest_versions;
mod server_sent_events;
mod stateful_reconnect;
mod stop;
mod support;
mod terms;
mod tokens;
mod unmatched;
mod upstream_calls;
mod web_socket;
mod wire;
