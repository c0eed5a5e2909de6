//! The frames of one outbox, in the order in which the client receives them.

use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
};

use tokio::time::Instant;

use crate::{
    delivery::{backlog::Backlog, batch::Batch, frame::Frame, log::Reader, segment::Position},
    sync::MutexGuard,
};

/// The counts include frames of both sources that the writer has taken but not yet written.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The queued frames, each with the number of log messages before it.
    pub(super) frames: VecDeque<(u64, Frame)>,
    pub(super) bytes: usize,
    pub(super) messages: usize,
    pub(super) intake: Intake,
    pub(super) writer: Option<Waker>,
    pub(super) writer_state: WriterState,
    /// The client's reader of the broadcast log, after the handshake.
    pub(super) reader: Option<Reader>,
    /// Time of the first check since the last write that found pending data.
    pub(super) stalled_since: Option<Instant>,
}

/// Whether the writer waits for a wake-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum WriterState {
    #[default]
    Awake,
    Asleep,
    /// A paced wake-up is on its way. A message to this client alone does not wait for it.
    WokenLater,
}

/// Whether the queue accepts frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Intake {
    #[default]
    Open,
    /// A frame was dropped because the outbox was full. A client that read a later frame would miss this one.
    Overflowed,
    Closed,
}

impl Queue {
    pub(super) fn append(&mut self, frame: Frame) {
        self.bytes += frame.bytes.len();
        self.messages += 1;
        let before = self.reader.as_ref().map_or(0, Reader::end);
        // The queue of an idle client keeps room for one frame, its last ping, and not for four.
        if self.frames.capacity() == 0 {
            self.frames.reserve_exact(1);
        }
        self.frames.push_back((before, frame));
    }

    /// Leaves the log and removes all frames that were not taken. They no longer count. The caller drops the
    /// result after it releases the lock.
    pub(super) fn discard(
        &mut self,
        backlog: &Backlog,
    ) -> (VecDeque<(u64, Frame)>, Option<Reader>) {
        let frames = std::mem::take(&mut self.frames);
        let bytes = frames.iter().map(|(_, frame)| frame.bytes.len()).sum::<usize>();
        self.bytes -= bytes;
        self.messages -= frames.len();
        let mut reader = self.reader.take();
        let unread = reader.as_mut().map_or(0, |it| it.leave().bytes - it.taken().bytes);
        backlog.subtract(bytes + usize::try_from(unread).unwrap_or(0));
        (frames, reader)
    }

    /// Leaves the log: its unread messages move to the client's own queue, so that a client that does not
    /// read keeps no later segments alive.
    pub(super) fn leave_log(&mut self) -> Option<Reader> {
        let end = self.reader.as_mut()?.leave();
        self.own(end)
    }

    /// Moves the log messages before `end` to the queue.
    pub(super) fn own(&mut self, end: Position) -> Option<Reader> {
        let mut rest = Batch::default();
        self.take(end.messages, &mut rest, usize::MAX);
        self.frames = rest.drain().map(|frame| (0, frame)).collect();
        self.reader.take()
    }

    /// The size that counts against the limits, including the message that is being appended to the log.
    pub(super) fn waiting(&self) -> Position {
        let (mut messages, mut bytes) = (self.messages as u64, self.bytes as u64);
        if let Some(reader) = &self.reader {
            let (end, taken) = (reader.reserved(), reader.taken());
            messages += end.messages.saturating_sub(taken.messages);
            bytes += end.bytes.saturating_sub(taken.bytes);
        }
        Position { messages, bytes }
    }

    /// Whether there is a frame to take.
    pub(super) fn has_frames(&self) -> bool {
        let behind = |reader: &Reader| reader.end() > reader.taken().messages;
        !self.frames.is_empty() || self.reader.as_ref().is_some_and(behind)
    }

    /// Moves at most `room` frames to the batch, in the order of sends. Takes only log messages before
    /// `until`.
    pub(super) fn take(&mut self, until: u64, batch: &mut Batch, mut room: usize) {
        while room > 0 {
            let next = self.frames.front().map(|(before, _)| *before);
            if let Some(reader) = &mut self.reader {
                let taken = reader.take(next.unwrap_or(until), room, batch);
                let messages = usize::try_from(taken.messages).unwrap_or(room);
                self.messages += messages;
                self.bytes += usize::try_from(taken.bytes).unwrap_or(usize::MAX);
                room -= messages;
            }
            if room == 0 {
                return;
            }
            let Some((_, frame)) = self.frames.pop_front() else { return };
            batch.push(frame);
            room -= 1;
        }
    }

    /// Ready when there may be a frame to take, or the outbox is closed.
    pub(super) fn poll_more(&mut self, context: &Context<'_>) -> Poll<()> {
        if self.intake == Intake::Closed {
            return Poll::Ready(());
        }
        let is_same = self.writer.as_ref().is_some_and(|it| it.will_wake(context.waker()));
        if !is_same {
            self.writer = Some(context.waker().clone());
        }
        self.writer_state = WriterState::Asleep;
        let sleeps = self.reader.as_mut().is_none_or(|it| it.sleep(context.waker(), is_same));
        if sleeps { Poll::Pending } else { Poll::Ready(()) }
    }
}

/// Releases the lock, and returns the waker of the writer if the writer sleeps, also if it is woken later. It is called
/// without the lock, so that the writer does not block on the lock.
pub(super) fn sleeping_writer(mut queue: MutexGuard<'_, Queue>) -> Option<Waker> {
    let state = std::mem::take(&mut queue.writer_state);
    queue.writer.as_ref().filter(|_| state != WriterState::Awake).cloned()
}

/// Like [`sleeping_writer`], for a wake-up that may come later. `None` if one is on its way.
pub(super) fn writer_to_wake_later(mut queue: MutexGuard<'_, Queue>) -> Option<Waker> {
    if queue.writer_state != WriterState::Asleep {
        return None;
    }
    queue.writer_state = WriterState::WokenLater;
    queue.writer.clone()
}

/// Wakes the writer if it sleeps.
pub(super) fn wake(queue: MutexGuard<'_, Queue>) {
    if let Some(writer) = sleeping_writer(queue) {
        writer.wake();
    }
}
