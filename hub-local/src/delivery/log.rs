//! The broadcast log of a hub. A message is appended once, and each connection reads from its own position.
//!
//! A broadcast costs the sender O(1) plus one wake-up per idle reader. Readers need no lock.
//! Each outbox limits the messages that wait for its client. The log stores the lowest position at which
//! any outbox can be full. A sender checks every outbox only if its message ends beyond this position.

use std::{sync::Arc, task::Waker};

use super::{
    backlog::Backlog,
    batch::Batch,
    frame::Frame,
    pace::WakePacer,
    segment::{Position, Run, Segment},
    waker_list::WakerList,
};
use crate::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

/// Broadcast log of one hub and one protocol.
#[derive(Debug)]
pub(crate) struct Log {
    /// Serializes appends. Lock order: never acquire while holding an outbox lock.
    sending: Mutex<()>,
    tail: Mutex<Tail>,
    /// The number of messages. Stored (release) after each append, and loaded (acquire) by readers.
    end: AtomicU64,
    /// The end of the log, including the message that is being appended.
    reserved: AtomicPosition,
    /// Lowest position of the log's end at which any outbox can be full.
    full_at: AtomicPosition,
    /// Number of times that the waiting readers were woken.
    round: AtomicU64,
    pace: Arc<WakePacer>,
    backlog: Arc<Backlog>,
}

#[derive(Debug)]
struct Tail {
    segment: Arc<Segment>,
    readers: usize,
    wakers: WakerList,
}

/// A position in the log that several threads change.
///
/// A sender stores `reserved`, then loads `full_at`. An outbox that fills up lowers `full_at`, then loads
/// `reserved`. `SeqCst` puts all four accesses in one total order, so at least one side sees the store of
/// the other side. Acquire and release would allow both sides to miss the store.
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
            // Usually the stored position is already lower. A plain load then keeps the cache line shared.
            if held.load(Ordering::SeqCst) > new {
                held.fetch_min(new, Ordering::SeqCst);
            }
        }
    }
}

const NEVER: Position = Position { messages: u64::MAX, bytes: u64::MAX };

impl Log {
    pub(crate) fn new(backlog: Arc<Backlog>, pace: Arc<WakePacer>) -> Self {
        let segment = Arc::new(Segment::new(Position::default()));
        Self {
            sending: Mutex::default(),
            tail: Mutex::new(Tail { segment, readers: 0, wakers: WakerList::default() }),
            end: AtomicU64::new(0),
            reserved: AtomicPosition::at(Position::default()),
            full_at: AtomicPosition::at(NEVER),
            round: AtomicU64::new(0),
            pace,
            backlog,
        }
    }

    /// Appends a message for every reader. When an outbox may be full, resets `full_at` and calls `make_room`
    /// with the size of the message in bytes. `make_room` closes the readers without room, and the other
    /// readers lower `full_at` again through [`Reader::full_at`].
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
        let (wakers, readers) = self.append(frame);
        drop(sending);
        self.pace.wake(wakers, readers);
    }

    /// Returns the wakers of the readers that wait, and the number of all readers.
    fn append(&self, frame: Frame) -> (Vec<Waker>, usize) {
        let mut tail = self.tail.lock();
        self.backlog.add(frame.bytes().len() * tail.readers);
        if let Some(next) = tail.segment.append(frame) {
            tail.segment = next;
        }
        self.end.fetch_add(1, Ordering::Release);
        let wakers = tail.wakers.take();
        if !wakers.is_empty() {
            self.round.fetch_add(1, Ordering::Release);
        }
        (wakers, tail.readers)
    }

    /// A reader of all later messages.
    pub(crate) fn join(self: &Arc<Self>) -> Reader {
        self.pace.use_current_runtime();
        let mut tail = self.tail.lock();
        tail.readers += 1;
        let (slot, segment) = (Some(tail.wakers.open()), Arc::clone(&tail.segment));
        let at = segment.filled();
        Reader { log: Arc::clone(self), segment, at, slot, asleep_in: u64::MAX }
    }
}

/// The reader of one connection.
#[derive(Debug)]
pub(crate) struct Reader {
    log: Arc<Log>,
    segment: Arc<Segment>,
    /// Index of the next message in the segment.
    at: usize,
    /// Slot in the waker list; `None` after [`Reader::leave`].
    slot: Option<usize>,
    /// The round in which this reader registered its waker.
    asleep_in: u64,
}

impl Reader {
    /// The position after the last taken message.
    pub(crate) fn taken(&self) -> Position {
        self.segment.position(self.at)
    }

    /// The end of the log, including the message that is being appended.
    pub(crate) fn reserved(&self) -> Position {
        self.log.reserved.get()
    }

    /// The number of messages in the log.
    pub(crate) fn end(&self) -> u64 {
        self.log.end.load(Ordering::Acquire)
    }

    /// Lowers the position at which senders must look for full outboxes.
    pub(crate) fn full_at(&self, position: Position) {
        self.log.full_at.lower(position);
    }

    /// Moves messages before the message number `until` to the batch, at most `room` of them. Returns the
    /// number and the bytes of these messages.
    pub(crate) fn take(&mut self, until: u64, mut room: usize, batch: &mut Batch) -> Position {
        let before = self.taken();
        loop {
            // Load `next` before `filled`: once a next segment exists, the current segment is complete.
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

    /// Registers the waker and returns `true`, or returns `false` if there is a message to take.
    pub(crate) fn sleep(&mut self, waker: &Waker, is_same: bool) -> bool {
        // The reader was not woken since the last registration, so the registration is still valid.
        if is_same && self.asleep_in == self.log.round.load(Ordering::Acquire) {
            return true;
        }
        let Some(slot) = self.slot else { return true };
        let mut tail = self.log.tail.lock();
        if tail.segment.position(tail.segment.filled()) != self.taken() {
            return false;
        }
        tail.wakers.add(slot, waker);
        self.asleep_in = self.log.round.load(Ordering::Acquire);
        true
    }

    /// Unregisters the reader. Returns the end of the log, up to which the reader may still read.
    pub(crate) fn leave(&mut self) -> Position {
        let mut tail = self.log.tail.lock();
        if let Some(slot) = self.slot.take() {
            tail.readers -= 1;
            tail.wakers.close(slot);
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
