//! The closed loop of a broadcast: a new one leaves only while few are on their way.
//!
//! Exact and cheap: a ring counts how many clients have got how far, so that a client changes two
//! counters a read, however many messages that read had.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// What every client of a broadcast shares.
#[derive(Debug)]
pub(crate) struct Window {
    size: u64,
    began: Instant,
    /// By message number: how many clients have got exactly so many messages.
    reached: Box<[AtomicUsize]>,
    /// By message number: when it was sent, in nanoseconds since `began`.
    sent_at: Box<[AtomicU64]>,
    sent: AtomicU64,
    /// How many messages every client has.
    complete: Mutex<u64>,
    moved: Notify,
}

impl Window {
    /// A loop of `size` messages for so many clients.
    pub(crate) fn new(size: usize, clients: usize) -> Self {
        // Clients stand on one of `size + 1` places.
        let places = (size + 2).next_power_of_two();
        let reached: Box<[_]> = (0..places).map(|_| AtomicUsize::new(0)).collect();
        if let Some(start) = reached.first() {
            start.store(clients, Ordering::SeqCst);
        }
        Self {
            size: size as u64,
            began: Instant::now(),
            reached,
            sent_at: (0..places).map(|_| AtomicU64::new(0)).collect(),
            sent: AtomicU64::new(0),
            complete: Mutex::new(0),
            moved: Notify::new(),
        }
    }

    /// How many messages have been sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// Waits for room and takes it: the numbers of the messages to send now, at most so many.
    pub(crate) async fn reserve(&self, at_most: u64) -> std::ops::Range<u64> {
        loop {
            if let Some(range) = self.take(at_most) {
                return range;
            }
            self.moved.notified().await;
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
            if let Some(place) = place(&self.sent_at, number) {
                place.store(now, Ordering::Relaxed);
            }
        }
        self.sent.store(end, Ordering::SeqCst);
        if room > end - sent {
            self.moved.notify_one();
        }
        Some(sent..end)
    }

    fn advance(&self, complete: &mut u64, sent: u64) {
        let left = |number| place(&self.reached, number).map(|it| it.load(Ordering::SeqCst));
        while *complete < sent && left(*complete) == Some(0) {
            *complete += 1;
        }
    }

    /// Waits until every client has everything.
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
            self.moved.notified().await;
        }
    }

    /// A client that had `from` messages got `count` more. Returns how many it has now: never more
    /// than were sent. `latency` is told how long each took.
    pub(crate) fn receive(&self, from: u64, count: u64, mut latency: impl FnMut(Duration)) -> u64 {
        let to = (from + count).min(self.sent());
        if to == from {
            return to;
        }
        let now = self.now();
        for number in from..to {
            let sent = place(&self.sent_at, number).map_or(now, |it| it.load(Ordering::Relaxed));
            latency(Duration::from_nanos(now.saturating_sub(sent)));
        }
        if let Some(place) = place(&self.reached, to) {
            place.fetch_add(1, Ordering::SeqCst);
        }
        self.leave(from);
        to
    }

    /// A client that has `at` messages gets no more.
    pub(crate) fn leave(&self, at: u64) {
        if place(&self.reached, at).is_some_and(|it| it.fetch_sub(1, Ordering::SeqCst) == 1) {
            self.moved.notify_one();
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

fn place<T>(ring: &[T], number: u64) -> Option<&T> {
    let mask = ring.len() as u64 - 1;
    ring.get(usize::try_from(number & mask).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn the_slowest_client_holds_the_window() {
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
    fn a_client_that_leaves_holds_nothing_and_nobody_gets_more_than_was_sent() {
        let window = Window::new(4, 2);

        assert_eq!(window.reserve(3).now_or_never(), Some(0..3));
        window.leave(0);

        assert_eq!(window.receive(0, 5, |_| {}), 3);
        assert_eq!(window.completed().now_or_never(), Some(()));
    }
}
