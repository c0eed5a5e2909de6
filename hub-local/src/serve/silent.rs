//! Sockets that have not sent a whole request yet. Whoever opens many of them and says nothing keeps
//! nobody else out: beyond the limit those that have waited longest are closed. Many clients may come
//! back at once, so everybody has a moment to speak, unless there are far too many.

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

/// How long a socket may be silent whatever the limit is.
const MOMENT: Duration = Duration::from_secs(1);
/// With so many times the limit nobody has a moment.
const FAR: usize = 2;
/// How often it is said at most that sockets are closed.
const QUIET: Duration = Duration::from_secs(10);

/// The silent sockets of all listeners of a service.
#[derive(Debug)]
pub(crate) struct Silent {
    limit: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Since when each of them is there, and what closes it; the oldest first.
    sockets: BTreeMap<u64, (Instant, CancellationToken)>,
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
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit: limit.max(1), waiting: Mutex::default() })
    }

    /// A new socket, and what closes it. Says whether others are closed for it.
    pub(super) fn enter(self: &Arc<Self>, close: CancellationToken) -> (Place, bool) {
        let now = Instant::now();
        let mut waiting = lock(&self.waiting);
        waiting.last += 1;
        let number = waiting.last;
        waiting.sockets.insert(number, (now, close));
        let closed: Vec<_> = std::iter::from_fn(|| waiting.pop_beyond(self.limit, now)).collect();
        let tells = !closed.is_empty() && waiting.told.is_none_or(|told| now > told + QUIET);
        if tells {
            waiting.told = Some(now);
        }
        drop(waiting);
        closed.iter().for_each(CancellationToken::cancel);
        if tells {
            let limit = self.limit;
            tracing::warn!(limit, "too many sockets send no request; the oldest are closed");
        }
        let place = Place { silent: Arc::clone(self), number, left: AtomicBool::new(false) };
        (place, !closed.is_empty())
    }
}

impl Waiting {
    /// The oldest, if there are too many and it has had its moment.
    fn pop_beyond(&mut self, limit: usize, now: Instant) -> Option<CancellationToken> {
        let count = self.sockets.len();
        let oldest = self.sockets.first_entry().filter(|oldest| {
            let (since, _) = oldest.get();
            count > limit.saturating_mul(FAR) || count > limit && now >= *since + MOMENT
        })?;
        let (_, close) = oldest.remove();
        Some(close)
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
    use tokio::time::advance;

    use super::*;

    fn enter(silent: &Arc<Silent>) -> (CancellationToken, Place) {
        let close = CancellationToken::new();
        (close.clone(), silent.enter(close).0)
    }

    fn closed(sockets: &[(CancellationToken, Place)]) -> usize {
        sockets.iter().take_while(|(close, _)| close.is_cancelled()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_the_limit_those_that_have_waited_longest_are_closed() {
        let silent = Silent::new(2);
        let mut sockets: Vec<_> = (0..4).map(|_| enter(&silent)).collect();
        assert_eq!(closed(&sockets), 0, "they had no moment to speak");

        advance(MOMENT).await;
        sockets.push(enter(&silent));

        assert_eq!(closed(&sockets), 3);
        assert!(!sockets[3].0.is_cancelled() && !sockets[4].0.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn far_beyond_the_limit_nobody_has_a_moment() {
        let silent = Silent::new(2);

        let sockets: Vec<_> = (0..20).map(|_| enter(&silent)).collect();

        assert_eq!(closed(&sockets), 20 - 2 * FAR);
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_that_has_sent_a_request_or_is_gone_does_not_count() {
        let silent = Silent::new(2);
        let (first, second) = (enter(&silent), enter(&silent));

        first.1.leave();
        drop(second.1);
        advance(MOMENT).await;
        let others = [enter(&silent), enter(&silent)];
        advance(MOMENT).await;

        assert!(!first.0.is_cancelled() && !second.0.is_cancelled());
        assert_eq!(closed(&others), 0);
        drop((first, others));
        assert!(lock(&silent.waiting).sockets.is_empty());
    }
}
