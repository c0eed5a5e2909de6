//! Connections that have not asked for anything yet: not for long, and not without end.
//!
//! Whoever opens connections and says nothing, or a byte now and then, holds memory and descriptors.
//! Honest peers ask at once. So each connection has its time for the first request, and where there are
//! too many, the one that has been silent for longest makes room for the newest.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    task::yield_now,
    time::{Instant, timeout},
};

/// How long a connection may be silent before its first request is there with all its headers.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many may be silent at a time. There must be room for clients that all come back at once: they
/// open their connections before the first request is read.
const MOST: usize = 16_384;
/// How often it is said at most that there are too many.
const QUIET: Duration = Duration::from_secs(10);

/// The silent connections of one listener.
#[derive(Debug)]
pub(crate) struct Arrivals {
    most: usize,
    silent: Arc<Mutex<Silent>>,
}

#[derive(Debug, Default)]
struct Silent {
    /// What tells each that it must make room, the longest silent first.
    connections: BTreeMap<u64, Arc<Notify>>,
    /// How many have come so far.
    came: u64,
    told: Option<Instant>,
}

/// One connection from its start to its first request, or to its end.
#[derive(Debug)]
pub(crate) struct Arrival {
    silent: Arc<Mutex<Silent>>,
    number: u64,
    makes_room: Arc<Notify>,
    has_asked: AtomicBool,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self::at_most(MOST)
    }
}

impl Arrivals {
    /// So many may be silent.
    pub(crate) fn at_most(most: usize) -> Self {
        Self { most, silent: Arc::default() }
    }

    /// A connection has come.
    pub(crate) fn come(&self) -> Arc<Arrival> {
        let makes_room = Arc::<Notify>::default();
        let mut silent = lock(&self.silent);
        silent.came += 1;
        let number = silent.came;
        silent.connections.insert(number, Arc::clone(&makes_room));
        let crowded = silent.connections.len() > self.most;
        let oldest = if crowded { silent.connections.pop_first() } else { None };
        let tells = crowded && silent.told.is_none_or(|told| told.elapsed() > QUIET);
        if tells {
            silent.told = Some(Instant::now());
        }
        drop(silent);
        if let Some((_, oldest)) = oldest {
            oldest.notify_one();
        }
        if tells {
            let most = self.most;
            tracing::warn!(most, "too many connections ask for nothing; the oldest are closed");
        }
        let silent = Arc::clone(&self.silent);
        Arc::new(Arrival { silent, number, makes_room, has_asked: AtomicBool::new(false) })
    }
}

impl Arrival {
    /// The connection has asked for something. That it does so again costs next to nothing.
    pub(crate) fn ask(&self) {
        if !self.has_asked() {
            self.has_asked.store(true, Ordering::Relaxed);
            lock(&self.silent).connections.remove(&self.number);
        }
    }

    fn has_asked(&self) -> bool {
        self.has_asked.load(Ordering::Relaxed)
    }

    /// Comes when the connection has been silent for too long; never, once it has asked.
    ///
    /// Whoever waits for this reads from the connection first, each time: what the peer has sent by then
    /// counts, though a busy process learns of it late.
    pub(crate) async fn overdue(&self) {
        // Whichever comes first.
        let _ = timeout(PATIENCE, self.makes_room.notified()).await;
        // The runtime looks here which connections can be read.
        yield_now().await;
        if self.has_asked() {
            pending::<()>().await;
        }
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        self.ask();
    }
}

fn lock(silent: &Mutex<Silent>) -> MutexGuard<'_, Silent> {
    silent.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_overdue(arrival: &Arrival) -> bool {
        timeout(PATIENCE / 2, arrival.overdue()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_silent_one_makes_room_for_the_newest() {
        let arrivals = Arrivals::at_most(3);
        let came: Vec<_> = (0..5).map(|_| arrivals.come()).collect();

        for (number, arrival) in came.iter().enumerate() {
            assert_eq!(is_overdue(arrival).await, number < 2, "{number}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_asked_stays_and_neither_it_nor_who_has_gone_counts() {
        let arrivals = Arrivals::at_most(3);
        let silent = arrivals.come();
        let asked: Vec<_> = (0..100).map(|_| arrivals.come()).inspect(|it| it.ask()).collect();
        for _ in 0..100 {
            drop(arrivals.come());
        }
        assert_eq!(lock(&arrivals.silent).connections.len(), 1);
        assert!(!is_overdue(&silent).await);

        let late = arrivals.come();
        let _others = [arrivals.come(), arrivals.come(), arrivals.come()];
        late.ask();

        assert!(is_overdue(&silent).await);
        assert!(!is_overdue(&late).await, "its request came while it was to make room");
        drop(asked);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_in_time_and_a_request_ends_the_wait() {
        let arrivals = Arrivals::default();
        let (silent, asked) = (arrivals.come(), arrivals.come());
        asked.ask();

        let begun = Instant::now();
        silent.overdue().await;

        assert_eq!(begun.elapsed(), PATIENCE);
        assert!(timeout(10 * PATIENCE, asked.overdue()).await.is_err());
    }
}
