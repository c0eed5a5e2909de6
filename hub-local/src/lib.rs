//! A SignalR service that needs no account.
//!
//! [`LocalService`] speaks to clients and to apps as Azure SignalR Service does in serverless mode:
//! clients connect with a token, their messages go to the app over HTTP, and the app answers and
//! sends over REST. It runs embedded in an app, in tests without a socket, or behind
//! [`LocalService::serve`].
//!
//! Clients use WebSockets, Server-Sent Events or long polling, and may resume a WebSocket that
//! broke.

mod auth;
mod body;
mod builder;
mod connection;
mod delivery;
mod descriptors;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod hub;
mod limits;
mod query;
mod random;
mod rest;
mod serve;
mod service;
mod settings;
mod socket_control;
mod state;
mod sync;
mod transport;
mod upstream;

pub use body::Body;
pub use builder::LocalServiceBuilder;
pub use hub_core::Secret;
/// Binds a listener for [`LocalService::serve`].
///
pub use hub_net::listen::listen;
pub use limits::Limits;
pub use service::{ConnectError, Counters, LocalService};
pub use settings::{Settings, SettingsError};
pub use transport::memory::{Closed, MemoryConnection, MemoryReceiver, MemorySender};
pub use upstream::{
    Unmatched, Upstream, UpstreamError,
    http_upstream::HttpUpstream,
    template::{Template, TemplateError},
};

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
