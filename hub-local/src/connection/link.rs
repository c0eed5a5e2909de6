//! How bytes come from a client: the receiving half of a transport, and what is true of each
//! transport. The sending half is [`Sink`](crate::delivery::sink::Sink).

use std::{future::Future, io};

use bytes::Bytes;

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
