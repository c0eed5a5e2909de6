//! Warnings that appear once per connection, because clients and apps can repeat their causes without limit.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use hub_net::log_limit::{shown, shown_bytes};

use super::Connection;
use crate::causes::Cause;

/// The bit of a cause.
fn bit(cause: Cause) -> u8 {
    match cause {
        Cause::EmptyError => 1,
        Cause::EmptyId => 2,
        Cause::ReusedId => 4,
        _ => 8,
    }
}

impl Connection {
    /// Logs the first warning of this connection with this cause. The lines of all connections are limited, too.
    pub(super) fn warn_once(&self, cause: Cause, method: &str) {
        if !self.warnings.is_first(cause) {
            return;
        }
        if let Some(peer) = &self.peer {
            peer.refused(None, cause, cause.text());
        }
        self.shared.log.line(cause.id(), |omitted| {
            let (connection, method) = (self.id(), &*shown(method));
            let check = cause.check();
            tracing::warn!(
                connection,
                method,
                cause = cause.id(),
                check,
                omitted,
                "{}",
                cause.text()
            );
        });
    }

    /// The response of the app to a call is no completion of the call.
    pub(super) fn warn_invalid_completion(&self, method: &str, problem: &str, body: &[u8]) {
        let send = match self.protocol().is_binary() {
            false => {
                "{\"type\":3,\"invocationId\":\"<that of the request>\",\"result\":<value>} and the byte 0x1E, or status 204 without a result"
            }
            true => {
                "the length of the message, and [3, {}, <invocation id of the request>, 3, <value>] in MessagePack, or status 204 without a result"
            }
        };
        let cause = Cause::NoCompletion;
        self.shared.log.line(cause.id(), |omitted| {
            let (connection, method) = (self.id(), &*shown(method));
            let answer = shown_bytes(body);
            tracing::warn!(
                connection,
                hub = self.hub.name(),
                method,
                problem,
                answer,
                send,
                cause = cause.id(),
                check = cause.check(),
                omitted,
                "{}",
                cause.text()
            );
        });
    }

    /// The connection is not in some groups of its user.
    pub(super) fn warn_missed_groups(&self, groups: usize) {
        let cause = Cause::MissedGroups;
        if let Some(peer) = &self.peer {
            peer.refused(None, cause, cause.text());
        }
        self.shared.log.line(cause.id(), |omitted| {
            let (connection, check) = (self.id(), cause.check());
            tracing::warn!(
                connection,
                groups,
                cause = cause.id(),
                check,
                omitted,
                "{}",
                cause.text()
            );
        });
    }
}

/// The warnings of one connection.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    given: AtomicU8,
    /// A hash of the latest invocation id.
    latest_id: AtomicU64,
}

impl Warnings {
    /// Whether this is the first warning with this cause.
    fn is_first(&self, cause: Cause) -> bool {
        let bit = bit(cause);
        self.given.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    /// The next invocation may have the id of the one before it.
    pub(super) fn forget_id(&self) {
        self.latest_id.store(0, Ordering::Relaxed);
    }

    /// Whether an invocation has the id of the invocation before it.
    pub(super) fn is_reused(&self, invocation_id: &str) -> bool {
        // FNV-1a. A collision causes a wrong warning and nothing else.
        let add = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let hash = invocation_id.bytes().fold(0xcbf2_9ce4_8422_2325, add);
        self.latest_id.swap(hash, Ordering::Relaxed) == hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_warned_about_once() {
        let warnings = Warnings::default();

        assert!(warnings.is_first(Cause::EmptyId) && warnings.is_first(Cause::Streams));
        assert!(!warnings.is_first(Cause::EmptyId) && !warnings.is_first(Cause::Streams));
        assert!(warnings.is_first(Cause::EmptyError) && warnings.is_first(Cause::ReusedId));
    }

    #[test]
    fn an_id_is_reused_if_it_is_that_of_the_invocation_before() {
        let warnings = Warnings::default();

        let reused = ["0", "0", "1", "2", "2", "1"].map(|id| warnings.is_reused(id));

        assert_eq!(reused, [false, true, false, false, true, false]);
    }
}
