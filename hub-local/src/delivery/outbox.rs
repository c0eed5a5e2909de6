//! What waits for one client: frames that are encoded already, bounded.
//!
//! There are two sources: a queue of the client's own, and the log of what everyone of the hub is
//! sent. Each frame of the queue knows how much of the log comes before it, so that the order of
//! sends is the order of delivery. Senders never wait. The one writer takes many frames at a time;
//! nothing is locked while it writes.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use hub_core::protocol::Protocol;
use tokio::time::Instant;

use super::{
    backlog::{Backlog, STALL_TIMEOUT},
    batch::Batch,
    frame::Frame,
    log::{Log, Reader},
    segment::Position,
};
use crate::{
    limits::Limits,
    sync::{Mutex, MutexGuard, OnceLock},
};

/// How many frames leave in one write at most; below the limit of every system.
const BATCH: usize = 512;

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum PushOutcome {
    Queued,
    /// The client reads too slowly.
    Full,
    /// The connection is ending; nobody would read it.
    Closed,
}

/// On cache lines of its own: senders and the writer meet here, mostly on different processors.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    max_bytes: usize,
    max_messages: usize,
    /// Here because every send looks at it, too.
    protocol: OnceLock<Protocol>,
    backlog: Arc<Backlog>,
}

/// Counts include what the writer has taken and not yet written, from the log, too.
#[derive(Debug, Default)]
struct Queue {
    /// Each with how many messages of the log come before it.
    frames: VecDeque<(u64, Frame)>,
    bytes: usize,
    messages: usize,
    closed: bool,
    writer: Option<Waker>,
    /// The writer waits to be woken.
    asleep: bool,
    /// Where the client stands in the log, once it gets what everyone gets.
    reader: Option<Reader>,
    /// It was seen then that something waits, and nothing has been written since.
    stalled_since: Option<Instant>,
}

impl Outbox {
    pub(crate) fn new(limits: &Limits, backlog: Arc<Backlog>) -> Self {
        let (max_bytes, max_messages) = (limits.max_outbox_bytes, limits.max_outbox_messages);
        let (queue, protocol) = (Mutex::default(), OnceLock::new());
        Self { queue, max_bytes, max_messages, protocol, backlog }
    }

