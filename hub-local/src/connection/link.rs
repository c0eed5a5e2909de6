//! The receiving half of a transport, and the properties of each transport. The sending half is
//! [`Sink`](crate::delivery::sink::Sink).

use std::{future::Future, io};

use bytes::BytesMut;

/// The transports of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    WebSockets,
    ServerSentEvents,
    LongPolling,
    /// In process, without a socket.
    Memory,
}

impl Transport {
    /// Name in the negotiate response (TransportProtocols.md).
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::WebSockets => "WebSockets",
            Self::ServerSentEvents => "ServerSentEvents",
            Self::LongPolling => "LongPolling",
            Self::Memory => "Memory",
        }
    }

    /// Whether the transport supports binary protocols (TransportProtocols.md: Server-Sent Events is text
    /// only).
    pub(crate) fn carries_binary(self) -> bool {
        match self {
            Self::WebSockets | Self::LongPolling | Self::Memory => true,
            Self::ServerSentEvents => false,
        }
    }

    /// Whether the client sends its messages in POST requests.
    pub(crate) fn has_posts(self) -> bool {
        match self {
            Self::ServerSentEvents | Self::LongPolling => true,
            Self::WebSockets | Self::Memory => false,
        }
    }

    /// Whether keep-alive pings are needed to detect a lost client. With long polling, the poll requests
    /// replace the pings.
    pub(crate) fn needs_pings(self) -> bool {
        match self {
            Self::WebSockets | Self::ServerSentEvents | Self::Memory => true,
            Self::LongPolling => false,
        }
    }
}

/// An event of the transport.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// Bytes from the client: part of a message, or several messages. With POST requests, one whole request.
    Data(BytesMut),
    /// The client closed the transport cleanly.
    Closed,
    /// The socket was lost and the client may resume; only with stateful reconnect.
    Suspended,
    /// The client resumed on another socket. An incomplete message is discarded, and the client sends the
    /// message again.
    Resumed,
}

/// The receiving half of a transport. `receive` is cancel-safe.
pub(crate) trait Source: Send {
    /// Whether to wait for the client to close first, so that a TCP reset does not discard the last bytes.
    const LINGERS: bool;

    /// Waits for the next event. An error means that the transport failed.
    fn receive(&mut self) -> impl Future<Output = io::Result<Incoming>> + Send;
}
