//! How bytes come and go. A connection's life does not depend on it.

mod accept;
pub(crate) mod client_routes;
mod cors;
mod http_transports;
mod inbox;
mod long_polling;
pub(crate) mod memory;
pub(crate) mod negotiate;
pub(crate) mod negotiations;
mod server_sent_events;
pub(crate) mod websocket;

use std::{future::Future, io};

use bytes::Bytes;

use crate::connection::outbox::{Batch, Outbox};

/// The ways to connect, by what is true of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    WebSockets,
    ServerSentEvents,
    LongPolling,
    /// Without a socket.
    Memory,
}

impl Transport {
    /// The name in negotiate's answer.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::WebSockets => "WebSockets",
            Self::ServerSentEvents => "ServerSentEvents",
            Self::LongPolling => "LongPolling",
            Self::Memory => "Memory",
        }
    }

    /// Whether binary protocols can use it.
    pub(crate) fn carries_binary(self) -> bool {
        match self {
            Self::WebSockets | Self::LongPolling | Self::Memory => true,
            Self::ServerSentEvents => false,
        }
    }

    /// Whether silence needs pings to be told from loss. Polls are signs of life by themselves.
    pub(crate) fn needs_pings(self) -> bool {
        match self {
            Self::WebSockets | Self::ServerSentEvents | Self::Memory => true,
            Self::LongPolling => false,
        }
    }
}

/// What a client did.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// It sent bytes: any part of a message, or several.
    Data(Bytes),
    /// It closed the transport in order.
    Closed,
    /// Its transport broke, and it may come back: only with stateful reconnect.
    Suspended,
    /// It is back, on another transport. What was not a whole message yet is not continued.
    Resumed,
}

/// The receiving half. Dropping a future of it loses nothing.
pub(crate) trait Source: Send {
    /// Whether the client's side must close before ours, lest the last bytes are lost by a reset.
    const LINGERS: bool;

    /// Waits for the client. An error means that the transport is gone.
    fn receive(&mut self) -> impl Future<Output = io::Result<Incoming>> + Send;
}

/// The sending half.
pub(crate) trait Sink: Send + Sized {
    /// Writes what comes until the outbox is closed and empty, then finishes.
    fn drain(&mut self, outbox: &Outbox) -> impl Future<Output = io::Result<()>> + Send {
        outbox.drain(self)
    }

    /// Writes all frames and leaves the batch empty.
    fn write(&mut self, batch: &mut Batch) -> impl Future<Output = io::Result<()>> + Send;

    /// Says that nothing more comes.
    fn finish(&mut self) -> impl Future<Output = io::Result<()>> + Send;

    /// Closes for good.
    fn shut(&mut self) -> impl Future<Output = ()> + Send;
}
