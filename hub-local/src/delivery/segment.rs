//! Segments of a broadcast log. Each reader holds its current segment, and each segment holds the next
//! segment. Therefore a segment is freed when the last reader has passed it.

use std::sync::{Arc, atomic::AtomicU64};

use super::frame::Frame;
use crate::{
    limits::{MAX_SEGMENT_BYTES, MAX_SEGMENT_MESSAGES},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Consecutive messages of a log, and a link to the next segment.
#[derive(Debug)]
pub(super) struct Segment {
    messages: Arc<Messages>,
    /// The next segment. Set once, when this segment is complete.
    next: OnceLock<Arc<Self>>,
}

/// The messages of a segment, with one appender and many readers. They are separate from the link to the
/// next segment, so that a slow write does not keep later segments alive.
#[derive(Debug)]
struct Messages {
    /// Unique in this process. An address would not be unique, because memory is reused.
    id: u64,
    start: Position,
    entries: Box<[OnceLock<Entry>]>,
    /// Number of entries in use. Stored (release) after an entry is set, and loaded (acquire) by readers.
    filled: AtomicUsize,
}

/// Position between two messages, counted from the beginning of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

#[derive(Debug)]
struct Entry {
    frame: Frame,
    /// Bytes from the beginning of the log to the end of this message.
    end: u64,
}

impl Segment {
    pub(super) fn new(start: Position) -> Self {
        // Relaxed: only uniqueness matters.
        static IDS: AtomicU64 = AtomicU64::new(0);
        let messages = Messages {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            start,
            entries: (0..MAX_SEGMENT_MESSAGES).map(|_| OnceLock::new()).collect(),
            filled: AtomicUsize::new(0),
        };
        Self { messages: Arc::new(messages), next: OnceLock::new() }
    }

    /// Appends a message; the caller holds the log's lock. Returns the next segment when this segment is full.
    pub(super) fn append(&self, frame: Frame) -> Option<Arc<Self>> {
        let messages = &*self.messages;
        let filled = messages.filled();
        let end = messages.position(filled).bytes + frame.bytes().len() as u64;
        if let Some(entry) = messages.entries.get(filled) {
            // The cell is empty, because the log's lock serializes appends.
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

    /// Position before the message with this index.
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
    /// Drops the following segments in a loop. A stalled reader may hold many segments, and a recursive drop
    /// would overflow the stack.
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut segment) = next.and_then(Arc::into_inner) {
            next = segment.next.take();
        }
    }
}

/// Consecutive messages of one segment, shared between readers.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    messages: Arc<Messages>,
    from: usize,
    to: usize,
}

/// Identity of a run: segment id, first index, end index.
pub(crate) type RunKey = (u64, usize, usize);

impl Run {
    pub(super) fn new(segment: &Segment, from: usize, to: usize) -> Self {
        Self { messages: Arc::clone(&segment.messages), from, to }
    }

    /// Runs with equal keys contain the same messages.
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

    /// Removes the first message.
    pub(crate) fn pop_front(&mut self) -> Option<Frame> {
        let first = (self.from < self.to).then(|| self.messages.frame(self.from).cloned())?;
        self.from += 1;
        first
    }
}
