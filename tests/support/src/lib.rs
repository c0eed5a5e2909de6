//! Helpers shared by the integration tests of several crates. All of them report failures by
//! panicking.
//!
//! [`Client`] speaks the JSON hub protocol, in memory or over a WebSocket. [`RunningService`] is a local
//! service on loopback, [`FakeService`] an HTTP server that records its requests. `World` (feature `app`)
//! is an app together with its service.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking, its helpers too"
)]

mod client;
mod fake_service;
pub mod http_client;
mod log;
mod net;
pub mod output;
mod running_service;
mod tokens;
mod wait;
#[cfg(feature = "app")]
mod world;

#[cfg(feature = "app")]
pub use self::world::{AppResponse, World, answer, serve};
pub use self::{
    client::Client,
    fake_service::{FakeResponse, FakeService, RecordedRequest, response},
    log::{log_of, logged},
    net::{free_address, serve_on_loopback},
    running_service::RunningService,
    tokens::{KEY, SIGNATURE, sign, unix_now, user_token},
    wait::{TIMEOUT, eventually, until, within},
};
