//! A piece of a log. Each reader holds the piece it stands in and finds the next one from there, so
//! that what nobody needs any more is gone by itself.

use std::sync::{Arc, atomic::AtomicU64};

use super::frame::Frame;
use crate::{
    limits::{MAX_SEGMENT_BYTES, MAX_SEGMENT_MESSAGES},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Some messages of a log, in order, and the way to those that follow.
#[derive(Debug)]
pub(super) struct Segment {
    messages: Arc<Messages>,
    /// Once it is there, this piece gets no more.
    next: OnceLock<Arc<Self>>,
}

/// The messages of a piece. They are added by one at a time and read by many. Apart from the way to
/// the next, so that whoever is still writing them keeps nothing that came later.
#[derive(Debug)]
struct Messages {
    /// Different for each piece of this process, even when memory is used again.
    id: u64,
    start: Position,
    entries: Box<[OnceLock<Entry>]>,
    /// How many of them are there.
    filled: AtomicUsize,
}

/// A place between two messages, counted from the beginning of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

#[derive(Debug)]
struct Entry {
    frame: Frame,
    /// The bytes of the log up to the end of this message.
    end: u64,
}

impl Segment {
    pub(super) fn new(start: Position) -> Self {
        static IDS: AtomicU64 = AtomicU64::new(0);
        let messages = Messages {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            start,
            entries: (0..MAX_SEGMENT_MESSAGES).map(|_| OnceLock::new()).collect(),
            filled: AtomicUsize::new(0),
        };
        Self { messages: Arc::new(messages), next: OnceLock::new() }
    }

    /// Adds a message. Only the holder of the log's lock does. Returned is the piece for the
    /// message after this one, when it is another.
    pub(super) fn append(&self, frame: Frame) -> Option<Arc<Self>> {
        let messages = &*self.messages;
        let filled = messages.filled();
        let end = messages.position(filled).bytes + frame.bytes().len() as u64;
        if let Some(entry) = messages.entries.get(filled) {
            // Empty, since nobody else adds.
            let _ = entry.set(Entry { frame, end });
        }
        messages.filled.store(filled + 1, Ordering::Release);
        let is_full =
            filled + 1 == messages.entries.len() || end - messages.start.bytes >= MAX_SEGMENT_BYTES;
        is_full.then(|| {
            let next = Self::new(messages.position(filled + 1));
            Arc::clone(self.next.get_or_init(|| Arc::new(next)))
        })
    }

    pub(super) fn filled(&self) -> usize {
        self.messages.filled()
    }

    pub(super) fn next(&self) -> Option<&Arc<Self>> {
        self.next.get()
    }

    /// Where the message with this index begins.
    pub(super) fn position(&self, index: usize) -> Position {
        self.messages.position(index)
    }
}

impl Messages {
    fn filled(&self) -> usize {
        self.filled.load(Ordering::Acquire)
    }

    fn position(&self, index: usize) -> Position {
        let last = index.checked_sub(1).and_then(|last| self.entries.get(last)?.get());
        let bytes = last.map_or(self.start.bytes, |entry| entry.end);
        Position { messages: self.start.messages + index as u64, bytes }
    }

    fn frame(&self, index: usize) -> Option<&Frame> {
        Some(&self.entries.get(index)?.get()?.frame)
    }
}

impl Drop for Segment {
    /// One piece after the other: a reader that stood still may hold many, and each of them would
    /// be dropped inside the one before.
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut piece) = next.and_then(Arc::into_inner) {
            next = piece.next.take();
        }
    }
}

/// Messages that follow each other, shared with whoever reads them.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    messages: Arc<Messages>,
    from: usize,
    to: usize,
}

/// What tells two runs apart.
pub(crate) type RunKey = (u64, usize, usize);

impl Run {
    pub(super) fn new(segment: &Segment, from: usize, to: usize) -> Self {
        Self { messages: Arc::clone(&segment.messages), from, to }
    }

    /// Runs with the same key have the same messages.
    pub(crate) fn key(&self) -> RunKey {
        (self.messages.id, self.from, self.to)
    }

    pub(crate) fn messages(&self) -> usize {
        self.to - self.from
    }

    pub(crate) fn bytes(&self) -> usize {
        let length =
            self.messages.position(self.to).bytes - self.messages.position(self.from).bytes;
        usize::try_from(length).unwrap_or(usize::MAX)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Frame> {
        (self.from..self.to).filter_map(|index| self.messages.frame(index))
    }

    /// Takes the first message off.
    pub(crate) fn pop_front(&mut self) -> Option<Frame> {
        let first = (self.from < self.to).then(|| self.messages.frame(self.from).cloned())?;
        self.from += 1;
        first
    }
}
