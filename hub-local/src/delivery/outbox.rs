//! The bounded outbox of one client, with encoded frames.
//!
//! The outbox has two sources: the client's own queue and the broadcast log of the hub. The queue stores
//! with each frame the number of log messages before that frame, so frames are delivered in the order of
//! sends. Senders never wait. One writer takes many frames at a time and holds no lock while it writes.

mod queue;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use hub_core::protocol::Protocol;
use tokio::time::Instant;

use self::queue::{Intake, Queue, WriterState, sleeping_writer, wake, writer_to_wake_later};
use super::{
    backlog::{Backlog, STALL_TIMEOUT},
    batch::Batch,
    frame::Frame,
    log::Log,
    segment::Position,
};
use crate::{
    limits::Limits,
    sync::{Mutex, MutexGuard, OnceLock},
};

/// Maximum number of frames in one write; below `IOV_MAX`, which is 1024 on Linux.
const MAX_BATCH_FRAMES: usize = 512;

/// Result of pushing a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum PushOutcome {
    Queued,
    /// The client reads too slowly.
    Full,
    /// The connection is ending; the frame is dropped.
    Closed,
}

/// The outbox of one client.
///
/// Aligned to a cache line to avoid false sharing: senders and the writer usually run on different
/// processors.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    max_bytes: usize,
    max_messages: usize,
    /// Stored here because every send reads it together with the queue.
    protocol: OnceLock<Protocol>,
    backlog: Arc<Backlog>,
}

impl Outbox {
    pub(crate) fn new(limits: &Limits, backlog: Arc<Backlog>) -> Self {
        let (max_bytes, max_messages) = (limits.max_outbox_bytes, limits.max_outbox_messages);
        let (queue, protocol) = (Mutex::default(), OnceLock::new());
        Self { queue, max_bytes, max_messages, protocol, backlog }
    }

