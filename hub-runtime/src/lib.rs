//! Serverless SignalR hubs: the service holds the connections, and the app handles HTTP calls.
//!
//! **[The guide](guide) has a page for each task.** Most apps import the [`prelude`]. The [site of the documentation](https://serverless-hub.github.io/serverless-hub/)
//! has the guide with a search, and further pages: [settings](https://serverless-hub.github.io/serverless-hub/settings.html),
//! [delivery guarantees](https://serverless-hub.github.io/serverless-hub/delivery.html), deployment to
//! [Azure](https://serverless-hub.github.io/serverless-hub/azure.html) and [AWS](https://serverless-hub.github.io/serverless-hub/aws.html).
//!
//! ```
//! use hub_runtime::prelude::*;
//!
//! struct Echo;
//!
//! #[serverless_hub]
//! impl Echo {
//!     async fn echo(&self, ctx: &Context<Self>, text: String) -> HubResult<usize> {
//!         ctx.clients().others().send("said", (&text,)).await?;
//!         Ok(text.len())
//!     }
//! }
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let app = HubApp::builder().signalr(SignalR::local()).hub(Echo).build()?;
//! // app.run().await?;
//! # drop(app); Ok(()) }
//! ```
//!
//! Default features: `functions`, `local`, `msgpack`, `rest`, `server`. Optional: `deploy`, `discover`,
//! `functions-bindings`, `identity`, `lambda`, `metrics`, `schema`, `testing`. [`guide::features`] describes them.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
mod app;
#[cfg(feature = "schema")]
mod asyncapi;
mod auth;
#[cfg(feature = "functions-bindings")]
pub mod bindings;
mod build;
#[cfg(feature = "server")]
mod call_connections;
mod client_address;
pub mod config;
mod counters;
mod debug_as_display;
#[cfg(feature = "deploy")]
pub mod deploy;
#[cfg(feature = "local")]
mod embedded;
pub mod endpoints;
mod error_id;
#[cfg(feature = "deploy")]
mod function;
#[cfg(feature = "functions")]
mod functions;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "schema")]
mod generated;
pub mod guide;
#[cfg(feature = "server")]
mod host;
mod hosts;
mod keys;
pub mod negotiate;
pub mod prelude;
mod rest;
mod routes;
mod run_to_end;
#[cfg(feature = "schema")]
pub mod schema;
pub mod service;
mod service_group;
#[cfg(all(test, feature = "local", feature = "server"))]
mod settings_page;
mod shared;
#[cfg(any(feature = "local", feature = "server"))]
mod start_line;
#[cfg(feature = "local")]
mod start_page;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
mod trace_propagator;
#[cfg(feature = "schema")]
mod typescript;
mod unlogged;
mod unnegotiated;
mod upstream;
mod wire_name;
mod wrong_codes;

/// Compiles the hub of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

#[doc(inline)]
pub use hub_core::values::{binary, byte_list, timestamp};
#[doc(inline)]
pub use hub_core::{Context, Hub, HubContext, HubError, HubResult, dotnet};
#[cfg(feature = "local")]
#[cfg_attr(docsrs, doc(cfg(feature = "local")))]
#[doc(inline)]
pub use hub_local::Inspector;
#[doc(inline)]
pub use hub_macros::{filter, from_context, hub, hub_client, serverless_hub};
#[cfg(feature = "server")]
#[doc(inline)]
pub use hub_net::serve_error::ServeError;
#[doc(hidden)]
pub mod __private;

pub use self::{
    app::HubApp,
    build::{BuildError, BuildProblem, HubAppBuilder},
    config::signalr::SignalR,
};
#[cfg(feature = "schema")]
pub use self::{asyncapi::AsyncApi, typescript::TypeScript};

/// Sending to clients: proxies, groups, connections, and the errors of sends.
pub mod clients {
    #[doc(inline)]
    pub use hub_core::{
        ArgumentList, Audience, CallerClients, Client, ClientManager, Clients, EndpointFailure,
        Groups, InvokeError, InvokeFuture, Many, Member, MemberPages, One, Proxy, SendError,
        SendErrorKind, SendFuture, SingleConnection, Target, TargetFailure, Untyped, UserGroups,
    };
}

/// Errors: the text for the client and the text for the operator.
pub mod error {
    #[doc(inline)]
    pub use hub_core::{ErrorKind, IntoHubError, OrReject};
}

/// Filters for hubs and methods, and the trait for custom filters.
pub mod filter {
    #[doc(inline)]
    pub use hub_core::{Filter, Maintenance, RateLimit, RequireClaim, SignedIn};
}

/// One call of a client: its data, the claims of the caller, and the trait for parameters from the call.
pub mod invocation {
    #[doc(inline)]
    pub use hub_core::{Cancellation, Category, Claims, FromContext, Invocation, Query};
}
