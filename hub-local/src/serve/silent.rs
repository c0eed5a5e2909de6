//! Sockets that have not sent a whole request yet. Whoever opens many of them and says nothing keeps
//! nobody else out: beyond the limit the one that has waited longest is closed.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::sync::lock;

/// How often it is said at most that sockets are closed.
const QUIET: Duration = Duration::from_secs(10);

/// The silent sockets of one listener.
#[derive(Debug)]
pub(super) struct Silent {
    limit: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// What closes each of them, the oldest first.
    sockets: BTreeMap<u64, CancellationToken>,
    last: u64,
    told: Option<Instant>,
}

/// One socket's place among them, until a request comes or the socket goes.
#[derive(Debug)]
pub(super) struct Place {
    silent: Arc<Silent>,
    number: u64,
    left: AtomicBool,
}

impl Silent {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit: limit.max(1), waiting: Mutex::default() })
    }

    /// A new socket, and what closes it. Says whether another is closed for it.
    pub(super) fn enter(self: &Arc<Self>, close: CancellationToken) -> (Place, bool) {
        let mut waiting = lock(&self.waiting);
        waiting.last += 1;
        let number = waiting.last;
        waiting.sockets.insert(number, close);
        let oldest =
            if waiting.sockets.len() > self.limit { waiting.sockets.pop_first() } else { None };
        let tells = oldest.is_some() && waiting.told.is_none_or(|told| told.elapsed() > QUIET);
        if tells {
            waiting.told = Some(Instant::now());
        }
        let full = oldest.is_some();
        drop(waiting);
        if let Some((_, close)) = oldest {
            close.cancel();
        }
        if tells {
            let limit = self.limit;
            tracing::warn!(limit, "too many sockets send no request; the oldest are closed");
        }
        (Place { silent: Arc::clone(self), number, left: AtomicBool::new(false) }, full)
    }
}

impl Place {
    /// A request has come.
    pub(super) fn leave(&self) {
        if !self.left.swap(true, Ordering::Relaxed) {
            lock(&self.silent.waiting).sockets.remove(&self.number);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(silent: &Arc<Silent>) -> (CancellationToken, Place) {
        let close = CancellationToken::new();
        (close.clone(), silent.enter(close).0)
    }

    #[tokio::test]
    async fn beyond_the_limit_the_socket_that_has_waited_longest_is_closed() {
        let silent = Silent::new(2);
        let (first, second, third) = (enter(&silent), enter(&silent), enter(&silent));

        assert!(first.0.is_cancelled());
        assert!(!second.0.is_cancelled() && !third.0.is_cancelled());
    }

    #[tokio::test]
    async fn a_socket_that_has_sent_a_request_or_is_gone_does_not_count() {
        let silent = Silent::new(2);
        let (first, second) = (enter(&silent), enter(&silent));

        first.1.leave();
        drop(second.1);
        let others = [enter(&silent), enter(&silent)];

        assert!(!first.0.is_cancelled() && !second.0.is_cancelled());
        assert!(others.iter().all(|(close, _)| !close.is_cancelled()));
        drop((first, others));
        assert!(lock(&silent.waiting).sockets.is_empty());
    }
}
