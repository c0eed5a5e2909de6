//! Connections that the app has refused. The service keeps a connection open after a 403 for `connected`, so
//! the app closes it over REST and refuses its calls until it has ended.

use std::{
    collections::{HashSet, VecDeque},
    fmt,
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::StatusCode;
use hub_core::{
    HubError, InvocationParts, SendError,
    outbound::{Change, CloseTarget, Outbound},
    panics::caught,
    protocol::{Outcome, error_text},
};
use parking_lot::Mutex;
use tracing::{Instrument as _, instrument::WithSubscriber as _};

use super::completion::{Answer, completion};
use crate::{
    answer::{INTERNAL, client_text},
    shared::Inner,
};

/// The maximum number of remembered connections. The oldest are forgotten first: they have been closed, unless
/// the service was unreachable ever since.
const MAX_REFUSED: usize = 16_384;
/// The waits before the repetitions of a close that failed, each after the retries of the REST client.
const WAIT_SECONDS: [u64; 8] = [1, 2, 4, 8, 16, 32, 60, 60];
/// The maximum length of a reason. It is part of a URL, whose length the service limits, and the text of an error may
/// contain data of the client.
const MAX_REASON_CHARS: usize = 200;
const REFUSED: &str = "403 Forbidden: the connection was refused";

/// The refused connections of an app that have not ended, at most 16,384. They are stored as hashes with a
/// secret key, so that the memory does not depend on the length of ids: about 500 KB if full.
#[derive(Default)]
pub(crate) struct RefusedConnections {
    key: RandomState,
    /// The size of the table, so that an app without refused connections needs no lock.
    count: AtomicUsize,
    table: Mutex<Table>,
}

impl fmt::Debug for RefusedConnections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefusedConnections")
    }
}

#[derive(Default)]
struct Table {
    refused: HashSet<u64>,
    /// The refused connections in order, and some that have ended.
    order: VecDeque<u64>,
}

impl RefusedConnections {
    fn insert(&self, hub: &str, connection_id: &str) {
        let connection = self.key.hash_one((hub, connection_id));
        let mut table = self.table.lock();
        if table.refused.insert(connection) {
            table.order.push_back(connection);
        }
        if table.order.len() > MAX_REFUSED
            && let Some(oldest) = table.order.pop_front()
        {
            table.refused.remove(&oldest);
        }
        self.count.store(table.refused.len(), Ordering::Relaxed);
    }

    /// Whether the app has refused this connection, and it has not ended.
    pub(crate) fn contains(&self, hub: &str, connection_id: &str) -> bool {
        // Relaxed: the service sends a call of a connection after the response to its `connected`.
        self.count.load(Ordering::Relaxed) > 0
            && self.table.lock().refused.contains(&self.key.hash_one((hub, connection_id)))
    }

    /// Removes a connection that has ended.
    pub(super) fn forget(&self, hub: &str, connection_id: &str) {
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut table = self.table.lock();
        table.refused.remove(&self.key.hash_one((hub, connection_id)));
        self.count.store(table.refused.len(), Ordering::Relaxed);
        if table.refused.is_empty() {
            table.order.clear();
        }
    }
}

/// The response to a call of a refused connection.
pub(super) fn answer(parts: &InvocationParts) -> Answer {
    tracing::debug!(connection = &*parts.connection_id, "call of a refused connection");
    match &parts.invocation_id {
        Some(id) => completion(parts.protocol, id, Outcome::Error(REFUSED.to_owned())),
        None => Answer::Empty(StatusCode::FORBIDDEN),
    }
}

/// A connection that the app does not let in.
pub(super) struct Refused {
    pub(super) app: Arc<Inner>,
    pub(super) outbound: Arc<dyn Outbound>,
    pub(super) hub: Arc<str>,
    pub(super) connection_id: Arc<str>,
}

impl Refused {
    /// Refuses the calls of the connection and closes it with the text of the error. A close that fails is
    /// repeated in the background.
    pub(super) async fn close(self, error: HubError) {
        let detail = self.app.upstream.error_detail;
        // The error is dropped here. A panic of its `Drop`, or of a subscriber, does not prevent the close.
        let reason = caught(move || client_text(&{ error }, detail));
        let reason = reason.unwrap_or_else(|_| INTERNAL.to_owned());
        let Self { app, outbound, hub, connection_id } = self;
        if app.upstream.keep_refused_connections {
            return;
        }
        app.upstream.refused.insert(&hub, &connection_id);
        let reason = error_text(&reason).chars().take(MAX_REASON_CHARS).collect();
        let close = Close { outbound, hub, connection_id, reason };
        let Err(error) = close.attempt().await else { return };
        tracing::error!(
            connection = &*close.connection_id,
            %error,
            "the close of a refused connection is not confirmed: it may still receive messages; the close is repeated"
        );
        // Not a task of the app, since a shutdown does not wait for it.
        let repeating = close.repeat(Arc::downgrade(&app)).in_current_span();
        tokio::spawn(repeating.with_current_subscriber());
    }
}

struct Close {
    outbound: Arc<dyn Outbound>,
    hub: Arc<str>,
    connection_id: Arc<str>,
    reason: String,
}

impl Close {
    async fn attempt(&self) -> Result<(), SendError> {
        let change = Change::Close {
            whom: CloseTarget::Connection(self.connection_id.to_string()),
            reason: Some(self.reason.clone()),
        };
        self.outbound.change(&self.hub, change).await
    }

    /// Repeats the close until it succeeds, the connection ends, or the app stops.
    async fn repeat(self, app: Weak<Inner>) {
        for seconds in WAIT_SECONDS {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            let is_open = |app: Arc<Inner>| {
                !app.is_closing() && app.upstream.refused.contains(&self.hub, &self.connection_id)
            };
            if !app.upgrade().is_some_and(is_open) || self.attempt().await.is_ok() {
                return;
            }
        }
        tracing::error!(
            connection = &*self.connection_id,
            "gave up closing a refused connection: it receives messages until it ends"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_connection_is_remembered_until_it_ends() {
        let refused = RefusedConnections::default();
        refused.insert("chat", "a");
        refused.insert("chat", "b");

        assert!(refused.contains("chat", "a") && refused.contains("chat", "b"));
        assert!(!refused.contains("game", "a") && !refused.contains("chat", "c"));
        refused.forget("chat", "a");
        assert!(!refused.contains("chat", "a") && refused.contains("chat", "b"));
        refused.forget("chat", "b");
        assert_eq!(refused.count.into_inner(), 0);
    }

    #[test]
    fn the_memory_is_bounded_and_the_oldest_connections_are_forgotten_first() {
        let refused = RefusedConnections::default();
        for number in 0..MAX_REFUSED + 10 {
            refused.insert("chat", &number.to_string());
            refused.insert("chat", &number.to_string());
        }

        assert!(!refused.contains("chat", "9") && refused.contains("chat", "10"));
        for number in 10..MAX_REFUSED {
            refused.forget("chat", &number.to_string());
            refused.insert("chat", &format!("another {number}"));
        }
        let table = refused.table.into_inner();
        assert!(table.refused.len() <= MAX_REFUSED && table.order.len() <= MAX_REFUSED);
    }
}
