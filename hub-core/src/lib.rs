//! The contract of a serverless SignalR hub, without any I/O.
//!
//! A [`Hub`] is a type whose methods handle the events that a SignalR service forwards over HTTP.
//! This crate contains the target of the macro expansions, the parameters of hub methods ([`Context`],
//! [`Invocation`]), the handles for sending ([`Clients`], [`Groups`], …, all based on the trait
//! [`outbound::Outbound`]), and the wire formats: [`protocol`], [`signature`], [`seal`] and [`token`].
//!
//! It has neither a clock nor a runtime. Applications use it through `hub-runtime`.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod args;
#[doc(hidden)]
pub mod bounded_map;
mod cancellation;
#[doc(hidden)]
pub mod client_access;
mod client_manager;
mod clients;
mod context;
mod contract;
mod decode;
pub mod dotnet;
mod error;
mod extract;
mod filter;
mod groups;
mod hub;
mod invocation;
#[doc(hidden)]
pub mod mounted;
pub mod names;
mod negotiate;
pub mod outbound;
#[doc(hidden)]
pub mod panics;
mod payload;
#[doc(hidden)]
pub mod private;
pub mod protocol;
mod proxy;
mod reading;
#[cfg(feature = "inventory")]
#[doc(hidden)]
pub mod registry;
#[doc(hidden)]
pub mod relaxed_json;
mod reply;
#[doc(hidden)]
pub mod rest_error;
pub mod seal;
mod secret;
#[doc(hidden)]
pub mod secret_rule;
mod send_error;
#[doc(hidden)]
pub mod setting_names;
#[doc(hidden)]
pub mod shape;
pub mod signature;
#[cfg(feature = "token")]
pub mod token;
#[doc(hidden)]
pub mod token_buckets;
mod token_claims;
mod trace;
#[doc(hidden)]
pub mod upstream;
mod user_groups;
#[doc(hidden)]
pub mod values;

pub use cancellation::{Cancellation, Cancelled};
pub use client_manager::ClientManager;
pub use clients::{CallerClients, Clients};
pub use context::{Context, HubContext};
pub use contract::Contract;
#[doc(hidden)]
pub use contract::HubContract;
#[cfg(feature = "schema")]
#[doc(hidden)]
pub use contract::sorted;
pub use error::{ErrorKind, HubError, HubResult, IntoHubError, OrReject};
pub use extract::FromContext;
pub use filter::{Filter, Maintenance, RateLimit, RequireClaim, SignedIn};
pub use groups::{Groups, MemberPages};
pub use hub::{Category, Client, Hub, Untyped};
pub use invocation::{
    CallHeaders, Claims, ConnectionHeaders, Extensions, Invocation, InvocationParts, Query,
};
pub use negotiate::{AppServiceUser, NegotiateRequest, Negotiation, RefreshRequest};
pub use outbound::{
    EndpointFailure, InvokeError, Member, SendError, SendErrorKind, Target, TargetFailure,
};
pub use payload::{ArgumentList, Payload};
#[doc(hidden)]
pub use private as __private;
pub use proxy::{Audience, InvokeFuture, Many, One, Proxy, SendFuture, SingleConnection};
#[doc(hidden)]
pub use reply::Reply;
pub use secret::Secret;
pub use trace::TraceContext;
pub use user_groups::UserGroups;
