//! Stateful reconnect: a connection that outlives its WebSocket.
//!
//! Both sides count their messages and keep what the other has not acknowledged. When a socket
//! breaks, the client opens another with the same id; both say with which message they go on, and
//! send it and all later ones again. The connection itself notices nothing of this.

mod sink;
mod source;

use std::sync::{Mutex, OnceLock};

use hub_core::protocol::Message;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{ReadHalf, WriteHalf},
    sync::Notify,
};

pub(crate) use self::{sink::ResumableSink, source::ResumableSource};
use crate::{
    connection::acks::counters::{Ahead, Received, Sent, is_counted},
    sync::lock,
};

/// The stream below a WebSocket.
pub(crate) type Stream = TokioIo<Upgraded>;

/// What the halves of a connection and its next sockets share.
#[derive(Debug, Default)]
pub(crate) struct Resumption {
    /// Whether the client's handshake wants it, too.
    agreed: OnceLock<bool>,
    counters: Mutex<Counters>,
    sockets: Mutex<Sockets>,
    /// A socket came or broke, for the one who reads.
    reader: Notify,
    /// The same for the one who writes; also acknowledgements in either direction.
    writer: Notify,
}

#[derive(Debug, Default)]
struct Counters {
    sent: Sent,
    received: Received,
    /// The client does not know yet what was received.
    owes_ack: bool,
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
    /// The handshake decides.
    pub(crate) fn decide(&self, agreed: bool) {
        // Set once: there is one handshake.
        let _ = self.agreed.set(agreed);
    }

    /// Whether messages are counted.
    pub(crate) fn is_agreed(&self) -> bool {
        self.agreed.get() == Some(&true)
    }

    pub(crate) fn readiness(&self) -> Readiness {
        match self.agreed.get() {
            None => Readiness::Undecided,
            Some(true) => Readiness::Ready,
            Some(false) => Readiness::Declined,
        }
    }

    /// A new socket of the client takes over, whatever became of the last.
    pub(crate) fn take_over(&self, stream: Stream) {
        let (read, write) = tokio::io::split(stream);
        let mut sockets = lock(&self.sockets);
        sockets.newest += 1;
        sockets.read = Some(read);
        sockets.write = Some(write);
        drop(sockets);
        self.reader.notify_one();
        self.writer.notify_one();
    }

    /// Notes what a message is for the counters; whether it is to be acted on.
    pub(crate) fn receive(&self, message: &Message) -> Result<bool, Ahead> {
        let mut counters = lock(&self.counters);
        match message {
            Message::Ack { sequence_id } => counters.sent.acknowledge(*sequence_id),
            Message::Sequence { sequence_id } => counters.received.resume(*sequence_id)?,
            message if is_counted(message) => {
                let is_new = counters.received.count();
                // A duplicate means that the last acknowledgement was lost.
                let wakes = !std::mem::replace(&mut counters.owes_ack, true);
                drop(counters);
                if wakes {
                    self.writer.notify_one();
                }
                return Ok(is_new);
            }
            _ => return Ok(true),
        }
        drop(counters);
        self.writer.notify_one();
        Ok(false)
    }

    fn broke(&self, number: u64) {
        let mut sockets = lock(&self.sockets);
        sockets.broken_below = sockets.broken_below.max(number + 1);
        drop(sockets);
        self.reader.notify_one();
        self.writer.notify_one();
    }

    fn is_broken(&self, number: u64) -> bool {
        lock(&self.sockets).broken_below > number
    }

    /// Whether the socket of this number should not be used any more.
    fn is_outdated(&self, number: u64) -> bool {
        let sockets = lock(&self.sockets);
        sockets.broken_below > number || sockets.newest > number
    }

    fn next_read(&self) -> Option<(u64, ReadHalf<Stream>)> {
        let mut sockets = lock(&self.sockets);
        let read = sockets.read.take()?;
        Some((sockets.newest, read))
    }

    fn next_write(&self) -> Option<(u64, WriteHalf<Stream>)> {
        let mut sockets = lock(&self.sockets);
        let write = sockets.write.take()?;
        Some((sockets.newest, write))
    }
}
