//! The hosts that an app answers while it embeds the service.

use http::{HeaderMap, Method, StatusCode, Uri};
use hub_core::upstream::SIGNATURE;
use hub_net::{
    host::{self, AllowedHosts},
    log_limit::LogLimit,
};

use crate::routes::{Route, Routes};

/// The rule of an app whose service is on this machine, so that pages of any site can point their name to it
/// ([`hub_net::host`]).
#[derive(Debug)]
pub(crate) struct HostRule {
    allowed: AllowedHosts,
    log: LogLimit,
}

impl HostRule {
    pub(crate) fn new(hosts: impl IntoIterator<Item = String>) -> Self {
        Self { allowed: AllowedHosts::new(hosts), log: LogLimit::new(1) }
    }

    /// Status and text of the refusal of a request for another host. The signature of an upstream call is
    /// verified later, so its host does not matter.
    pub(crate) fn refusal(
        &self,
        routes: &Routes,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Option<(StatusCode, String)> {
        let host = match host::of(uri, headers) {
            Ok(host) => host?,
            Err(error) => return Some((StatusCode::BAD_REQUEST, error.to_string())),
        };
        let is_upstream =
            || headers.contains_key(SIGNATURE) && routes.of(method, uri.path()) == Route::Upstream;
        if self.allowed.allows(host) || is_upstream() {
            return None;
        }
        let text = AllowedHosts::refusal(host);
        self.log.line("foreign", |omitted| {
            tracing::warn!(omitted, "a request was refused: {text}");
        });
        Some((StatusCode::FORBIDDEN, text))
    }
}
