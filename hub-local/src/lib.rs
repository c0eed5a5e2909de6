//! A local SignalR service that is wire-compatible with Azure SignalR Service in serverless mode.
//!
//! Clients connect to [`LocalService`] with a token. The service forwards their messages to the app over
//! HTTP, and the app sends messages over the REST API. The service runs embedded in an app, in tests without
//! a socket, or as a server with [`LocalService::serve`].
//!
//! The [site of the documentation](https://serverless-hub.github.io/serverless-hub/hub-local.html) describes the command, the REST API
//! and the limits.
//!
//! Clients use WebSockets, Server-Sent Events or long polling. Stateful reconnect is supported over
//! WebSockets.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod access;
mod auth;
mod body;
mod builder;
mod causes;
mod connection;
mod delivery;
mod descriptors;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod hub;
mod inspect;
mod inspector;
mod limits;
mod query;
mod random;
mod record;
#[cfg(test)]
mod reference_page;
#[doc(hidden)]
pub mod replay;
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
#[doc(inline)]
pub use hub_net::serve_error::ServeError;
pub use inspect::Inspector;
pub use limits::Limits;
pub use record::RecordFile;
#[doc(hidden)]
pub use record::{EventSink, EventTap};
pub use serve::listen;
pub use service::{ConnectError, Counters, LocalService};
pub use settings::{Settings, SettingsError};
pub use transport::memory::{Closed, MemoryConnection, MemoryReceiver, MemorySender};
#[doc(hidden)]
pub use upstream::in_process::{
    Answer, CallCancel, Change, ClientCall, ClientEvent, ConnectionFacts,
};
pub use upstream::{
    Unmatched, Upstream, UpstreamError,
    http_upstream::HttpUpstream,
    template::{Template, TemplateError},
};

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
