//! Stateful reconnect: a connection that outlives its WebSocket.
//!
//! Both sides count messages and keep the unacknowledged messages. When a socket breaks, the client opens
//! another socket with the same id. Each side then sends a `Sequence` message with the id of its first
//! unacknowledged message, and repeats all messages from that id (`HubProtocol.md`, Sequence).

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

/// State shared by the halves of a connection and its next sockets.
#[derive(Debug, Default)]
pub(crate) struct Resumption {
    /// `acks.writer` is also notified when a socket arrives or breaks.
    pub(crate) acks: Arc<Acks>,
    sockets: Mutex<Sockets>,
    /// Notified when a socket arrives or breaks.
    reader: Notify,
}

/// Sockets are numbered from 0. The halves of the newest socket are kept until source and sink take them.
#[derive(Debug, Default)]
struct Sockets {
    newest: u64,
    read: Option<ReadHalf<Stream>>,
    write: Option<WriteHalf<Stream>>,
    /// All sockets below this number are broken.
    broken_below: u64,
}

/// Whether another socket may take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// The handshake has not completed.
    Undecided,
    Ready,
    /// The client's handshake declined stateful reconnect.
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

    /// Replaces the socket with a new socket, even if the old socket is not broken.
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

    /// Whether the socket of this number is broken or replaced.
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
