//! One page for each thing that an app does. Every block on them is compiled.
//!
//! | Page | What it answers |
//! |---|---|
//! | [`hubs_and_events`] | what a hub is, which of its methods answers which event, how several of them live in one app |
//! | [`binding_and_results`] | how arguments become parameters, and results and errors answers |
//! | [`filters`] | who may call what, how often, and when |
//! | [`negotiate`] | who a connection belongs to |
//! | [`sending`] | how to reach clients, from inside and outside a hub, and how to ask one of them |
//! | [`groups_and_users`] | memberships, existence, and the end of connections |
//! | [`testing`] | tests of a hub without a socket |
//! | [`observability`] | spans, metrics and counters |
//! | [`errors_and_retries`] | what the service may fail with, and what is tried again |

#[doc = include_str!("hubs_and_events.md")]
pub mod hubs_and_events {}

#[doc = include_str!("binding_and_results.md")]
pub mod binding_and_results {}

#[doc = include_str!("filters.md")]
pub mod filters {}

#[doc = include_str!("negotiate.md")]
pub mod negotiate {}

#[doc = include_str!("sending.md")]
pub mod sending {}

#[doc = include_str!("groups_and_users.md")]
pub mod groups_and_users {}

/// The blocks need the feature `testing`.
#[cfg_attr(feature = "testing", doc = "")]
#[cfg_attr(feature = "testing", doc = include_str!("testing.md"))]
pub mod testing {}

#[doc = include_str!("observability.md")]
pub mod observability {}

#[doc = include_str!("errors_and_retries.md")]
pub mod errors_and_retries {}
