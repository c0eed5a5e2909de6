//! Stateful reconnect: a connection that outlives its WebSocket.
//!
//! Both sides count their messages and keep what the other has not acknowledged. When a socket
//! breaks, the client opens another with the same id; both say with which message they go on, and
//! send it and all later ones again. The connection itself notices nothing of this.

pub(super) mod sink;
pub(super) mod source;

use std::sync::Arc;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::{
    io::{ReadHalf, WriteHalf},
    sync::Notify,
};

use crate::connection::acks::Acks;

/// The stream below a WebSocket.
pub(crate) type Stream = TokioIo<Upgraded>;

/// What the halves of a connection and its next sockets share.
#[derive(Debug, Default)]
pub(crate) struct Resumption {
    /// Its `writer` is woken also when a socket came or broke.
    pub(crate) acks: Arc<Acks>,
    sockets: Mutex<Sockets>,
    /// Wakes the reader when a socket came or broke.
    reader: Notify,
}

/// Sockets have numbers; the first is 0. Halves wait until they are taken.
#[derive(Debug, Default)]
struct Sockets {
    newest: u64,
    read: Option<ReadHalf<Stream>>,
    write: Option<WriteHalf<Stream>>,
    /// Socket 0 and all others below this number are broken.
    broken_below: u64,
}

/// Whether another socket may take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// There was no handshake yet.
    Undecided,
    Ready,
    /// The client's handshake did not want it.
    Declined,
}

impl Resumption {
    pub(crate) fn readiness(&self) -> Readiness {
        match self.acks.agreed() {
            None => Readiness::Undecided,
            Some(true) => Readiness::Ready,
            Some(false) => Readiness::Declined,
        }
    }

    /// A new socket of the client takes over, whatever became of the last.
    pub(crate) fn take_over(&self, stream: Stream) {
        let (read, write) = tokio::io::split(stream);
        let mut sockets = self.sockets.lock();
        sockets.newest += 1;
        sockets.read = Some(read);
        sockets.write = Some(write);
        drop(sockets);
        self.reader.notify_one();
        self.acks.writer.notify_one();
    }

    fn broke(&self, number: u64) {
        let mut sockets = self.sockets.lock();
        sockets.broken_below = sockets.broken_below.max(number + 1);
        drop(sockets);
        self.reader.notify_one();
        self.acks.writer.notify_one();
    }

    fn is_broken(&self, number: u64) -> bool {
        self.sockets.lock().broken_below > number
    }

    /// Whether the socket of this number should not be used any more.
    fn is_outdated(&self, number: u64) -> bool {
        let sockets = self.sockets.lock();
        sockets.broken_below > number || sockets.newest > number
    }

    fn next_read(&self) -> Option<(u64, ReadHalf<Stream>)> {
        let mut sockets = self.sockets.lock();
        let read = sockets.read.take()?;
        Some((sockets.newest, read))
    }

    fn next_write(&self) -> Option<(u64, WriteHalf<Stream>)> {
        let mut sockets = self.sockets.lock();
        let write = sockets.write.take()?;
        Some((sockets.newest, write))
    }
}
