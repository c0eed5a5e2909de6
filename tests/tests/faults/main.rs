//! Fault injection: what clients observe, what is lost, and which resources remain.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking, its helpers too"
)]

mod answers;
mod clock;
mod cuts;
mod descriptors;
mod killed;
mod level;
mod ports;
mod processes;
mod proxied_world;
mod proxy;
mod recording_client;
mod replays;
mod rest;
mod resume;
mod socket;
mod transports;
mod upstream;