    /// What the client speaks; JSON until its handshake says otherwise.
    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol.get().copied().unwrap_or_default()
    }

    /// The handshake says what the client speaks. There is one handshake, so only the first counts.
    pub(crate) fn set_protocol(&self, protocol: Protocol) {
        let _ = self.protocol.set(protocol);
    }

    /// From now on what the log gets comes, too.
    pub(crate) fn follow(&self, log: &Arc<Log>) {
        let mut queue = self.queue.lock();
        if queue.closed || queue.reader.is_some() {
            return;
        }
        queue.reader = Some(log.join());
        self.tell_senders(&queue, 0);
        // The writer must look there, too.
        wake(queue);
    }

    /// Queues a frame that must fit beside what waits. An empty outbox takes any size.
    pub(crate) fn push(&self, frame: Frame) -> PushOutcome {
        let length = frame.bytes.len();
        self.push_if(frame, |waiting| {
            waiting.bytes == 0
                || (waiting.bytes + length as u64 <= self.max_bytes as u64
                    && waiting.messages < self.max_messages as u64)
        })
    }

    /// Queues the answer to the client's own call, which may be bigger than the outbox: one call
    /// runs at a time, so the client limits itself.
    pub(crate) fn push_answer(&self, frame: Frame) -> PushOutcome {
        self.push_if(frame, |waiting| {
            waiting.bytes < self.max_bytes as u64 && waiting.messages < self.max_messages as u64
        })
    }

    fn push_if(&self, frame: Frame, fits: impl FnOnce(Position) -> bool) -> PushOutcome {
        let mut queue = self.queue.lock();
        if queue.closed {
            return PushOutcome::Closed;
        }
        self.tell_senders(&queue, frame.bytes.len());
        if !fits(queue.waiting()) {
            return PushOutcome::Full;
        }
        self.backlog.add(frame.bytes.len());
        queue.append(frame);
        wake(queue);
        PushOutcome::Queued
    }

    /// Says how far the log may reach until this outbox is full, once a frame of `length` bytes is
    /// in it. That must be said before it is asked how far the log reaches now.
    fn tell_senders(&self, queue: &Queue, length: usize) {
        let Some(reader) = &queue.reader else { return };
        let (taken, frames) = (reader.taken(), u64::from(length > 0));
        let bytes = (queue.bytes + length) as u64;
        let messages = queue.messages as u64 + frames;
        reader.full_at(Position {
            messages: taken
                .messages
                .saturating_add(self.max_messages as u64)
                .saturating_sub(messages),
            bytes: taken.bytes.saturating_add(self.max_bytes as u64).saturating_sub(bytes),
        });
    }

    /// Whether a message of so many bytes, with which the log reaches already, fits beside what
    /// waits. An empty outbox takes any size.
    pub(crate) fn has_room_in_log(&self, length: usize) -> bool {
        let queue = self.queue.lock();
        if queue.closed || queue.reader.is_none() {
            return true;
        }
        self.tell_senders(&queue, 0);
        let waiting = queue.waiting();
        waiting.bytes == length as u64
            || (waiting.bytes <= self.max_bytes as u64
                && waiting.messages <= self.max_messages as u64)
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.lock().waiting().messages == 0
    }

    /// What waits or is being written, in bytes.
    pub(crate) fn waiting_bytes(&self) -> u64 {
        self.queue.lock().waiting().bytes
    }

    /// What waits, when nothing of it was written for [`STALL_TIMEOUT`]; else 0. It is asked again and
    /// again while there is too much.
    pub(crate) fn stalled_bytes(&self, now: Instant) -> u64 {
        let mut queue = self.queue.lock();
        let waiting = queue.waiting().bytes;
        if waiting == 0 {
            queue.stalled_since = None;
            return 0;
        }
        let since = *queue.stalled_since.get_or_insert(now);
        if now.duration_since(since) >= STALL_TIMEOUT { waiting } else { 0 }
    }

    /// Takes nothing more; `last` still goes out, after what waits.
    pub(crate) fn close(&self, last: Option<Frame>) {
        let mut queue = self.queue.lock();
        let mut left = None;
        if !queue.closed {
            queue.closed = true;
            left = queue.leave_log();
            if let Some(last) = last {
                self.backlog.add(last.bytes.len());
                queue.append(last);
            }
        }
        wake(queue);
        drop(left);
    }

    /// As [`Self::close`], but what waits is dropped: the client would not read it anyway.
    pub(crate) fn abandon(&self, last: Option<Frame>) {
        let dropped = {
            let mut queue = self.queue.lock();
            let frames = std::mem::take(&mut queue.frames);
            let bytes = frames.iter().map(|(_, frame)| frame.bytes.len()).sum::<usize>();
            queue.bytes -= bytes;
            queue.messages -= frames.len();
            let mut reader = queue.reader.take();
            let unread = reader.as_mut().map_or(0, |it| it.leave().bytes - it.taken().bytes);
            self.backlog.subtract(bytes + usize::try_from(unread).unwrap_or(0));
            (frames, reader)
        };
        drop(dropped);
        self.close(last);
    }

    /// Nobody writes any more, so what was taken and not written does not wait either.
    pub(crate) fn forget(&self) {
        self.abandon(None);
        let mut queue = self.queue.lock();
        self.backlog.subtract(std::mem::take(&mut queue.bytes));
        queue.messages = 0;
        queue.frames = VecDeque::new();
    }

    /// Waits for frames and moves them to `batch`; `false` when there will be no more. `written` is
    /// what was taken before and has left.
    pub(super) async fn next_batch(&self, batch: &mut Batch, written: &mut Size) -> bool {
        poll_fn(|context| self.poll_take(context, batch, written)).await
    }

    /// Waits until there is something to take; `false` when there will be no more.
    pub(crate) async fn waits(&self) -> bool {
        poll_fn(|context| {
            let mut queue = self.queue.lock();
            if queue.has_frames() {
                return Poll::Ready(true);
            }
            queue.poll_more(context).map(|()| queue.has_frames())
        })
        .await
    }

    /// Moves everything that waits to the end of `batch`. It counts until it is [`Self::written`].
    pub(crate) fn take_all(&self, batch: &mut Batch) {
        self.queue.lock().take(u64::MAX, batch, usize::MAX);
    }

    /// What was taken has left.
    pub(crate) fn written(&self, messages: usize, bytes: usize) {
        self.settle(&mut self.queue.lock(), Size { messages, bytes });
    }

    fn settle(&self, queue: &mut Queue, written: Size) {
        queue.bytes -= written.bytes;
        queue.messages -= written.messages;
        if written.bytes > 0 {
            queue.stalled_since = None;
            self.backlog.subtract(written.bytes);
        }
    }

    /// Ready with `true` when frames were taken, with `false` when there will be no more.
    /// Then what was taken before has left, so that the lock is taken once for both.
    fn poll_take(
        &self,
        context: &mut Context<'_>,
        batch: &mut Batch,
        written: &mut Size,
    ) -> Poll<bool> {
        let mut queue = self.queue.lock();
        self.settle(&mut queue, std::mem::take(written));
        queue.take(u64::MAX, batch, BATCH);
        if batch.is_empty() {
            std::task::ready!(queue.poll_more(context));
            queue.take(u64::MAX, batch, BATCH);
        }
        Poll::Ready(!batch.is_empty())
    }
}

