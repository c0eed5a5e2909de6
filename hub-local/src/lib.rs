//! A SignalR service that needs no account.
//!
//! [`LocalService`] speaks to clients and to apps as Azure SignalR Service does in serverless mode:
//! clients connect with a token, their messages go to the app over HTTP, and the app answers and
//! sends over REST. It runs embedded in an app, in tests without a socket, or behind
//! [`LocalService::serve`].
//!
//! So far there are WebSockets and the JSON protocol.

mod body;
mod builder;
mod clock;
mod connection;
mod hub;
mod limits;
mod query;
mod random;
mod rest;
mod serve;
mod service;
mod state;
mod sync;
mod token;
mod transport;
mod upstream;

pub use body::Body;
pub use builder::Builder;
pub use limits::Limits;
pub use service::{ConnectError, Counters, LocalService};
pub use transport::memory::{Closed, MemoryConnection, MemoryReceiver, MemorySender};
pub use upstream::{HttpUpstream, TemplateError, Upstream, UpstreamError};

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
