//! What the outboxes of all clients hold together.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

/// Counted once for a message to many, and back once for what a client was written in one go.
#[derive(Debug)]
pub(crate) struct Backlog {
    bytes: AtomicUsize,
    limit: usize,
    patience: Duration,
    /// The limit is kept again.
    below: Notify,
}

impl Backlog {
    /// Senders wait while there are more than `limit` bytes, but for `patience` at most.
    pub(crate) fn new(limit: usize, patience: Duration) -> Self {
        Self { bytes: AtomicUsize::new(0), limit, patience, below: Notify::new() }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn subtract(&self, bytes: usize) {
        let before = self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        if before > self.limit && before - bytes <= self.limit {
            self.below.notify_waiters();
        }
    }

    /// Waits until the outboxes hold no more than the limit, or patience ends. Whoever sends is told
    /// so late how much waits: clients that are too slow are closed meanwhile.
    pub(crate) async fn settle(&self) {
        let below = async {
            loop {
                let mut below = std::pin::pin!(self.below.notified());
                below.as_mut().enable();
                if self.bytes() <= self.limit {
                    return;
                }
                below.await;
            }
        };
        if self.bytes() > self.limit {
            // Both ends of the wait are as good.
            let _ = timeout(self.patience, below).await;
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
        backlog.settle().await;
        assert_eq!(began.elapsed(), Duration::ZERO);

        backlog.add(50);
        let less = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            backlog.subtract(49);
            tokio::time::sleep(Duration::from_millis(300)).await;
            backlog.subtract(1);
        };
        tokio::join!(backlog.settle(), less);
        assert_eq!(began.elapsed(), Duration::from_millis(600));

        backlog.add(1);
        backlog.settle().await;
        assert_eq!(began.elapsed(), Duration::from_millis(1600));
    }
}
