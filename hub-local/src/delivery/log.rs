//! The broadcast log of a hub: appended once, read by each connection from its own position.
//!
//! A broadcast costs the sender O(1), plus one wake-up per idle reader, and reading takes no lock.
//! Each outbox bounds what waits for its client. The log keeps the lowest position at which any
//! outbox can be full; only a sender that moves beyond it looks at every outbox.

use std::{sync::Arc, task::Waker};

use tokio_util::task::TaskTracker;

use super::{
    backlog::Backlog,
    batch::Batch,
    frame::Frame,
    pace::WakePacer,
    segment::{Position, Run, Segment},
    sleepers::Sleepers,
};
use crate::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

/// The messages for everyone of one hub who speaks one protocol.
#[derive(Debug)]
pub(crate) struct Log {
    /// Serializes appends. Lock order: never acquire while holding an outbox lock.
    sending: Mutex<()>,
    tail: Mutex<Tail>,
    /// The number of messages.
    end: AtomicU64,
    /// The end of the log, with the message that is being appended.
    reserved: AtomicPosition,
    /// No outbox is full before the log ends here.
    full_at: AtomicPosition,
    /// How often the sleepers were woken.
    round: AtomicU64,
    pace: Arc<WakePacer>,
    backlog: Arc<Backlog>,
}

#[derive(Debug)]
struct Tail {
    segment: Arc<Segment>,
    readers: usize,
    sleepers: Sleepers,
}

/// A position in the log that several threads change.
///
/// A sender moves `reserved` and then looks at `full_at`; an outbox that fills lowers `full_at` and
/// then looks at `reserved`. In that one order of all four neither can miss the other.
#[derive(Debug)]
struct AtomicPosition {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl AtomicPosition {
    fn at(position: Position) -> Self {
        Self { messages: AtomicU64::new(position.messages), bytes: AtomicU64::new(position.bytes) }
    }

    fn get(&self) -> Position {
        Position {
            messages: self.messages.load(Ordering::SeqCst),
            bytes: self.bytes.load(Ordering::SeqCst),
        }
    }

    fn set(&self, position: Position) {
        self.messages.store(position.messages, Ordering::SeqCst);
        self.bytes.store(position.bytes, Ordering::SeqCst);
    }

    fn lower(&self, position: Position) {
        for (held, new) in [(&self.messages, position.messages), (&self.bytes, position.bytes)] {
            // Mostly it is lower already, and then nobody's cache line changes.
            if held.load(Ordering::SeqCst) > new {
                held.fetch_min(new, Ordering::SeqCst);
            }
        }
    }
}

const NEVER: Position = Position { messages: u64::MAX, bytes: u64::MAX };

impl Log {
    /// `tasks` gets one more while many are woken.
    pub(crate) fn new(backlog: Arc<Backlog>, tasks: TaskTracker) -> Self {
        let segment = Arc::new(Segment::new(Position::default()));
        Self {
            sending: Mutex::default(),
            tail: Mutex::new(Tail { segment, readers: 0, sleepers: Sleepers::default() }),
            end: AtomicU64::new(0),
            reserved: AtomicPosition::at(Position::default()),
            full_at: AtomicPosition::at(NEVER),
            round: AtomicU64::new(0),
            pace: WakePacer::new(tasks),
            backlog,
        }
    }

    /// Adds a message for every reader. `make_room` is called when one of them may have no room for
    /// so many bytes; it closes those, and what the others can take is told by
    /// [`Reader::full_at`] meanwhile.
    pub(crate) fn send(&self, frame: Frame, make_room: impl FnOnce(usize)) {
        let sending = self.sending.lock();
        let length = frame.bytes().len();
        let mut reserved = self.reserved.get();
        reserved.messages += 1;
        reserved.bytes += length as u64;
        self.reserved.set(reserved);
        let full_at = self.full_at.get();
        if reserved.messages > full_at.messages || reserved.bytes > full_at.bytes {
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
    pub(crate) fn join(self: &Arc<Self>) -> Reader {
        self.pace.use_current_runtime();
        let mut tail = self.tail.lock();
        tail.readers += 1;
        let (slot, segment) = (Some(tail.sleepers.open()), Arc::clone(&tail.segment));
        let at = segment.filled();
        Reader { log: Arc::clone(self), segment, at, slot, asleep_in: u64::MAX }
    }
}

/// The reader of one connection.
#[derive(Debug)]
pub(crate) struct Reader {
    log: Arc<Log>,
    segment: Arc<Segment>,
    /// The next message of the segment.
    at: usize,
    /// Until the reader leaves.
    slot: Option<usize>,
    /// The round in which this reader went to sleep.
    asleep_in: u64,
}

impl Reader {
    /// What has been taken.
    pub(crate) fn taken(&self) -> Position {
        self.segment.position(self.at)
    }

    /// The end of the log, with the message that is being appended.
    pub(crate) fn reserved(&self) -> Position {
        self.log.reserved.get()
    }

    /// How many messages the log has now; what is sent now comes after them.
    pub(crate) fn end(&self) -> u64 {
        self.log.end.load(Ordering::Acquire)
    }

    /// Tells senders how far the log may reach before this reader's outbox is full.
    pub(crate) fn full_at(&self, position: Position) {
        self.log.full_at.lower(position);
    }

    /// Moves at most so many messages to the batch, none from `until` on. Returns how much it was.
    pub(crate) fn take(&mut self, until: u64, mut room: usize, batch: &mut Batch) -> Position {
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
        Position { messages: after.messages - before.messages, bytes: after.bytes - before.bytes }
    }

    /// Whether the reader may sleep until it is woken; else there is something to take.
    pub(crate) fn sleep(&mut self, waker: &Waker, is_same: bool) -> bool {
        // Not woken since it was put down: that still holds.
        if is_same && self.asleep_in == self.log.round.load(Ordering::Acquire) {
            return true;
        }
        let Some(slot) = self.slot else { return true };
        let mut tail = self.log.tail.lock();
        if tail.segment.position(tail.segment.filled()) != self.taken() {
            return false;
        }
        tail.sleepers.add(slot, waker);
        self.asleep_in = self.log.round.load(Ordering::Acquire);
        true
    }

    /// Reads no further than this: what the log has now.
    pub(crate) fn leave(&mut self) -> Position {
        let mut tail = self.log.tail.lock();
        if let Some(slot) = self.slot.take() {
            tail.readers -= 1;
            tail.sleepers.close(slot);
        }
        tail.segment.position(tail.segment.filled())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if self.slot.is_some() {
            self.leave();
        }
    }
}
