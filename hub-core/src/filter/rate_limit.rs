//! A rate limit for calls.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use super::Filter;
use crate::{HubError, HubResult, Invocation, hub::Category, token_buckets::TokenBuckets};

/// Limits the number of calls per period. A refused client receives the time until the next allowed call.
///
/// ```
/// # use std::time::Duration;
/// # use hub_core::RateLimit;
/// // `#[filter(RateLimit::per_user(5, Duration::from_secs(10)))]`
/// RateLimit::per_user(5, Duration::from_secs(10));
/// ```
///
/// The limit is a token bucket: it allows `count` calls at once, then one call per `period / count`. On a
/// method it limits that method. On a block or an app it limits all methods together, or each method
/// separately with [`Self::each_method`]. Refused calls are not counted. New connections are not limited;
/// use the negotiate limit of the app for them.
///
/// The process holds at most 16,384 buckets in memory. Buckets that were not used recently are evicted
/// first. A caller whose bucket was evicted starts again with a full bucket.
pub struct RateLimit {
    scope: Scope,
    each_method: bool,
    hasher: RandomState,
    /// The keys are hashes, so that long names need no memory. The hash function has a random key, so that a
    /// client cannot provoke a collision with the bucket of another client.
    buckets: TokenBuckets<u64>,
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RateLimit({:?})", self.scope)
    }
}

/// The callers that share a bucket.
#[derive(Clone, Copy, Debug)]
enum Scope {
    Connection,
    User,
    Everyone,
}

impl RateLimit {
    /// At most `count` calls of one connection per `period`.
    #[must_use]
    pub fn per_connection(count: u32, period: Duration) -> Self {
        Self::new(Scope::Connection, count, period)
    }

    /// At most `count` calls of one user per `period`, across all connections of the user. A connection
    /// without a user has its own limit.
    #[must_use]
    pub fn per_user(count: u32, period: Duration) -> Self {
        Self::new(Scope::User, count, period)
    }

    /// At most `count` calls of one method per `period`, across all callers.
    #[must_use]
    pub fn per_method(count: u32, period: Duration) -> Self {
        Self::new(Scope::Everyone, count, period).each_method()
    }

    /// Limits each method separately: `per_user(…).each_method()` on a block is a limit per user and
    /// method.
    #[must_use]
    pub fn each_method(mut self) -> Self {
        self.each_method = true;
        self
    }

    fn new(scope: Scope, count: u32, period: Duration) -> Self {
        Self {
            scope,
            each_method: false,
            hasher: RandomState::new(),
            buckets: TokenBuckets::new(count, period),
        }
    }

    fn key(&self, call: &Invocation) -> u64 {
        let who = match (self.scope, call.user_id()) {
            (Scope::User, Some(user)) => ("user", user),
            (Scope::User | Scope::Connection, _) => ("connection", call.connection_id()),
            (Scope::Everyone, _) => ("everyone", ""),
        };
        // Use the name in the table, because clients can spell the event in several ways.
        let method = self.each_method.then(|| (call.hub_name(), call.method()));
        self.hasher.hash_one((who, method))
    }
}

impl Filter for RateLimit {
    async fn before(&self, call: &Invocation) -> HubResult {
        if call.category() != Category::Message {
            return Ok(());
        }
        self.buckets.take(self.key(call), call.arrived()).map_err(HubError::throttled)
    }
}
