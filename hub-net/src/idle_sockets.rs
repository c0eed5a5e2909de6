//! Limits the number of sockets that have not sent a request. A peer that opens many sockets and sends
//! nothing, or only single bytes, must not use up memory and file descriptors. Above the limit, the oldest
//! sockets are closed.

use std::{
    collections::BTreeMap,
    future::pending,
    iter,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{task::yield_now, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{log_limit::LogLimit, standstill};

/// The text of the log when sockets are closed.
pub const TOO_MANY_IDLE: &str = "too many sockets send no request; the oldest sockets are closed";
/// Above this multiple of the limit, there is no grace period.
const HARD_LIMIT_FACTOR: usize = 2;

/// Accepted sockets whose first request has not arrived.
#[derive(Debug)]
pub struct IdleSockets {
    limit: usize,
    grace: Duration,
    sockets: Mutex<Sockets>,
    log: LogLimit,
}

#[derive(Debug, Default)]
struct Sockets {
    /// The accept time of each socket and the token that evicts it, oldest first.
    by_age: BTreeMap<u64, (Instant, CancellationToken)>,
    last_number: u64,
}

/// A socket, which counts as idle until [`requested`](Self::requested) or until it is dropped.
#[derive(Debug)]
pub struct IdleSocket {
    all: Arc<IdleSockets>,
    number: u64,
    evicted: CancellationToken,
    has_requested: AtomicBool,
}

impl IdleSockets {
    /// Allows `limit` idle sockets. Up to twice the limit, sockets younger than `grace` are not evicted:
    /// many clients may reconnect at once, and open their sockets before the first request is read.
    #[must_use]
    pub fn new(limit: usize, grace: Duration) -> Arc<Self> {
        Arc::new(Self {
            limit: limit.max(1),
            grace,
            sockets: Mutex::default(),
            log: LogLimit::new(1),
        })
    }

    /// Adds an accepted socket. `evicted` is cancelled to close the socket. Also returns the number of sockets
    /// that are evicted now.
    #[must_use]
    pub fn add(self: &Arc<Self>, evicted: CancellationToken) -> (IdleSocket, usize) {
        let now = Instant::now();
        let mut sockets = self.sockets.lock();
        sockets.last_number += 1;
        let number = sockets.last_number;
        sockets.by_age.insert(number, (now, evicted.clone()));
        let evictions: Vec<_> = iter::from_fn(|| sockets.pop_beyond(self, now)).collect();
        // Cancelling wakes tasks, which needs no lock.
        drop(sockets);
        evictions.iter().for_each(CancellationToken::cancel);
        if !evictions.is_empty() {
            self.log.line("idle sockets", |omitted| {
                let limit = self.limit;
                tracing::warn!(limit, omitted, "{TOO_MANY_IDLE}");
            });
        }
        let has_requested = AtomicBool::new(false);
        (IdleSocket { all: Arc::clone(self), number, evicted, has_requested }, evictions.len())
    }
}

impl Sockets {
    /// Removes the oldest socket if there are too many sockets and its grace period has ended. Above twice the
    /// limit, there is no grace period.
    fn pop_beyond(&mut self, limits: &IdleSockets, now: Instant) -> Option<CancellationToken> {
        let count = self.by_age.len();
        let oldest = self.by_age.first_entry().filter(|oldest| {
            let (accepted, _) = oldest.get();
            count > limits.limit.saturating_mul(HARD_LIMIT_FACTOR)
                || count > limits.limit && now >= *accepted + limits.grace
        })?;
        let (_, evicted) = oldest.remove();
        Some(evicted)
    }
}

impl IdleSocket {
    /// All idle sockets of the listener.
    #[must_use]
    pub fn siblings(&self) -> Arc<IdleSockets> {
        Arc::clone(&self.all)
    }

    /// Records that a request has arrived. Further calls cost one atomic operation.
    pub fn requested(&self) {
        // Relaxed: the flag orders no other memory, and the lock orders the removal.
        if !self.has_requested.load(Ordering::Relaxed)
            && !self.has_requested.swap(true, Ordering::Relaxed)
        {
            self.all.sockets.lock().by_age.remove(&self.number);
        }
    }

    /// Completes when the socket is evicted or has been idle for `first_request_timeout`. Never
    /// completes once a request has arrived.
    ///
    /// Read from the socket before each poll of this future. A request that arrived in time then counts, even
    /// if a busy process reads it late.
    pub async fn overdue(&self, first_request_timeout: Duration) {
        // The result does not matter: both events end the wait.
        let _ = standstill::timeout(first_request_timeout, self.evicted.cancelled()).await;
        // Lets the runtime look for sockets that have become readable.
        yield_now().await;
        if self.has_requested.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    }
}

impl Drop for IdleSocket {
    fn drop(&mut self) {
        self.requested();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::*;

    const GRACE: Duration = Duration::from_secs(1);
    const TIMEOUT: Duration = Duration::from_secs(10);

    fn add(sockets: &Arc<IdleSockets>) -> IdleSocket {
        sockets.add(CancellationToken::new()).0
    }

    fn evicted(sockets: &[IdleSocket]) -> usize {
        sockets.iter().take_while(|socket| socket.evicted.is_cancelled()).count()
    }

    async fn is_overdue(socket: &IdleSocket) -> bool {
        timeout(TIMEOUT / 2, socket.overdue(TIMEOUT)).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn above_the_limit_the_oldest_sockets_are_closed() {
        let all = IdleSockets::new(2, GRACE);
        let mut sockets: Vec<_> = (0..4).map(|_| add(&all)).collect();
        assert_eq!(evicted(&sockets), 0, "their grace period has not ended");

        advance(GRACE).await;
        sockets.push(add(&all));

        assert_eq!(evicted(&sockets), 3);
        assert!(sockets[3..].iter().all(|socket| !socket.evicted.is_cancelled()));
    }

    #[tokio::test(start_paused = true)]
    async fn above_twice_the_limit_there_is_no_grace_period() {
        let all = IdleSockets::new(2, GRACE);

        let sockets: Vec<_> = (0..20).map(|_| add(&all)).collect();

        assert_eq!(evicted(&sockets), 20 - 2 * HARD_LIMIT_FACTOR);
    }

    #[tokio::test(start_paused = true)]
    async fn sockets_with_a_request_and_closed_sockets_do_not_count() {
        let all = IdleSockets::new(2, GRACE);
        let (first, second) = (add(&all), add(&all));

        first.requested();
        let second_evicted = second.evicted.clone();
        drop(second);
        advance(GRACE).await;
        let others = [add(&all), add(&all)];
        advance(GRACE).await;

        assert!(!first.evicted.is_cancelled() && !second_evicted.is_cancelled());
        assert_eq!(evicted(&others), 0);
        drop((first, others));
        assert!(all.sockets.lock().by_age.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_grace_period_a_new_socket_evicts_the_oldest() {
        let all = IdleSockets::new(3, Duration::ZERO);
        let sockets: Vec<_> = (0..5).map(|_| add(&all)).collect();

        for (number, socket) in sockets.iter().enumerate() {
            assert_eq!(is_overdue(socket).await, number < 2, "{number}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_with_a_request_stays_and_does_not_count() {
        let all = IdleSockets::new(3, Duration::ZERO);
        let idle = add(&all);
        let requested: Vec<_> =
            (0..100).map(|_| add(&all)).inspect(IdleSocket::requested).collect();
        for _ in 0..100 {
            drop(add(&all));
        }
        assert_eq!(all.sockets.lock().by_age.len(), 1);
        assert!(!is_overdue(&idle).await);

        let late = add(&all);
        let _others = [add(&all), add(&all), add(&all)];
        late.requested();

        assert!(is_overdue(&idle).await);
        assert!(!is_overdue(&late).await, "its request arrived after it was chosen for eviction");
        drop(requested);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_socket_times_out_but_not_after_a_request() {
        let all = IdleSockets::new(3, Duration::ZERO);
        let (idle, requested) = (add(&all), add(&all));
        requested.requested();

        let begun = Instant::now();
        idle.overdue(TIMEOUT).await;

        assert_eq!(begun.elapsed(), TIMEOUT);
        assert!(timeout(10 * TIMEOUT, requested.overdue(TIMEOUT)).await.is_err());
    }
}
