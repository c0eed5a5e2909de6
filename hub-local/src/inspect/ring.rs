//! The ring of events: bounded in number and in bytes.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::{
    activity::{Apps, Rates, Running},
    event::{Event, What},
};

/// The largest number of events.
pub(super) const MAX_EVENTS: usize = 2000;
/// The largest size of all events, with their conversations.
pub(super) const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The latest events, and what is derived from them.
#[derive(Debug, Default)]
pub(super) struct Ring {
    events: VecDeque<Event>,
    /// The number of the latest event.
    pub(super) last: u64,
    /// The number of the latest event when the ring was cleared.
    pub(super) cleared: u64,
    pub(super) running: Running,
    pub(super) rates: Rates,
    pub(super) apps: Apps,
}

impl Ring {
    /// Adds an event. `bytes` is the size of all events, with conversations that are not in the ring yet or any more.
    pub(super) fn push(&mut self, at: u64, what: What, bytes: &AtomicUsize) {
        self.last += 1;
        let size = what.size();
        let mut all = bytes.fetch_add(size, Ordering::Relaxed) + size;
        self.events.push_back(Event { seq: self.last, at, what });
        while self.events.len() > MAX_EVENTS || all > MAX_BYTES {
            let Some(oldest) = self.events.pop_front() else { break };
            bytes.fetch_sub(oldest.what.size(), Ordering::Relaxed);
            drop(oldest);
            all = bytes.load(Ordering::Relaxed);
        }
    }

    /// Removes all events.
    pub(super) fn clear(&mut self, bytes: &AtomicUsize) {
        for event in std::mem::take(&mut self.events) {
            bytes.fetch_sub(event.what.size(), Ordering::Relaxed);
        }
        self.cleared = self.last;
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// The number of the oldest event that is kept.
    pub(super) fn first(&self) -> Option<u64> {
        self.events.front().map(|event| event.seq)
    }

    /// The events after this number, oldest first.
    pub(super) fn after(&self, seq: u64) -> impl DoubleEndedIterator<Item = &Event> {
        let from = self.events.partition_point(|event| event.seq <= seq);
        self.events.range(from..)
    }
}
