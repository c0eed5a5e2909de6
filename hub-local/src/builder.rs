//! How a service is set up.

use std::sync::Arc;

use hub_core::Secret;

use crate::{
    limits::Limits,
    random,
    service::LocalService,
    state::{Config, State},
    upstream::{Unmatched, Upstream},
};

const DEFAULT_URL: &str = "http://127.0.0.1:8888";

/// Settings of a [`LocalService`]; all have defaults.
#[must_use]
#[derive(Default)]
pub struct LocalServiceBuilder {
    key: Option<Secret>,
    secondary_key: Option<Secret>,
    upstream: Option<Arc<dyn Upstream>>,
    unmatched: Unmatched,
    public_url: Option<String>,
    limits: Limits,
    detailed_errors: bool,
    stateful_reconnect: Option<bool>,
}

impl LocalServiceBuilder {
    /// The access key. The default is a random one, so that tokens end with the process.
    pub fn key(self, key: impl Into<Secret>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// A second key that is accepted too, and signs upstream calls beside the first.
    pub fn secondary_key(self, key: impl Into<Secret>) -> Self {
        Self { secondary_key: Some(key.into()), ..self }
    }

    /// Where the events of clients go. Without one, every `invoke` is answered with an error.
    pub fn upstream(self, upstream: impl Upstream) -> Self {
        Self { upstream: Some(Arc::new(upstream)), ..self }
    }

    /// What becomes of an `invoke` that no upstream takes. The default is an error for the client.
    pub fn unmatched(self, unmatched: Unmatched) -> Self {
        Self { unmatched, ..self }
    }

    /// Where clients and REST callers reach the service; the default is `http://127.0.0.1:8888`.
    /// [`LocalService::set_public_url`] changes it once the port is known.
    pub fn public_url(self, url: impl Into<String>) -> Self {
        Self { public_url: Some(url.into()), ..self }
    }

    /// Times and sizes.
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Whether clients read what exactly they did wrong. The default is that they do not.
    pub fn detailed_errors(self, detailed: bool) -> Self {
        Self { detailed_errors: detailed, ..self }
    }

    /// Whether clients that ask for it may resume a connection whose WebSocket broke, without a
    /// message lost or doubled. The default is that they may.
    pub fn stateful_reconnect(self, allowed: bool) -> Self {
        Self { stateful_reconnect: Some(allowed), ..self }
    }

    /// Makes the service. It does no I/O.
    #[must_use]
    pub fn build(self) -> LocalService {
        let key = self.key.unwrap_or_else(random::key);
        let keys = std::iter::once(key).chain(self.secondary_key).collect();
        let public_url = self.public_url.unwrap_or_else(|| DEFAULT_URL.to_owned());
        LocalService::new(State::new(Config {
            keys,
            public_url,
            upstream: self.upstream,
            unmatched: self.unmatched,
            limits: self.limits.bounded(),
            detailed_errors: self.detailed_errors,
            stateful_reconnect: self.stateful_reconnect.unwrap_or(true),
        }))
    }
}

impl std::fmt::Debug for LocalServiceBuilder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("LocalServiceBuilder")
            .field("public_url", &self.public_url)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
