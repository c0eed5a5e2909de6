//! What everyone of a hub is sent: written once, and read by each connection from where it stands.
//!
//! So a message for everyone costs the sender the same for one client and for thousands, those
//! aside that sleep and must be woken. Nothing is locked to read. How much may wait for one client
//! is the rule of its outbox; the log knows how far it may grow before the first of them can be
//! full, and only then does a sender look at each.

use std::{sync::Arc, task::Waker};

use tokio_util::task::TaskTracker;

use super::{
    backlog::Backlog,
    batch::Batch,
    frame::Frame,
    pace::Pace,
    segment::{Point, Run, Segment},
    sleepers::Sleepers,
};
use crate::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

/// The messages for everyone of one hub who speaks one protocol.
#[derive(Debug)]
pub(crate) struct Log {
    /// Held by whoever adds a message. Nobody waits for it who holds the lock of an outbox.
    sending: Mutex<()>,
    tail: Mutex<Tail>,
    /// How many messages there are.
    end: AtomicU64,
    /// How far the log reaches, with the message that is being added.
    reach: Reach,
    /// No outbox is full before the log reaches so far.
    full_at: Reach,
    /// How often the sleepers were woken.
    round: AtomicU64,
    pace: Arc<Pace>,
    backlog: Arc<Backlog>,
}

#[derive(Debug)]
struct Tail {
    segment: Arc<Segment>,
    readers: usize,
    sleepers: Sleepers,
}

/// A point in the log that others change.
///
/// A sender moves `reach` and then looks at `full_at`; an outbox that fills lowers `full_at` and
/// then looks at `reach`. In that one order of all four neither can miss the other.
#[derive(Debug)]
struct Reach {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Reach {
    fn at(point: Point) -> Self {
        Self { messages: AtomicU64::new(point.messages), bytes: AtomicU64::new(point.bytes) }
    }

    fn get(&self) -> Point {
        Point {
            messages: self.messages.load(Ordering::SeqCst),
            bytes: self.bytes.load(Ordering::SeqCst),
        }
    }

    fn set(&self, point: Point) {
        self.messages.store(point.messages, Ordering::SeqCst);
        self.bytes.store(point.bytes, Ordering::SeqCst);
    }

    fn lower(&self, point: Point) {
        for (held, new) in [(&self.messages, point.messages), (&self.bytes, point.bytes)] {
            // Mostly it is lower already, and then nobody's cache line changes.
            if held.load(Ordering::SeqCst) > new {
                held.fetch_min(new, Ordering::SeqCst);
            }
        }
    }
}

const NEVER: Point = Point { messages: u64::MAX, bytes: u64::MAX };

impl Log {
    /// `tasks` gets one more while many are woken.
    pub(crate) fn new(backlog: Arc<Backlog>, tasks: TaskTracker) -> Self {
        let segment = Arc::new(Segment::new(Point::default()));
        Self {
            sending: Mutex::default(),
            tail: Mutex::new(Tail { segment, readers: 0, sleepers: Sleepers::default() }),
            end: AtomicU64::new(0),
            reach: Reach::at(Point::default()),
            full_at: Reach::at(NEVER),
            round: AtomicU64::new(0),
            pace: Pace::new(tasks),
            backlog,
        }
    }

    /// Adds a message for every reader. `make_room` is called when one of them may have no room for
    /// so many bytes; it closes those, and what the others can take is told by
    /// [`Place::full_at`] meanwhile.
    pub(crate) fn send(&self, frame: Frame, make_room: impl FnOnce(usize)) {
        let sending = self.sending.lock();
        let length = frame.bytes().len();
        let mut reach = self.reach.get();
        reach.messages += 1;
        reach.bytes += length as u64;
        self.reach.set(reach);
        let full_at = self.full_at.get();
        if reach.messages > full_at.messages || reach.bytes > full_at.bytes {
            self.full_at.set(NEVER);
            make_room(length);
        }
        let sleepers = self.append(frame);
        drop(sending);
        self.pace.wake(sleepers);
    }

