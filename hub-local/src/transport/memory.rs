//! Clients in the same process: in-memory pipes instead of a socket.

use std::io;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::{
    connection::link::{Incoming, Source},
    delivery::{batch::Batch, sink::Sink},
};

/// Capacity of a pipe in messages. A sender waits while the pipe is full, as it would with a socket.
const CHANNEL_CAPACITY: usize = 16;

/// A client's end of an in-memory connection.
///
/// Dropping the connection has the effect of a lost transport. [`close`](Self::close) closes the connection
/// cleanly.
#[derive(Debug)]
pub struct MemoryConnection {
    to_service: mpsc::Sender<Incoming>,
    from_service: mpsc::Receiver<Bytes>,
}

/// The service has closed the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection is closed")]
pub struct Closed;

impl MemoryConnection {
    /// Sends bytes: one or more hub messages, or part of a message. Messages need the framing of the hub
    /// protocol, which is a record separator after each message in JSON.
    ///
    /// # Errors
    /// When the service has closed the connection.
    pub async fn send(&self, bytes: impl Into<Bytes>) -> Result<(), Closed> {
        self.to_service.send(Incoming::Data(bytes.into().into())).await.map_err(|_| Closed)
    }

    /// Receives the next bytes from the service, which are always complete hub messages. Returns `None`
    /// when the connection is closed and all messages have been received.
    pub async fn recv(&mut self) -> Option<Bytes> {
        self.from_service.recv().await
    }

    /// Closes the transport cleanly, like a WebSocket close frame.
    pub async fn close(self) {
        // An error means that the service has already closed the connection.
        let _ = self.to_service.send(Incoming::Closed).await;
    }

    /// Splits the connection into a sender and a receiver. Dropping the sender and all of its clones has
    /// the effect of a lost transport.
    #[must_use]
    pub fn split(self) -> (MemorySender, MemoryReceiver) {
        (MemorySender(self.to_service), MemoryReceiver(self.from_service))
    }
}

/// The sending half of a [`MemoryConnection`].
#[derive(Clone, Debug)]
pub struct MemorySender(mpsc::Sender<Incoming>);

impl MemorySender {
    /// Sends bytes, like [`MemoryConnection::send`].
    ///
    /// # Errors
    /// When the service has closed the connection.
    pub async fn send(&self, bytes: impl Into<Bytes>) -> Result<(), Closed> {
        self.0.send(Incoming::Data(bytes.into().into())).await.map_err(|_| Closed)
    }

    /// Closes the transport cleanly, like [`MemoryConnection::close`].
    pub async fn close(self) {
        // An error means that the service has already closed the connection.
        let _ = self.0.send(Incoming::Closed).await;
    }
}

/// The receiving half of a [`MemoryConnection`].
#[derive(Debug)]
pub struct MemoryReceiver(mpsc::Receiver<Bytes>);

impl MemoryReceiver {
    /// Receives the next bytes, like [`MemoryConnection::recv`].
    pub async fn recv(&mut self) -> Option<Bytes> {
        self.0.recv().await
    }
}

/// Both ends of a new connection.
pub(crate) fn pipe() -> (MemoryConnection, MemorySource, MemorySink) {
    let (to_service, from_client) = mpsc::channel(CHANNEL_CAPACITY);
    let (to_client, from_service) = mpsc::channel(CHANNEL_CAPACITY);
    let client = MemoryConnection { to_service, from_service };
    (client, MemorySource(from_client), MemorySink(Some(to_client)))
}

pub(crate) struct MemorySource(mpsc::Receiver<Incoming>);

impl Source for MemorySource {
    const LINGERS: bool = false;

    async fn receive(&mut self) -> io::Result<Incoming> {
        self.0.recv().await.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

pub(crate) struct MemorySink(Option<mpsc::Sender<Bytes>>);

impl Sink for MemorySink {
    async fn write(&mut self, batch: &mut Batch) -> io::Result<()> {
        let client = self.0.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        for frame in batch.drain() {
            let payload = frame.into_payload();
            client.send(payload).await.map_err(|_| io::ErrorKind::ConnectionReset)?;
        }
        Ok(())
    }

    async fn finish(&mut self) -> io::Result<()> {
        self.0 = None;
        Ok(())
    }

    async fn shut(&mut self) {
        self.0 = None;
    }
}