    /// The hub protocol of the client; JSON before the handshake.
    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol.get().copied().unwrap_or_default()
    }

    /// Sets the protocol from the handshake. Only the first call has an effect.
    pub(crate) fn set_protocol(&self, protocol: Protocol) {
        let _ = self.protocol.set(protocol);
    }

    /// Delivers later messages of the log to this client too.
    pub(crate) fn follow(&self, log: &Arc<Log>) {
        let mut queue = self.queue.lock();
        if queue.intake != Intake::Open || queue.reader.is_some() {
            return;
        }
        queue.reader = Some(log.join());
        self.tell_senders(&queue, 0);
        // The writer must wake to register with the log.
        wake(queue);
    }

    /// Queues a frame if it fits in the limits together with the pending frames. An empty outbox accepts
    /// any size. After a frame that does not fit, the outbox is empty and accepts nothing: the caller must
    /// close it.
    pub(crate) fn push(&self, frame: Frame) -> PushOutcome {
        let fits = |waiting, length| self.has_room(waiting, length);
        let (outcome, writer) = self.push_if(frame, fits, sleeping_writer);
        writer.into_iter().for_each(Waker::wake);
        outcome
    }

    /// Like [`Self::push`], but leaves it to the caller to wake the writer, which may be later than the next push.
    pub(crate) fn push_and_wake_later(&self, frame: Frame) -> (PushOutcome, Option<Waker>) {
        let fits = |waiting, length| self.has_room(waiting, length);
        self.push_if(frame, fits, writer_to_wake_later)
    }

    fn has_room(&self, waiting: Position, length: usize) -> bool {
        waiting.bytes == 0
            || (waiting.bytes + length as u64 <= self.max_bytes as u64
                && waiting.messages < self.max_messages as u64)
    }

    /// Queues the response to a call of the client. It may exceed the limit, so at most one response is
    /// pending above it.
    pub(crate) fn push_answer(&self, frame: Frame) -> PushOutcome {
        let fits = |waiting: Position, _| {
            waiting.bytes < self.max_bytes as u64 && waiting.messages < self.max_messages as u64
        };
        let (outcome, writer) = self.push_if(frame, fits, sleeping_writer);
        writer.into_iter().for_each(Waker::wake);
        outcome
    }

    /// `fits` gets the pending size and the length of the frame. `writer` takes the waker of the writer.
    fn push_if(
        &self,
        frame: Frame,
        fits: impl FnOnce(Position, usize) -> bool,
        writer: impl FnOnce(MutexGuard<'_, Queue>) -> Option<Waker>,
    ) -> (PushOutcome, Option<Waker>) {
        let mut queue = self.queue.lock();
        match queue.intake {
            Intake::Open => {}
            Intake::Overflowed => return (PushOutcome::Full, None),
            Intake::Closed => return (PushOutcome::Closed, None),
        }
        let length = frame.bytes.len();
        self.tell_senders(&queue, length);
        if !fits(queue.waiting(), length) {
            queue.intake = Intake::Overflowed;
            let dropped = queue.discard(&self.backlog);
            drop(queue);
            drop(dropped);
            return (PushOutcome::Full, None);
        }
        self.backlog.add(length);
        queue.append(frame);
        (PushOutcome::Queued, writer(queue))
    }

    /// Publishes the position of the log at which this outbox is full, including a further frame of `length`
    /// bytes. Order: call this method before loading the end of the log (see `AtomicPosition` in `log`).
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

    /// Whether a message of `length` bytes, already included in the end of the log, fits in the limits.
    /// An empty outbox accepts any size.
    pub(crate) fn has_room_in_log(&self, length: usize) -> bool {
        let queue = self.queue.lock();
        if queue.reader.is_none() {
            return true;
        }
        self.tell_senders(&queue, 0);
        let waiting = queue.waiting();
        waiting.bytes == length as u64
            || (waiting.bytes <= self.max_bytes as u64
                && waiting.messages <= self.max_messages as u64)
    }

    /// Whether nothing is pending.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.lock().waiting().messages == 0
    }

    /// Pending bytes, including bytes that are being written.
    pub(crate) fn waiting_bytes(&self) -> u64 {
        self.queue.lock().waiting().bytes
    }

    /// The pending bytes if nothing was written for [`STALL_TIMEOUT`], else 0. The first call with pending
    /// data starts the timeout.
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

    /// Wakes this task when the outbox is closed, also while its writer waits for the transport and not for frames.
    pub(crate) fn wake_at_end(&self, task: &Waker) {
        self.queue.lock().writer.get_or_insert_with(|| task.clone());
    }

    /// Closes the outbox for further frames. Pending frames are written, then `last`.
    pub(crate) fn close(&self, last: Option<Frame>) {
        let mut queue = self.queue.lock();
        let left = queue.leave_log();
        self.finish(queue, last);
        drop(left);
    }

    /// Like [`Self::close`], but drops the pending frames.
    pub(crate) fn abandon(&self, last: Option<Frame>) {
        let mut queue = self.queue.lock();
        let dropped = queue.discard(&self.backlog);
        self.finish(queue, last);
        drop(dropped);
    }

    /// Appends the last frame. The caller keeps the lock since it removed other frames: a frame that is queued
    /// in between would be read after a gap.
    fn finish(&self, mut queue: MutexGuard<'_, Queue>, last: Option<Frame>) {
        let intake = std::mem::replace(&mut queue.intake, Intake::Closed);
        if let Some(last) = last.filter(|_| intake != Intake::Closed) {
            self.backlog.add(last.bytes.len());
            queue.append(last);
        }
        // Also wakes a writer that waits for the transport.
        queue.writer_state = WriterState::Asleep;
        wake(queue);
    }

    /// Abandons the outbox after its writer has ended. Frames that the writer took but did not write no
    /// longer count.
    pub(crate) fn forget(&self) {
        self.abandon(None);
        let mut queue = self.queue.lock();
        self.backlog.subtract(std::mem::take(&mut queue.bytes));
        queue.messages = 0;
        queue.frames = VecDeque::new();
    }

    /// Waits for frames and moves them to `batch`; returns `false` after the last frame. `written` is the
    /// size of the previous batch, which has been written.
    pub(super) async fn next_batch(&self, batch: &mut Batch, written: &mut Size) -> bool {
        poll_fn(|context| self.poll_take(context, batch, written)).await
    }

    /// Waits until there is a frame to take; returns `false` after the last frame.
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

    /// Appends all pending frames to `batch`. The frames count until [`Self::written`] is called.
    pub(crate) fn take_all(&self, batch: &mut Batch) {
        self.queue.lock().take(u64::MAX, batch, usize::MAX);
    }

    /// Subtracts frames that have been written.
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

    /// Ready with `true` when frames were taken, and with `false` after the last frame. Also subtracts the
    /// previous batch, so that both operations need the lock only once.
    fn poll_take(
        &self,
        context: &mut Context<'_>,
        batch: &mut Batch,
        written: &mut Size,
    ) -> Poll<bool> {
        let mut queue = self.queue.lock();
        self.settle(&mut queue, std::mem::take(written));
        queue.take(u64::MAX, batch, MAX_BATCH_FRAMES);
        if batch.is_empty() {
            std::task::ready!(queue.poll_more(context));
            queue.take(u64::MAX, batch, MAX_BATCH_FRAMES);
        }
        Poll::Ready(!batch.is_empty())
    }
}

/// Size of a batch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}