    fn append(&self, frame: Frame) -> Vec<Waker> {
        let mut tail = self.tail.lock();
        self.backlog.add(frame.bytes().len() * tail.readers);
        if let Some(next) = tail.segment.append(frame) {
            tail.segment = next;
        }
        self.end.fetch_add(1, Ordering::Release);
        let sleepers = tail.sleepers.take();
        if !sleepers.is_empty() {
            self.round.fetch_add(1, Ordering::Release);
        }
        sleepers
    }

    /// A reader of everything that comes from now on.
    pub(crate) fn join(self: &Arc<Self>) -> Place {
        self.pace.joined();
        let mut tail = self.tail.lock();
        tail.readers += 1;
        let (slot, segment) = (Some(tail.sleepers.open()), Arc::clone(&tail.segment));
        let at = segment.filled();
        Place { log: Arc::clone(self), segment, at, slot, asleep_in: u64::MAX }
    }
}

/// Where one connection stands in a log.
#[derive(Debug)]
pub(crate) struct Place {
    log: Arc<Log>,
    segment: Arc<Segment>,
    /// The next message of the segment.
    at: usize,
    /// Until the reader leaves.
    slot: Option<usize>,
    /// The round in which this reader went to sleep.
    asleep_in: u64,
}

impl Place {
    /// What has been taken.
    pub(crate) fn taken(&self) -> Point {
        self.segment.point(self.at)
    }

    /// How far the log reaches, with the message that is being added.
    pub(crate) fn reach(&self) -> Point {
        self.log.reach.get()
    }

    /// How many messages the log has now; what is sent now comes after them.
    pub(crate) fn end(&self) -> u64 {
        self.log.end.load(Ordering::Acquire)
    }

    /// Tells senders how far the log may reach before this reader's outbox is full.
    pub(crate) fn full_at(&self, point: Point) {
        self.log.full_at.lower(point);
    }

    /// Moves at most so many messages to the batch, none from `until` on. Returns how much it was.
    pub(crate) fn take(&mut self, until: u64, mut room: usize, batch: &mut Batch) -> Point {
        let before = self.taken();
        loop {
            // In this order: once there is a next piece, this one is whole.
            let next = self.segment.next();
            let filled = self.segment.filled();
            let left = until.saturating_sub(self.taken().messages);
            let count = (filled - self.at).min(room).min(usize::try_from(left).unwrap_or(room));
            if count > 0 {
                batch.push_run(Run::new(&self.segment, self.at, self.at + count));
            }
            (self.at, room) = (self.at + count, room - count);
            match next {
                Some(next) if self.at == filled => (self.segment, self.at) = (Arc::clone(next), 0),
                _ => break,
            }
        }
        let after = self.taken();
        Point { messages: after.messages - before.messages, bytes: after.bytes - before.bytes }
    }

    /// Whether the reader may sleep until it is woken; else there is something to take.
    pub(crate) fn sleep(&mut self, waker: &Waker, is_same: bool) -> bool {
        // Not woken since it was put down: that still holds.
        if is_same && self.asleep_in == self.log.round.load(Ordering::Acquire) {
            return true;
        }
        let Some(slot) = self.slot else { return true };
        let mut tail = self.log.tail.lock();
        if tail.segment.point(tail.segment.filled()) != self.taken() {
            return false;
        }
        tail.sleepers.add(slot, waker);
        self.asleep_in = self.log.round.load(Ordering::Acquire);
        true
    }

    /// Reads no further than this: what the log has now.
    pub(crate) fn leave(&mut self) -> Point {
        let mut tail = self.log.tail.lock();
        if let Some(slot) = self.slot.take() {
            tail.readers -= 1;
            tail.sleepers.close(slot);
        }
        tail.segment.point(tail.segment.filled())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.slot.is_some() {
            self.leave();
        }
    }
}
