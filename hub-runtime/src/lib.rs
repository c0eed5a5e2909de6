//! Serverless SignalR hubs: the service holds the connections, the app answers HTTP calls.
//!
//! One annotated `impl` block is the hub: its methods are what clients call.
//!
//! ```
//! use hub_runtime::prelude::*;
//!
//! #[hub_client]
//! trait CounterClient {
//!     async fn changed(&self, value: i64);
//! }
//!
//! #[derive(Default)]
//! struct Counter {
//!     value: std::sync::atomic::AtomicI64,
//! }
//!
//! #[serverless_hub(client = CounterClient)]
//! impl Counter {
//!     async fn negotiate(&self, _: NegotiateRequest) -> HubResult<Negotiation> {
//!         Ok(Negotiation::anonymous())
//!     }
//!
//!     async fn add(&self, ctx: &Context<Self>, step: i64) -> HubResult<i64> {
//!         let value = self.value.fetch_add(step, std::sync::atomic::Ordering::SeqCst) + step;
//!         ctx.clients().all().changed(value).await?;
//!         Ok(value)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let app = HubApp::builder().signalr(SignalR::local()).hub(Counter::default()).build()?;
//! // app.run().await?;
//! # drop(app);
//! # Ok(())
//! # }
//! ```
//!
//! The [`guide`] has a page for each thing that an app does.
//!
//! | Feature | Gives | Default |
//! |---|---|---|
//! | `discover` | `#[serverless_hub(register)]`, `HubAppBuilder::discover` | no |
//! | `functions` | Azure Functions as a host, its bindings, and the files of a deployment | yes |
//! | `identity` | services without an access key: tokens of Microsoft Entra through `azure_identity` | no |
//! | `lambda` | AWS Lambda as a host | no |
//! | `local` | the embedded service: no account needed | yes |
//! | `metrics` | calls, refusals, errors, latencies, sends and retries through the `metrics` façade: [`telemetry`] | no |
//! | `msgpack` | clients that speak MessagePack, with native values for them | yes |
//! | `rest` | the REST client of a service elsewhere, with TLS | yes |
//! | `schema` | JSON Schemas in [`HubApp::contract`], through schemars 1 | no |
//! | `server` | [`HubApp::serve`], [`HubApp::run`] | yes |
//! | `testing` | `testing::TestHub`: the whole loop in memory | no |

mod answer;
mod app;
mod auth;
#[cfg(feature = "functions")]
pub mod bindings;
mod build;
mod client_address;
mod config;
mod counters;
#[cfg(feature = "functions")]
mod deploy;
#[cfg(feature = "local")]
mod embedded;
mod endpoints;
mod error_id;
#[cfg(feature = "functions")]
mod functions;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
pub mod guide;
#[cfg(feature = "server")]
mod host;
mod keys;
mod loopback;
mod negotiate;
pub mod prelude;
mod rest;
mod routes;
mod run_to_end;
#[cfg(feature = "server")]
mod serve;
mod service;
mod service_group;
mod shared;
#[cfg(any(feature = "local", feature = "server"))]
mod start_line;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
mod upstream;
mod wire_name;

/// Compiles the smallest hub of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[derive(Debug)]
pub struct Readme;

/// Compiles the example of the page for those who come from C#.
#[cfg(doctest)]
#[doc = include_str!("../../docs/from-csharp.md")]
#[derive(Debug)]
pub struct FromCSharp;

#[doc(hidden)]
pub use hub_core::private as __private;
pub use hub_core::{
    AppServiceUser, ArgumentList, CallerClients, Cancellation, Category, Claims, Client,
    ClientManager, Clients, Context, Contract, EndpointFailure, ErrorKind, Filter, FromContext,
    Groups, Hub, HubContext, HubError, HubResult, IntoHubError, Invocation, InvokeError,
    InvokeFuture, Maintenance, Many, NegotiateRequest, Negotiation, One, OrReject, Proxy, Query,
    RateLimit, RequireClaim, Secret, SendError, SendErrorKind, SendFuture, SignedIn,
    SingleConnection, Target, TargetFailure, Untyped, UserGroups, outbound,
    token::{TokenError, TokenKeyError, TokenVerifier},
};
pub use hub_macros::{filter, from_context, hub, hub_client, serverless_hub};

#[cfg(feature = "functions")]
pub use self::deploy::{Deployment, DeploymentFile};
#[cfg(feature = "server")]
pub use self::host::RequestBody;
pub use self::{
    app::HubApp,
    auth::{AccessToken, TokenSource, TokenSourceError},
    build::{BuildError, HubAppBuilder},
    client_address::ClientAddress,
    config::{ConfigError, ConnectionStringError, EndpointRole, SettingProblem, Settings, SignalR},
    counters::Counters,
    endpoints::{EndpointRouter, Operation, ServiceEndpoint},
    negotiate::limit::NegotiateLimit,
    rest::Retries,
    service::{HubBody, HubService, HubServiceFuture},
};
