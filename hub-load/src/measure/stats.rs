//! Counters of a run, sharded because all clients write to them.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;

use super::histogram::Histogram;

const SHARDS: usize = 8;
/// Maximum number of distinct error texts that are stored. Further errors are only counted.
const ERRORS: usize = 5;

/// Counters of a run.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    messages: [Padded; SHARDS],
    latency: [Mutex<Histogram>; SHARDS],
    pub(crate) lost: AtomicU64,
    pub(crate) duplicated: AtomicU64,
    /// Clients that never read and that the server has closed.
    pub(crate) slow_closed: AtomicU64,
    errors: AtomicU64,
    texts: Mutex<Vec<String>>,
}

/// A counter that is aligned to 128 bytes, to avoid false sharing.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded(AtomicU64);

impl Stats {
    /// Counts received messages of a client.
    pub(crate) fn received(&self, client: usize, count: u64) {
        if let Some(shard) = self.messages.get(client % SHARDS) {
            shard.0.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Records latencies. `times` calls its argument once per message.
    pub(crate) fn record(&self, client: usize, times: impl FnOnce(&mut dyn FnMut(Duration))) {
        if let Some(shard) = self.latency.get(client % SHARDS) {
            let mut histogram = shard.lock();
            times(&mut |time| histogram.record(time));
        }
    }

    pub(crate) fn error(&self, error: impl std::fmt::Display) {
        self.errors_of(1, error);
    }

    pub(crate) fn errors_of(&self, count: u64, error: impl std::fmt::Display) {
        if count == 0 {
            return;
        }
        self.errors.fetch_add(count, Ordering::Relaxed);
        let mut texts = self.texts.lock();
        let text = error.to_string();
        if texts.len() < ERRORS && !texts.contains(&text) {
            texts.push(text);
        }
    }

    pub(crate) fn messages(&self) -> u64 {
        self.messages.iter().map(|shard| shard.0.load(Ordering::Relaxed)).sum()
    }

    pub(crate) fn errors(&self) -> (u64, Vec<String>) {
        (self.errors.load(Ordering::Relaxed), self.texts.lock().clone())
    }

    /// Discards the latencies of the warm-up.
    pub(crate) fn clear_latency(&self) {
        self.latency.iter().for_each(|shard| shard.lock().clear());
    }

    pub(crate) fn latency(&self) -> Histogram {
        let mut all = Histogram::default();
        self.latency.iter().for_each(|shard| all.add(&shard.lock()));
        all
    }
}
