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
    /// Whether the service has ended.
    is_ended: bool,
    pub(super) running: Running,
    pub(super) rates: Rates,
    pub(super) apps: Apps,
}

impl Ring {
    /// Adds an event. `bytes` is the size of all events with their conversations.
    pub(super) fn push(&mut self, at: u64, what: What, bytes: &AtomicUsize) {
        if self.is_ended {
            return;
        }
        self.last += 1;
        let size = what.size() + what.conversation().map_or(0, |of| of.enter());
        let mut all = bytes.fetch_add(size, Ordering::Relaxed) + size;
        self.events.push_back(Event { seq: self.last, at, what });
        while self.events.len() > MAX_EVENTS || all > MAX_BYTES {
            let Some(oldest) = self.events.pop_front() else { break };
            all -= left(&oldest, bytes);
        }
    }

    /// Removes all events and calls, and takes no more.
    pub(super) fn end(&mut self, bytes: &AtomicUsize) {
        self.clear(bytes);
        self.running = Running::default();
        self.is_ended = true;
    }

    /// Removes all events.
    pub(super) fn clear(&mut self, bytes: &AtomicUsize) {
        for event in std::mem::take(&mut self.events) {
            left(&event, bytes);
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

/// An event has left the ring. Returns the size that it had.
fn left(event: &Event, bytes: &AtomicUsize) -> usize {
    let size = event.what.size() + event.what.conversation().map_or(0, |of| of.leave());
    bytes.fetch_sub(size, Ordering::Relaxed);
    size
}
