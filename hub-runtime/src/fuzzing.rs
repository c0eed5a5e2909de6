//! Helpers for the fuzz targets: private parsers, and an app without sockets.

use http::HeaderMap;
use hub_core::{Claims, Secret};

use crate::{
    SignalR,
    config::{LocalPlan, Plan},
};

/// The embedded service without a listener, with this access key.
#[must_use]
pub fn in_memory(key: impl Into<Secret>) -> SignalR {
    let key = Some(key.into());
    SignalR::planned(Plan::Local(LocalPlan { key, in_memory: true, ..LocalPlan::default() }))
}

/// Parses the claims headers as [`SignalR::trust_plain_claims`] does.
#[must_use]
pub fn plain_claims(headers: &HeaderMap) -> Claims {
    crate::upstream::caller::plain_claims(headers)
}
