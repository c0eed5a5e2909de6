//! The closed loop of a broadcast, which bounds the number of pending messages.
//!
//! A ring counts the clients at each position. A read updates two counters, however many messages
//! it contains.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// State shared by all clients of a broadcast.
#[derive(Debug)]
pub(crate) struct Window {
    size: u64,
    began: Instant,
    /// Number of clients that have received exactly this number of messages. The index is the number of
    /// messages, modulo the size of the ring.
    at_position: Box<[AtomicUsize]>,
    /// Send time of each message, in nanoseconds since `began`. The index is the message number, modulo the
    /// size of the ring.
    sent_at: Box<[AtomicU64]>,
    sent: AtomicU64,
    /// Number of messages that all clients have received.
    complete: Mutex<u64>,
    changed: Notify,
}

impl Window {
    /// Creates a window of `size` messages for `clients` receivers.
    pub(crate) fn new(size: usize, clients: usize) -> Self {
        // A client is at one of `size + 1` positions.
        let slots = (size + 2).next_power_of_two();
        let at_position: Box<[_]> = (0..slots).map(|_| AtomicUsize::new(0)).collect();
        if let Some(start) = at_position.first() {
            start.store(clients, Ordering::SeqCst);
        }
        Self {
            size: size as u64,
            began: Instant::now(),
            at_position,
            sent_at: (0..slots).map(|_| AtomicU64::new(0)).collect(),
            sent: AtomicU64::new(0),
            complete: Mutex::new(0),
            changed: Notify::new(),
        }
    }

    /// Number of messages sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// Waits for room and reserves the next message numbers, at most `at_most`.
    pub(crate) async fn reserve(&self, at_most: u64) -> std::ops::Range<u64> {
        loop {
            if let Some(range) = self.take(at_most) {
                return range;
            }
            self.changed.notified().await;
        }
    }

    fn take(&self, at_most: u64) -> Option<std::ops::Range<u64>> {
        let mut complete = self.complete.lock();
        let sent = self.sent();
        self.advance(&mut complete, sent);
        let room = self.size - (sent - *complete);
        let end = sent + room.min(at_most);
        if end == sent {
            return None;
        }
        let now = self.now();
        for number in sent..end {
            if let Some(slot) = slot(&self.sent_at, number) {
                slot.store(now, Ordering::Relaxed);
            }
        }
        self.sent.store(end, Ordering::SeqCst);
        if room > end - sent {
            self.changed.notify_one();
        }
        Some(sent..end)
    }

    fn advance(&self, complete: &mut u64, sent: u64) {
        let clients_at =
            |number| slot(&self.at_position, number).map(|it| it.load(Ordering::SeqCst));
        while *complete < sent && clients_at(*complete) == Some(0) {
            *complete += 1;
        }
    }

    /// Waits until all clients have received all messages.
    pub(crate) async fn completed(&self) {
        loop {
            {
                let mut complete = self.complete.lock();
                let sent = self.sent();
                self.advance(&mut complete, sent);
                if *complete == sent {
                    return;
                }
            }
            self.changed.notified().await;
        }
    }

    /// Moves a client from position `from` forward by `count` messages. Returns the new position, which is at
    /// most the number of messages sent. Calls `latency` once per message.
    pub(crate) fn receive(&self, from: u64, count: u64, mut latency: impl FnMut(Duration)) -> u64 {
        let to = (from + count).min(self.sent());
        if to == from {
            return to;
        }
        let now = self.now();
        for number in from..to {
            let sent = slot(&self.sent_at, number).map_or(now, |it| it.load(Ordering::Relaxed));
            latency(Duration::from_nanos(now.saturating_sub(sent)));
        }
        // Enter the new slot before leaving the old slot. Otherwise `advance` could miss the client between
        // these steps.
        if let Some(slot) = slot(&self.at_position, to) {
            slot.fetch_add(1, Ordering::SeqCst);
        }
        self.leave(from);
        to
    }

    /// Removes a client at position `at`.
    pub(crate) fn leave(&self, at: u64) {
        if slot(&self.at_position, at).is_some_and(|it| it.fetch_sub(1, Ordering::SeqCst) == 1) {
            self.changed.notify_one();
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

fn slot<T>(ring: &[T], number: u64) -> Option<&T> {
    let mask = ring.len() as u64 - 1;
    ring.get(usize::try_from(number & mask).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn the_slowest_client_determines_the_window() {
        let window = Window::new(2, 2);
        let sent = |window: &Window| window.reserve(9).now_or_never();

        assert_eq!(sent(&window), Some(0..2));
        assert_eq!(window.receive(0, 2, |_| {}), 2);
        assert_eq!(sent(&window), None);
        assert_eq!(window.receive(0, 1, |_| {}), 1);
        assert_eq!(sent(&window), Some(2..3));
        assert_eq!(window.completed().now_or_never(), None);
    }

    #[test]
    fn a_client_that_leaves_frees_its_messages_and_no_client_gets_extra_ones() {
        let window = Window::new(4, 2);

        assert_eq!(window.reserve(3).now_or_never(), Some(0..3));
        window.leave(0);

        assert_eq!(window.receive(0, 5, |_| {}), 3);
        assert_eq!(window.completed().now_or_never(), Some(()));
    }
}
