//! Functions for the fuzz targets only: an embedded service without sockets, and access to a private
//! parser.

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

/// Parses plain claims headers, as apps with [`SignalR::trust_plain_claims`] do.
#[must_use]
pub fn plain_claims(headers: &HeaderMap) -> Claims {
    let lines = headers.get_all(&hub_core::upstream::USER_CLAIMS).iter();
    crate::upstream::caller::plain_claims(lines.map(http::HeaderValue::as_bytes))
}
