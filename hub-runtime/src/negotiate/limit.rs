//! How often one client may negotiate.

use std::{net::IpAddr, time::Duration};

use http::request::Parts;
use hub_core::token_buckets::TokenBuckets;

use crate::client_address;

/// How often one client may negotiate: for
/// [`HubAppBuilder::negotiate_limit`](crate::HubAppBuilder::negotiate_limit).
///
/// A client is an IPv4 address or an IPv6 network of 64 bits. Requests whose address the app is not
/// told (see [`ClientAddress`](crate::negotiate::ClientAddress)) count as one client together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct NegotiateLimit {
    pub(crate) count: u32,
    pub(crate) period: Duration,
    pub(crate) proxies: usize,
}

impl NegotiateLimit {
    /// `count` negotiates in each `period`, all at once or spread.
    pub fn new(count: u32, period: Duration) -> Self {
        Self { count, period, proxies: 0 }
    }

    /// Believes what this many proxies in front of the app append to `X-Forwarded-For`: one for App
    /// Service or a single load balancer. Without this every client behind them counts as one; with
    /// too many of them a client can claim any address.
    pub fn behind_proxies(mut self, proxies: usize) -> Self {
        self.proxies = proxies;
        self
    }

    /// What is wrong with it, if something is.
    pub(crate) fn problem(self) -> Option<&'static str> {
        (self.count == 0 || self.period.is_zero())
            .then_some("the negotiate limit lets nobody in: count and period must be above zero")
    }
}

/// The limit at work.
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

    /// How many proxies are believed.
    pub(crate) fn proxies(&self) -> usize {
        self.proxies
    }

    /// Counts a negotiate at `now`, the time since the app's start.
    ///
    /// # Errors
    /// When the client may come back.
    pub(crate) fn admit(&self, parts: &Parts, now: Duration) -> Result<(), Duration> {
        let client = client_address::of(parts, self.proxies).map(client_address::network);
        self.buckets.take(client, now)
    }
}
