//! What waits for one client: a bounded queue of frames that are encoded already.
//!
//! Senders never wait. The one writer takes many frames at a time; nothing is locked while it
//! writes.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    sync::{Mutex, OnceLock},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use hub_core::protocol::Protocol;

use crate::{limits::Limits, sync::lock, transport::Sink};

/// How many frames leave in one write at most; below the limit of every system.
const BATCH: usize = 512;
/// The bit that the first byte of WebSocket control frames has.
const CONTROL: u8 = 0x08;

/// One encoded message: a WebSocket header, then the payload. All receivers share the bytes.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    bytes: Bytes,
    header: u8,
}

impl Frame {
    /// `bytes` start with a WebSocket header of `header` bytes.
    pub(crate) fn new(bytes: Bytes, header: u8) -> Self {
        Self { bytes, header }
    }

    /// Header and payload, as they go over a WebSocket.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Whether this is hub messages rather than a control frame.
    pub(crate) fn is_message(&self) -> bool {
        self.bytes.first().is_some_and(|first| first & CONTROL == 0)
    }

    /// Without the header, as other transports carry it.
    pub(crate) fn into_payload(self) -> Bytes {
        self.bytes.slice(usize::from(self.header).min(self.bytes.len())..)
    }
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Pushed {
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
}

/// Counts include what the writer has taken and not yet written.
#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Frame>,
    bytes: usize,
    messages: usize,
    closed: bool,
    writer: Option<Waker>,
}

impl Outbox {
    pub(crate) fn new(limits: &Limits) -> Self {
        let (max_bytes, max_messages) = (limits.outbox_bytes, limits.outbox_messages);
        Self { queue: Mutex::default(), max_bytes, max_messages, protocol: OnceLock::new() }
    }

