//! The pending bytes of all outboxes, and the delay of senders while these bytes exceed the limit.

use std::time::Duration;

use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use crate::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

/// A client counts as stalled when it has pending data and nothing was written to it for this long.
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Number of pending bytes. It is incremented once per broadcast and decremented once per write.
///
/// The atomics are relaxed: the numbers publish no other data, and every wait has a timeout, so a
/// missed wake-up costs at most the maximum delay.
#[derive(Debug)]
pub(crate) struct Backlog {
    bytes: AtomicUsize,
    /// The bytes of stalled clients at the last check. These bytes do not delay senders.
    stalled: AtomicUsize,
    last_check: Mutex<Option<Instant>>,
    limit: usize,
    max_delay: Duration,
    /// Notified when the pending bytes fall to the limit.
    below: Notify,
}

impl Backlog {
    /// Delays senders while more than `limit` bytes are pending, for at most `max_delay`.
    pub(crate) fn new(limit: usize, max_delay: Duration) -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            stalled: AtomicUsize::new(0),
            last_check: Mutex::new(None),
            limit,
            max_delay,
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
        let (stalled, left) = (self.stalled.load(Ordering::Relaxed), before.saturating_sub(bytes));
        let limit = self.limit.saturating_add(stalled);
        if left < stalled {
            self.stalled.fetch_min(left, Ordering::Relaxed);
        }
        if before > limit && left <= limit {
            self.below.notify_waiters();
        }
    }

    fn is_too_much(&self) -> bool {
        let stalled = self.stalled.load(Ordering::Relaxed);
        self.bytes().saturating_sub(stalled) > self.limit
    }

    /// Delays the response to a sender while the pending bytes exceed the limit, for at most the maximum
    /// delay. Returns whether the caller should look for stalled clients.
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
        // The sender continues after a timeout too.
        timeout(self.max_delay, below).await.is_err() && self.is_check_due()
    }

    /// Whether this sender should look for stalled clients. At most one sender per maximum delay does so.
    fn is_check_due(&self) -> bool {
        let (mut last_check, now) = (self.last_check.lock(), Instant::now());
        let is_due = last_check.is_none_or(|last| now.duration_since(last) >= self.max_delay);
        if is_due {
            *last_check = Some(now);
        }
        is_due
    }

    /// Excludes the pending bytes of stalled clients from the limit.
    pub(crate) fn exclude_stalled(&self, stalled: usize) {
        self.stalled.store(stalled, Ordering::Relaxed);
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
    async fn senders_wait_for_the_limit_but_at_most_a_second() {
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
        let (is_check_due, ()) = tokio::join!(backlog.settle(), less);
        assert!(!is_check_due);
        assert_eq!(began.elapsed(), Duration::from_millis(600));

        backlog.add(1);
        assert!(backlog.settle().await);
        assert_eq!(began.elapsed(), Duration::from_millis(1600));
    }

    #[tokio::test(start_paused = true)]
    async fn stalled_bytes_delay_no_sender() {
        let backlog = Backlog::new(100, Duration::from_secs(1));
        backlog.add(150);
        assert!(backlog.settle().await);

        backlog.exclude_stalled(120);
        let began = Instant::now();
        assert!(!backlog.settle().await);
        backlog.add(70);
        assert!(!backlog.settle().await);
        assert_eq!(began.elapsed(), Duration::ZERO);

        // The stalled clients are closed, so all bytes count again.
        backlog.subtract(220);
        backlog.add(101);
        assert!(backlog.settle().await);
        assert_eq!(began.elapsed(), Duration::from_secs(1));
    }
}
