//! Tests of the app's HTTP traffic: raw upstream requests, raw responses and raw REST requests.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod attacks;
mod binding;
mod calls;
mod client_results;
mod connections;
mod contract;
mod dependencies;
mod embedded_calls;
mod endpoints;
mod errors;
mod filters;
mod groups_and_users;
mod guides;
mod identity;
mod lifecycle;
mod member_names;
mod messagepack;
mod negotiate;
mod negotiate_identity;
mod negotiate_limit;
mod outside;
mod ported;
mod program;
mod promises;
mod public_api;
mod readme;
mod recordings;
mod refused_connections;
mod replay;
mod rest;
mod rest_failures;
mod run_to_end;
mod secrets;
mod sign_in;
mod start;
mod stock_filters;
mod support;
mod telemetry;
mod test_hub;
mod typed_calls;
mod unnegotiated;
mod upstream;
mod values;
mod whole_loop;
