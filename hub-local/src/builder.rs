//! Builder of a [`LocalService`].

use std::{fmt, sync::Arc};

use hub_core::Secret;

use crate::{
    access::Access,
    inspect::Inspector,
    limits::Limits,
    random,
    record::{EventSink, RecordFile},
    service::LocalService,
    state::{Config, State},
    upstream::{Unmatched, Upstream},
};

/// Builder of a [`LocalService`]. Every setting has a default, and [`build`](Self::build) cannot fail.
///
/// ```
/// use hub_local::LocalService;
///
/// let service = LocalService::builder().public_url("http://127.0.0.1:7080").build();
/// assert_eq!(service.public_url(), "http://127.0.0.1:7080");
/// ```
#[must_use]
#[derive(Default)]
pub struct LocalServiceBuilder {
    key: Option<Secret>,
    secondary_key: Option<Secret>,
    upstream: Option<Arc<dyn Upstream>>,
    unmatched: Unmatched,
    relay_invalid_completions: bool,
    public_url: Option<String>,
    limits: Limits,
    detailed_errors: bool,
    allow_reconnect: bool,
    stateful_reconnect: Option<bool>,
    public: bool,
    origins: Vec<String>,
    hosts: Vec<String>,
    inspector: Option<Inspector>,
    sink: Option<Box<dyn EventSink>>,
}

impl fmt::Debug for LocalServiceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalServiceBuilder({:?}, {:?})", self.public_url, self.limits)
    }
}

impl LocalServiceBuilder {
    /// Sets the primary access key. The key verifies the tokens of clients and REST callers (HMAC-SHA256)
    /// and signs upstream calls. Defaults to a random key, so tokens of an earlier process are refused.
    pub fn key(self, key: impl Into<Secret>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// Adds a secondary access key, for key rotation. Tokens signed with either key are accepted, and upstream
    /// calls carry a signature of each key. Defaults to none.
    pub fn secondary_key(self, key: impl Into<Secret>) -> Self {
        Self { secondary_key: Some(key.into()), ..self }
    }

    /// Sets the receiver of client events: `connected`, `disconnected` and messages. Defaults to none:
    /// every `invoke` is completed with an error, and other events are only logged.
    pub fn upstream(self, upstream: impl Upstream) -> Self {
        Self { upstream: Some(Arc::new(upstream)), ..self }
    }

    /// Sets the response to an `invoke` that matches no upstream template. Defaults to an error
    /// completion.
    pub fn unmatched(self, unmatched: Unmatched) -> Self {
        Self { unmatched, ..self }
    }

    /// Sets whether a client receives the response of the app to an `invoke` even if it is no completion of the
    /// invocation, as the cloud service sends it. Defaults to `false`: the client receives an error
    /// completion, since such a response ends its connection or leaves its call without an answer.
    pub fn relay_invalid_completions(self, relayed: bool) -> Self {
        Self { relay_invalid_completions: relayed, ..self }
    }

    /// Sets the URL at which clients and REST callers reach the service, without a path. The URL is part of the
    /// connection string and of links in responses. Defaults to `http://127.0.0.1:8888`; links then have the host
    /// of their request. [`LocalService::set_public_url`] changes the URL when the port is known only after binding.
    pub fn public_url(self, url: impl Into<String>) -> Self {
        Self { public_url: Some(url.into()), ..self }
    }

    /// Sets timeouts and maximum sizes. Defaults to [`Limits::default`]. Times above one year are
    /// shortened to one year.
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Sets whether an error that closes a connection includes the cause. Defaults to `false`: the client
    /// receives a generic text, and only the `disconnected` event contains the cause.
    pub fn detailed_errors(self, detailed: bool) -> Self {
        Self { detailed_errors: detailed, ..self }
    }

    /// Sets whether the Close message of a client that a REST call closes allows an automatic reconnect
    /// (HubProtocol.md, Close). Defaults to `false`. Microsoft's emulator sends `true`: such a client comes
    /// back until its negotiate request is refused.
    pub fn closed_clients_may_reconnect(self, allowed: bool) -> Self {
        Self { allow_reconnect: allowed, ..self }
    }

    /// Sets whether stateful reconnect is offered: a client whose WebSocket broke may resume the connection
    /// without lost or duplicate messages. Clients request stateful reconnect in negotiate. Defaults to
    /// `true`.
    pub fn stateful_reconnect(self, allowed: bool) -> Self {
        Self { stateful_reconnect: Some(allowed), ..self }
    }

    /// Allows pages of an origin (`https://app.example`, `https://*.app.example`, `capacitor://localhost`) while
    /// the service holds the well-known key, with which any page can make tokens. A text that is not an origin
    /// allows nothing, and is logged. Pages on loopback, of the called host and of the public URL are always
    /// allowed, and with a key of its own the service allows pages of every origin. Can be repeated.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Allows requests with this host, without a port; `*.app.example` allows every name below `app.example`.
    /// A service on loopback or with the well-known key refuses other hosts with a dot than IP addresses and
    /// the host of the public URL, because any page can point its name to this machine (DNS rebinding). Can
    /// be repeated.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// Sets whether the service may be reached from other machines with the well-known key. Defaults to
    /// `false`: [`LocalService::serve`] then fails. Keys of fewer than 16 bytes are always for loopback only.
    pub fn public(self, allowed: bool) -> Self {
        Self { public: allowed, ..self }
    }

    /// Writes each event of the service to a file, see [`RecordFile`]. What [`Self::inspector`] hides is not in the file
    /// either: fields that are masked, and all arguments and results without payloads. A message above 1 MiB is cut.
    pub fn record(self, file: RecordFile) -> Self {
        self.record_to(file)
    }

    /// Sends each event to a sink.
    #[doc(hidden)]
    pub fn record_to(self, sink: impl EventSink) -> Self {
        Self { sink: Some(Box::new(sink)), ..self }
    }

    /// Turns the inspector on, see [`Inspector`]. Defaults to off.
    pub fn inspector(self, inspector: Inspector) -> Self {
        Self { inspector: Some(inspector), ..self }
    }

    /// Builds the service. This method performs no I/O and needs no tokio runtime.
    #[must_use]
    pub fn build(self) -> LocalService {
        let key = self.key.unwrap_or_else(random::key);
        let keys: Vec<_> = std::iter::once(key).chain(self.secondary_key).collect();
        LocalService::new(State::new(Config {
            access: Access::new(&keys, self.public, &self.origins, self.hosts),
            keys,
            public_url: self.public_url,
            upstream: self.upstream,
            unmatched: self.unmatched,
            relay_invalid_completions: self.relay_invalid_completions,
            limits: self.limits.bounded(),
            detailed_errors: self.detailed_errors,
            allow_reconnect: self.allow_reconnect,
            stateful_reconnect: self.stateful_reconnect.unwrap_or(true),
            inspector: self.inspector,
            sink: self.sink,
        }))
    }
}
