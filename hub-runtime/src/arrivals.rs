//! Connections that have not asked for anything yet: few at a time, and not for long.
//!
//! Whoever opens connections and says nothing, or a byte now and then, holds memory and descriptors.
//! Honest peers ask at once. So each connection has its time for the first request, and where there are
//! too many, the one that has been silent for longest makes room for the newest.

use std::{
    collections::VecDeque,
    future::pending,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

/// How long a connection may be silent before its first request is there with all its headers.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many may be silent at a time.
const MOST: usize = 1024;

/// The silent connections, longest first.
#[derive(Debug)]
pub(crate) struct Arrivals {
    most: usize,
    silent: Mutex<VecDeque<Arc<Arrival>>>,
}

/// One connection from its start to its first request.
#[derive(Debug, Default)]
pub(crate) struct Arrival {
    /// It has asked, or it has ended.
    settled: AtomicBool,
    makes_room: Notify,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self::at_most(MOST)
    }
}

impl Arrivals {
    fn at_most(most: usize) -> Self {
        Self { most, silent: Mutex::default() }
    }

    /// A connection has come.
    pub(crate) fn come(&self) -> Arc<Arrival> {
        let new = Arc::<Arrival>::default();
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        while silent.front().is_some_and(|oldest| oldest.is_settled()) {
            silent.pop_front();
        }
        if silent.len() >= self.most {
            silent.retain(|arrival| !arrival.is_settled());
        }
        if silent.len() >= self.most
            && let Some(oldest) = silent.pop_front()
        {
            oldest.makes_room.notify_one();
        }
        silent.push_back(Arc::clone(&new));
        new
    }
}

impl Arrival {
    /// The connection has asked for something, or has ended.
    pub(crate) fn settle(&self) {
        self.settled.store(true, Ordering::Relaxed);
    }

    fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Relaxed)
    }

    /// Comes when the connection has been silent for too long; never, once it has asked.
    pub(crate) async fn overdue(&self) {
        // Whichever comes first.
        let _ = timeout(PATIENCE, self.makes_room.notified()).await;
        if self.is_settled() {
            pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn is_overdue(arrival: &Arrival) -> bool {
        arrival.overdue().now_or_never().is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_silent_one_makes_room_for_the_newest() {
        let arrivals = Arrivals::at_most(3);
        let came: Vec<_> = (0..5).map(|_| arrivals.come()).collect();

        let overdue: Vec<_> = came.iter().map(|arrival| is_overdue(arrival)).collect();

        assert_eq!(overdue, [true, true, false, false, false]);
        assert_eq!(arrivals.silent.lock().unwrap().len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_asked_stays_and_does_not_count() {
        let arrivals = Arrivals::at_most(3);
        let silent = arrivals.come();
        for _ in 0..100 {
            arrivals.come().settle();
        }
        assert!(!is_overdue(&silent));

        let asked = arrivals.come();
        asked.settle();
        for _ in 0..3 {
            arrivals.come();
        }

        assert!(is_overdue(&silent));
        assert!(!is_overdue(&asked));
        assert!(arrivals.silent.lock().unwrap().len() <= 3);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_in_time_and_a_request_ends_the_wait() {
        let arrivals = Arrivals::default();
        let (silent, asked) = (arrivals.come(), arrivals.come());
        asked.settle();

        let begun = tokio::time::Instant::now();
        silent.overdue().await;

        assert_eq!(begun.elapsed(), PATIENCE);
        assert!(timeout(10 * PATIENCE, asked.overdue()).await.is_err());
    }
}
