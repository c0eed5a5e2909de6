//! What the outboxes of all clients hold together.

use std::time::Duration;

use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use crate::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

/// A client that was written nothing for so long, though something waits for it, takes nothing.
pub(crate) const STANDSTILL: Duration = Duration::from_secs(5);

/// Counted once for a message to many, and back once for what a client was written in one go.
#[derive(Debug)]
pub(crate) struct Backlog {
    bytes: AtomicUsize,
    /// So many of them wait for clients that take nothing, as far as is known. Nobody waits for those.
    still: AtomicUsize,
    looked: Mutex<Option<Instant>>,
    limit: usize,
    patience: Duration,
    /// The limit is kept again.
    below: Notify,
}

impl Backlog {
    /// Senders wait while there are more than `limit` bytes, but for `patience` at most.
    pub(crate) fn new(limit: usize, patience: Duration) -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            still: AtomicUsize::new(0),
            looked: Mutex::new(None),
            limit,
            patience,
            below: Notify::new(),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn subtract(&self, bytes: usize) {
        let before = self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        let (still, left) = (self.still.load(Ordering::Relaxed), before.saturating_sub(bytes));
        let most = self.limit.saturating_add(still);
        if left < still {
            self.still.fetch_min(left, Ordering::Relaxed);
        }
        if before > most && left <= most {
            self.below.notify_waiters();
        }
    }

    fn is_too_much(&self) -> bool {
        let still = self.still.load(Ordering::Relaxed);
        self.bytes().saturating_sub(still) > self.limit
    }

    /// Waits until the outboxes hold no more than the limit, or patience ends. Whoever sends is told
    /// so late how much waits: clients that are too slow are closed meanwhile. Returns whether it is
    /// time to look which clients take nothing.
    #[must_use]
    pub(crate) async fn settle(&self) -> bool {
        if !self.is_too_much() {
            return false;
        }
        let below = async {
            loop {
                let mut below = std::pin::pin!(self.below.notified());
                below.as_mut().enable();
                if !self.is_too_much() {
                    return;
                }
                below.await;
            }
        };
        // Both ends of the wait are as good for the sender.
        timeout(self.patience, below).await.is_err() && self.looks()
    }

    /// One of many senders looks, and not again before the patience of others ends.
    fn looks(&self) -> bool {
        let (mut looked, now) = (self.looked.lock(), Instant::now());
        let looks = looked.is_none_or(|last| now.duration_since(last) >= self.patience);
        if looks {
            *looked = Some(now);
        }
        looks
    }

    /// So many bytes wait for clients that take nothing: they hold nobody back any more.
    pub(crate) fn pass_over(&self, still: usize) {
        self.still.store(still, Ordering::Relaxed);
        if !self.is_too_much() {
            self.below.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn senders_wait_until_the_limit_is_kept_and_a_second_at_most() {
        let backlog = Backlog::new(100, Duration::from_secs(1));
        let began = Instant::now();

        backlog.add(100);
        assert!(!backlog.settle().await);
        assert_eq!(began.elapsed(), Duration::ZERO);

        backlog.add(50);
        let less = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            backlog.subtract(49);
            tokio::time::sleep(Duration::from_millis(300)).await;
            backlog.subtract(1);
        };
        let (looks, ()) = tokio::join!(backlog.settle(), less);
        assert!(!looks);
        assert_eq!(began.elapsed(), Duration::from_millis(600));

        backlog.add(1);
        assert!(backlog.settle().await);
        assert_eq!(began.elapsed(), Duration::from_millis(1600));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_bytes_that_stand_still_until_they_are_gone() {
        let backlog = Backlog::new(100, Duration::from_secs(1));
        backlog.add(150);
        assert!(backlog.settle().await);

        backlog.pass_over(120);
        let began = Instant::now();
        assert!(!backlog.settle().await);
        backlog.add(70);
        assert!(!backlog.settle().await);
        assert_eq!(began.elapsed(), Duration::ZERO);

        // Those who took nothing are closed: from now on all counts again.
        backlog.subtract(220);
        backlog.add(101);
        assert!(backlog.settle().await);
        assert_eq!(began.elapsed(), Duration::from_secs(1));
    }
}
