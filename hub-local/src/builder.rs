//! How a service is set up.

use std::sync::Arc;

use hub_core::Secret;

use crate::{limits::Limits, random, service::LocalService, state::State, upstream::Upstream};

const DEFAULT_URL: &str = "http://127.0.0.1:8888";

/// Settings of a [`LocalService`]; all have defaults.
#[must_use]
#[derive(Default)]
pub struct Builder {
    key: Option<Secret>,
    secondary_key: Option<Secret>,
    upstream: Option<Arc<dyn Upstream>>,
    public_url: Option<String>,
    limits: Limits,
    detailed_errors: bool,
}

impl Builder {
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

    /// Makes the service. It does no I/O.
    #[must_use]
    pub fn build(self) -> LocalService {
        let key = self.key.unwrap_or_else(random::key);
        let keys = std::iter::once(key).chain(self.secondary_key).collect();
        let url = self.public_url.unwrap_or_else(|| DEFAULT_URL.to_owned());
        LocalService::new(State::new(keys, self.upstream, self.limits, self.detailed_errors, &url))
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Builder")
            .field("public_url", &self.public_url)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
