//! A guide with one page per topic. All examples are compiled.
//!
//! | Page | Topic |
//! |---|---|
//! | [`hubs_and_events`] | hubs, methods and events; several hubs in one app |
//! | [`binding_and_results`] | arguments, parameters, return values and errors |
//! | [`filters`] | authorization, rate limits and other checks before methods |
//! | [`negotiate`] | authentication of connections |
//! | [`refresh`] | new claims for open connections, revoked users |
//! | [`sending`] | messages to clients and client results, inside and outside a hub |
//! | [`groups_and_users`] | memberships, existence checks, closing connections |
//! | [`testing`] | tests without sockets |
//! | [`typescript`] | types and functions for pages, generated from the hubs |
//! | [`asyncapi`] | a document of the hubs for other tools |
//! | [`troubleshooting`] | when something does not work: the inspector, logs |
//! | [`observability`] | logs, traces and metrics |
//! | [`errors_and_retries`] | failures of the service, the retry policy, duplicate calls |
//! | [`functions_with_bindings`] | functions of Azure Functions with a timer, a queue or bindings of SignalR |
//! | [`features`] | Cargo features of this crate |

#[doc = include_str!("hubs_and_events.md")]
pub mod hubs_and_events {}

#[doc = include_str!("binding_and_results.md")]
pub mod binding_and_results {}

#[doc = include_str!("filters.md")]
pub mod filters {}

#[doc = include_str!("negotiate.md")]
pub mod negotiate {}

#[doc = include_str!("refresh.md")]
pub mod refresh {}

#[doc = include_str!("sending.md")]
pub mod sending {}

#[doc = include_str!("groups_and_users.md")]
pub mod groups_and_users {}

/// The examples need the feature `testing`.
#[cfg_attr(feature = "testing", doc = "")]
#[cfg_attr(feature = "testing", doc = include_str!("testing.md"))]
pub mod testing {}

/// The examples need the feature `schema`.
#[cfg_attr(feature = "schema", doc = "")]
#[cfg_attr(feature = "schema", doc = include_str!("typescript.md"))]
pub mod typescript {}

/// The examples need the feature `schema`.
#[cfg_attr(feature = "schema", doc = "")]
#[cfg_attr(feature = "schema", doc = include_str!("asyncapi.md"))]
pub mod asyncapi {}

#[doc = include_str!("troubleshooting.md")]
pub mod troubleshooting {}

#[doc = include_str!("observability.md")]
pub mod observability {}

#[doc = include_str!("errors_and_retries.md")]
pub mod errors_and_retries {}

/// The examples need the features `deploy` and `functions-bindings`.
#[cfg_attr(all(feature = "deploy", feature = "functions-bindings"), doc = "")]
#[cfg_attr(
    all(feature = "deploy", feature = "functions-bindings"),
    doc = include_str!("functions_with_bindings.md")
)]
pub mod functions_with_bindings {}

#[doc = include_str!("features.md")]
pub mod features {}