    /// What the client speaks; JSON until its handshake says otherwise.
    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol.get().copied().unwrap_or_default()
    }

    /// The handshake says what the client speaks. There is one handshake, so only the first counts.
    pub(crate) fn set_protocol(&self, protocol: Protocol) {
        let _ = self.protocol.set(protocol);
    }

    /// Queues a frame that must fit beside what waits. An empty outbox takes any size.
    pub(crate) fn push(&self, frame: Frame) -> Pushed {
        let length = frame.bytes.len();
        self.push_if(frame, |queue| {
            queue.bytes == 0
                || (queue.bytes + length <= self.max_bytes && queue.messages < self.max_messages)
        })
    }

    /// Queues the answer to the client's own call, which may be bigger than the outbox: one call
    /// runs at a time, so the client limits itself.
    pub(crate) fn push_answer(&self, frame: Frame) -> Pushed {
        self.push_if(frame, |queue| {
            queue.bytes < self.max_bytes && queue.messages < self.max_messages
        })
    }

    fn push_if(&self, frame: Frame, fits: impl FnOnce(&Queue) -> bool) -> Pushed {
        let mut queue = lock(&self.queue);
        if queue.closed {
            return Pushed::Closed;
        }
        if !fits(&queue) {
            return Pushed::Full;
        }
        queue.append(frame);
        wake(queue);
        Pushed::Queued
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.queue).messages == 0
    }

    /// Takes nothing more; `last` still goes out, after what waits.
    pub(crate) fn close(&self, last: Option<Frame>) {
        let mut queue = lock(&self.queue);
        if !queue.closed {
            queue.closed = true;
            last.into_iter().for_each(|frame| queue.append(frame));
        }
        wake(queue);
    }

    /// As [`Self::close`], but what waits is dropped: the client would not read it anyway.
    pub(crate) fn abandon(&self, last: Option<Frame>) {
        let dropped = {
            let mut queue = lock(&self.queue);
            let dropped = std::mem::take(&mut queue.frames);
            queue.bytes -= dropped.iter().map(|frame| frame.bytes.len()).sum::<usize>();
            queue.messages -= dropped.len();
            dropped
        };
        drop(dropped);
        self.close(last);
    }

    /// Writes what comes until the outbox is closed and empty, then says goodbye.
    pub(crate) async fn drain(&self, sink: &mut impl Sink) -> io::Result<()> {
        let (mut batch, mut written) = (VecDeque::new(), Size::default());
        while poll_fn(|context| self.poll_take(context, &mut batch, &mut written)).await {
            let taken = Size::of(&batch);
            sink.write(&mut batch).await?;
            written = taken;
        }
        sink.finish().await
    }

    /// Waits until there is something to take; `false` when there will be no more.
    pub(crate) async fn waits(&self) -> bool {
        poll_fn(|context| {
            let mut queue = lock(&self.queue);
            if queue.frames.is_empty() && !queue.closed {
                queue.writer = Some(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(!queue.frames.is_empty())
        })
        .await
    }

    /// Moves everything that waits to the end of `batch`. It counts until it is [`Self::written`];
    /// returned are the numbers of messages and bytes.
    pub(crate) fn take_all(&self, batch: &mut VecDeque<Frame>) -> (usize, usize) {
        let mut queue = lock(&self.queue);
        let bytes = queue.frames.iter().map(|frame| frame.bytes.len()).sum();
        let messages = queue.frames.len();
        batch.append(&mut queue.frames);
        (messages, bytes)
    }

    /// What was taken has left.
    pub(crate) fn written(&self, messages: usize, bytes: usize) {
        let mut queue = lock(&self.queue);
        queue.bytes -= bytes;
        queue.messages -= messages;
    }

    /// Ready with `true` when frames were taken, with `false` when there will be no more.
    /// Then what was taken before has left, so that the lock is taken once for both.
    fn poll_take(
        &self,
        context: &mut Context<'_>,
        batch: &mut VecDeque<Frame>,
        written: &mut Size,
    ) -> Poll<bool> {
        let mut queue = lock(&self.queue);
        let Size { messages, bytes } = std::mem::take(written);
        queue.bytes -= bytes;
        queue.messages -= messages;
        if queue.frames.is_empty() {
            if queue.closed {
                return Poll::Ready(false);
            }
            queue.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        if queue.frames.len() <= BATCH {
            std::mem::swap(&mut queue.frames, batch);
        } else {
            batch.extend(queue.frames.drain(..BATCH));
        }
        Poll::Ready(true)
    }
}

/// How much a batch is.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    messages: usize,
    bytes: usize,
}

impl Size {
    fn of(batch: &VecDeque<Frame>) -> Self {
        Self { messages: batch.len(), bytes: batch.iter().map(|frame| frame.bytes.len()).sum() }
    }
}

impl Queue {
    fn append(&mut self, frame: Frame) {
        self.bytes += frame.bytes.len();
        self.messages += 1;
        self.frames.push_back(frame);
    }
}

/// Wakes the writer after the lock is gone.
fn wake(mut queue: std::sync::MutexGuard<'_, Queue>) {
    let writer = queue.writer.take();
    drop(queue);
    if let Some(writer) = writer {
        writer.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(outbox_bytes: usize, outbox_messages: usize) -> Outbox {
        Outbox::new(&Limits { outbox_bytes, outbox_messages, ..Limits::default() })
    }

    fn frame(length: usize) -> Frame {
        Frame::new(Bytes::from(vec![b'x'; length]), 2)
    }

    /// Remembers the sizes of what is written in one go.
    #[derive(Default)]
    struct Recorder(Vec<Vec<usize>>);

    impl Sink for Recorder {
        async fn write(&mut self, batch: &mut VecDeque<Frame>) -> io::Result<()> {
            self.0.push(batch.drain(..).map(|frame| frame.bytes.len()).collect());
            Ok(())
        }

        async fn finish(&mut self) -> io::Result<()> {
            self.0.push(Vec::new());
            Ok(())
        }

        async fn shut(&mut self) {}
    }

    #[test]
    fn bytes_and_messages_are_bounded() {
        let by_bytes = outbox(10, 100);
        assert_eq!(by_bytes.push(frame(4)), Pushed::Queued);
        assert_eq!(by_bytes.push(frame(6)), Pushed::Queued);
        assert_eq!(by_bytes.push(frame(1)), Pushed::Full);

        let by_messages = outbox(100, 2);
        assert_eq!(by_messages.push(frame(1)), Pushed::Queued);
        assert_eq!(by_messages.push(frame(1)), Pushed::Queued);
        assert_eq!(by_messages.push(frame(1)), Pushed::Full);
    }

    #[test]
    fn an_empty_outbox_takes_any_size_and_an_answer_needs_only_some_room() {
        let filled = outbox(10, 100);
        assert_eq!(filled.push(frame(9)), Pushed::Queued);
        assert_eq!(filled.push(frame(50)), Pushed::Full);
        assert_eq!(filled.push_answer(frame(50)), Pushed::Queued);
        assert_eq!(filled.push_answer(frame(1)), Pushed::Full);

        let empty = outbox(10, 100);
        assert_eq!(empty.push(frame(50)), Pushed::Queued);
    }

    #[tokio::test]
    async fn what_waits_leaves_in_one_write_and_the_last_frame_last() {
        let outbox = outbox(100, 100);
        let mut sink = Recorder::default();
        for length in 1..=3 {
            assert_eq!(outbox.push(frame(length)), Pushed::Queued);
        }

        outbox.close(Some(frame(7)));
        assert_eq!(outbox.push(frame(1)), Pushed::Closed);
        outbox.drain(&mut sink).await.unwrap();

        assert_eq!(sink.0, [vec![1, 2, 3, 7], vec![]]);
        assert!(outbox.is_empty());
    }

    #[tokio::test]
    async fn an_abandoned_outbox_sends_only_its_last_frame() {
        let outbox = outbox(100, 100);
        let mut sink = Recorder::default();
        assert_eq!(outbox.push(frame(5)), Pushed::Queued);

        outbox.abandon(Some(frame(7)));
        outbox.drain(&mut sink).await.unwrap();

        assert_eq!(sink.0, [vec![7], vec![]]);
    }

    #[test]
    fn the_payload_shares_the_bytes_of_the_frame() {
        let frame = frame(10);
        let start = frame.bytes().as_ptr() as usize;

        let payload = frame.into_payload();

        assert_eq!(payload.as_ptr() as usize, start + 2);
        assert_eq!(payload.len(), 8);
    }
}