/// How much a batch is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

impl Queue {
    fn append(&mut self, frame: Frame) {
        self.bytes += frame.bytes.len();
        self.messages += 1;
        let before = self.reader.as_ref().map_or(0, Reader::end);
        self.frames.push_back((before, frame));
    }

    /// Makes what the log has for this client the client's own. Nothing more comes from there, and
    /// nothing there is kept for a client that does not read to its end.
    fn leave_log(&mut self) -> Option<Reader> {
        let end = self.reader.as_mut()?.leave();
        self.own(end)
    }

    fn own(&mut self, end: Position) -> Option<Reader> {
        let mut rest = Batch::default();
        self.take(end.messages, &mut rest, usize::MAX);
        self.frames = rest.drain().map(|frame| (0, frame)).collect();
        self.reader.take()
    }

    /// What counts against the limits, with a message that is just added to the log.
    fn waiting(&self) -> Position {
        let (mut messages, mut bytes) = (self.messages as u64, self.bytes as u64);
        if let Some(reader) = &self.reader {
            let (end, taken) = (reader.reserved(), reader.taken());
            messages += end.messages.saturating_sub(taken.messages);
            bytes += end.bytes.saturating_sub(taken.bytes);
        }
        Position { messages, bytes }
    }

    /// Whether there is something to take.
    fn has_frames(&self) -> bool {
        let behind = |reader: &Reader| reader.end() > reader.taken().messages;
        !self.frames.is_empty() || self.reader.as_ref().is_some_and(behind)
    }

    /// Moves at most so many frames to the batch, in the order in which they were sent, none that
    /// the log has from `until` on.
    fn take(&mut self, until: u64, batch: &mut Batch, mut room: usize) {
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

    /// Ready when there may be something to take, or will never be.
    fn poll_more(&mut self, context: &Context<'_>) -> Poll<()> {
        if self.closed {
            return Poll::Ready(());
        }
        let is_same = self.writer.as_ref().is_some_and(|it| it.will_wake(context.waker()));
        if !is_same {
            self.writer = Some(context.waker().clone());
        }
        self.asleep = true;
        let sleeps = self.reader.as_mut().is_none_or(|it| it.sleep(context.waker(), is_same));
        if sleeps { Poll::Pending } else { Poll::Ready(()) }
    }
}

/// Wakes the writer after the lock is gone.
fn wake(mut queue: MutexGuard<'_, Queue>) {
    let is_asleep = std::mem::take(&mut queue.asleep);
    let writer = queue.writer.as_ref().filter(|_| is_asleep).cloned();
    drop(queue);
    if let Some(writer) = writer {
        writer.wake();
    }
}

#[cfg(test)]
mod tests;
