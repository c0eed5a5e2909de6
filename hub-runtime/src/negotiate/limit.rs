//! The rate limit for requests to negotiate and to refresh.

use std::{net::IpAddr, time::Duration};

use http::request::Parts;
use hub_core::token_buckets::TokenBuckets;

use crate::client_address;

/// A rate limit for the requests of a client to negotiate and to refresh, for
/// [`HubAppBuilder::negotiate_limit`](crate::HubAppBuilder::negotiate_limit).
///
/// A client is an IPv4 address or an IPv6 network of 64 bits. Requests without a
/// [`ClientAddress`](crate::negotiate::ClientAddress) count as one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct NegotiateLimit {
    pub(crate) count: u32,
    pub(crate) period: Duration,
    pub(crate) proxies: usize,
}

impl NegotiateLimit {
    /// Allows `count` requests per `period`, in bursts or evenly distributed.
    pub fn new(count: u32, period: Duration) -> Self {
        Self { count, period, proxies: 0 }
    }

    /// Trusts this many entries of `X-Forwarded-For`, one for each proxy in front of the app: one for App
    /// Service or a single load balancer. If the number is too low, all clients behind a proxy count as
    /// one client; if it is too high, clients can forge their address. Each proxy must append the address of
    /// its caller, which nginx, HAProxy and Envoy do only with a line of their configuration: see
    /// [Proxies](https://serverless-hub.github.io/serverless-hub/proxies.html). Defaults to 0.
    pub fn behind_proxies(mut self, proxies: usize) -> Self {
        self.proxies = proxies;
        self
    }

    pub(crate) fn rejects_all(self) -> bool {
        self.count == 0 || self.period.is_zero()
    }
}

/// The state of a limit.
#[derive(Debug)]
pub(crate) struct Limiter {
    proxies: usize,
    buckets: TokenBuckets<Option<IpAddr>>,
}

impl Limiter {
    pub(crate) fn new(limit: NegotiateLimit) -> Self {
        let buckets = TokenBuckets::new(limit.count, limit.period);
        Self { proxies: limit.proxies, buckets }
    }

    /// The number of trusted proxies.
    pub(crate) fn proxies(&self) -> usize {
        self.proxies
    }

    /// Counts a request at `now`, the time since the app's start.
    ///
    /// # Errors
    /// The time after which the client may retry.
    pub(crate) fn admit(&self, parts: &Parts, now: Duration) -> Result<(), Duration> {
        let client = client_address::of(parts, self.proxies).map(client_address::network);
        self.buckets.take(client, now)
    }
}
