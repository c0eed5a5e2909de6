//! So many calls in a time, and no more.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use super::Filter;
use crate::{HubError, HubResult, Invocation, hub::Category, token_buckets::TokenBuckets};

/// Lets so many calls through in a time, all at once or spread, and tells the others when to try again.
///
/// ```
/// # use std::time::Duration;
/// # use hub_core::RateLimit;
/// // `#[filter(RateLimit::per_user(5, Duration::from_secs(10)))]`
/// RateLimit::per_user(5, Duration::from_secs(10));
/// ```
///
/// It is a token bucket: `count` calls at once, then one each `period / count`. On a method it counts
/// that method, on a block or an app all of its methods together unless [`Self::each_method`] says
/// otherwise. A call that is refused counts for nothing. Connections are not calls; for those there is
/// the negotiate limit of the app.
///
/// Counted is in memory, in this process and for the 16,384 callers at most that were last heard of;
/// who was forgotten starts anew.
pub struct RateLimit {
    scope: Scope,
    each_method: bool,
    hasher: RandomState,
    /// By hash, so that nobody's long name takes memory. The hash is keyed, so nobody can aim at
    /// another's bucket.
    buckets: TokenBuckets<u64>,
}

/// Who shares a bucket.
#[derive(Clone, Copy, Debug)]
enum Scope {
    Connection,
    User,
    Everyone,
}

impl RateLimit {
    /// `count` calls of one connection in each `period`.
    #[must_use]
    pub fn per_connection(count: u32, period: Duration) -> Self {
        Self::new(Scope::Connection, count, period)
    }

    /// `count` calls of one user in each `period`, over all of the user's connections. A connection
    /// without a user counts for itself.
    #[must_use]
    pub fn per_user(count: u32, period: Duration) -> Self {
        Self::new(Scope::User, count, period)
    }

    /// `count` calls of one method in each `period`, whoever calls.
    #[must_use]
    pub fn per_method(count: u32, period: Duration) -> Self {
        Self::new(Scope::Everyone, count, period).each_method()
    }

    /// Counts each method by itself: `per_user(…).each_method()` on a block is a limit for each user
    /// and method.
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
        // The name of the table, since the client chooses the spelling of the event.
        let method = self.each_method.then(|| (call.hub_name(), call.method()));
        self.hasher.hash_one((who, method))
    }
}

impl Filter for RateLimit {
    async fn before(&self, call: &Invocation) -> HubResult {
        if call.category() != Category::Message {
            return Ok(());
        }
        self.buckets.take(self.key(call), call.arrived()).map_err(refusal)
    }
}

fn refusal(wait: Duration) -> HubError {
    // Up, so that who comes back then is let in.
    match wait.as_nanos().div_ceil(1_000_000_000) {
        1 => HubError::denied("Too many calls; try again in 1 second"),
        seconds => HubError::denied(format_args!("Too many calls; try again in {seconds} seconds")),
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit")
            .field("scope", &self.scope)
            .field("each_method", &self.each_method)
            .finish_non_exhaustive()
    }
}
