//! Frames that wait to be written. All that are ready together are one write.

use std::{
    future::poll_fn,
    io,
    mem::take,
    pin::Pin,
    task::{Poll, Waker},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use crate::standstill::timeout;

/// How long a peer may read nothing before the connection ends.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// A larger buffer is freed after it was written.
const MAX_KEPT_BYTES: usize = 256 * 1024;

/// Frames that wait to be written.
#[derive(Default)]
#[cfg_attr(
    not(feature = "client"),
    allow(dead_code, reason = "only the service asks what was sent")
)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    /// The number of bytes that were taken out before.
    taken: u64,
    /// The number of bytes that the system has.
    written: u64,
    /// Bytes that were taken and are not written.
    unwritten: usize,
    /// The task that writes, while it waits for bytes.
    writer: Option<Waker>,
}

impl Outgoing {
    /// Where the next frame begins.
    #[cfg(feature = "client")]
    pub(super) fn position(&self) -> u64 {
        self.taken + self.bytes.len() as u64
    }

    /// Whether the system has no byte of a frame that begins at this position.
    #[cfg(feature = "client")]
    pub(super) fn is_unsent(&self, position: u64) -> bool {
        position >= self.written
    }

    /// The bytes that are not written.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() + self.unwritten
    }

    /// The end of the bytes, to which whole frames are appended. [`Self::writer`] wakes the task.
    pub(super) fn end(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The task to wake after frames were appended.
    #[must_use]
    pub(super) fn writer(&mut self) -> Option<Waker> {
        self.writer.take()
    }
}

/// The owner of outgoing frames.
pub(super) trait HasOutgoing {
    fn outgoing(&mut self) -> &mut Outgoing;
}

/// Writes frames until an error. `others` yields before each batch, so that frames of tasks that are ready can be part of the same
/// write. `check` runs after it: an error means that nothing of the batch is written. `wrote` runs after each write.
pub(super) async fn write_frames<S: HasOutgoing, W: AsyncWrite + Unpin>(
    state: &Mutex<S>,
    socket: &mut W,
    others: impl AsyncFn(),
    mut check: impl FnMut(&W) -> io::Result<()>,
    mut wrote: impl FnMut(),
) -> io::Error {
    loop {
        poll_fn(|cx| {
            let mut state = state.lock();
            let outgoing = state.outgoing();
            if outgoing.bytes.is_empty() {
                outgoing.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
        others().await;
        let batch = {
            let mut state = state.lock();
            let outgoing = state.outgoing();
            outgoing.unwritten = outgoing.bytes.len();
            outgoing.taken += outgoing.unwritten as u64;
            take(&mut outgoing.bytes)
        };
        if let Err(error) = check(socket) {
            return error;
        }
        let mut rest = &batch[..];
        while !rest.is_empty() {
            let written = match timeout(STALL_TIMEOUT, socket.write(rest)).await {
                Ok(Ok(0)) => return io::ErrorKind::WriteZero.into(),
                Ok(Ok(written)) => written,
                Ok(Err(error)) => return error,
                Err(_) => {
                    return io::Error::new(io::ErrorKind::TimedOut, "the peer reads nothing");
                }
            };
            rest = rest.get(written..).unwrap_or_default();
            let mut state = state.lock();
            let outgoing = state.outgoing();
            outgoing.written += written as u64;
            outgoing.unwritten = rest.len();
        }
        keep(batch, state.lock().outgoing());
        wrote();
    }
}

/// Wakes the task at once. `yield_now` of tokio wakes it only when its thread has no other task, or polls for events. So
/// another thread of the runtime can continue this task while another task occupies the thread. The task may continue before
/// sockets are read.
#[cfg(feature = "server")]
pub(super) async fn yield_to_any_thread() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Uses the buffer of a batch again, unless it is large.
fn keep(mut batch: Vec<u8>, outgoing: &mut Outgoing) {
    if outgoing.bytes.is_empty() && batch.capacity() <= MAX_KEPT_BYTES {
        batch.clear();
        outgoing.bytes = batch;
    }
}

/// The first of two futures that ends. The first one is polled first.
pub(super) async fn first_of<T>(
    mut one: Pin<&mut impl Future<Output = T>>,
    mut other: Pin<&mut impl Future<Output = T>>,
) -> T {
    poll_fn(|cx| match one.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(output),
        Poll::Pending => other.as_mut().poll(cx),
    })
    .await
}

#[cfg(all(test, feature = "server"))]
mod tests {
    use std::sync::mpsc;

    use tokio::{io::duplex, spawn};

    use super::*;

    impl HasOutgoing for Outgoing {
        fn outgoing(&mut self) -> &mut Outgoing {
            self
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_task_that_occupies_the_thread_of_the_writer_does_not_delay_it() {
        let (mut ours, _theirs) = duplex(100);
        let (wrote, has_written) = mpsc::channel();
        let writing = spawn(async move {
            let frames = Mutex::<Outgoing>::default();
            frames.lock().end().extend_from_slice(b"frame");
            // This thread of the runtime runs the new task next.
            let occupying = spawn(async move { has_written.recv_timeout(Duration::from_secs(20)) });
            let wrote = || wrote.send(()).unwrap_or_default();
            let writing = write_frames(&frames, &mut ours, yield_to_any_thread, |_| Ok(()), wrote);
            tokio::select! {
                biased;
                error = writing => panic!("{error}"),
                ended = occupying => ended.unwrap(),
            }
        });

        assert_eq!(writing.await.unwrap(), Ok(()));
    }
}
