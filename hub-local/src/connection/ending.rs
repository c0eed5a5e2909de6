//! Reasons for the end of a connection, with the last message to the client and the error for the app.

use std::io;

use hub_core::protocol::{Message, Protocol, ProtocolError, handshake};

use crate::{
    causes::Cause,
    delivery::frame::{CloseStatus, Frame, Violation},
    inspect::Trouble,
};

/// Error text without details.
const GENERIC: &str = "Connection closed with an error.";
const SLOW_CLIENT: &str = "slow client";

/// The end of one connection.
#[derive(Debug)]
pub(crate) struct Ending {
    /// Error of the `disconnected` event; `None` for a clean end.
    pub(crate) error: Option<String>,
    /// Handling of pending messages.
    pub(crate) pending_frames: PendingFrames,
    /// How the transport is closed after the last frame.
    pub(crate) farewell: Farewell,
    /// Status of the WebSocket close frame.
    close_status: CloseStatus,
    /// What to check; `None` for an end that is no failure.
    pub(crate) cause: Option<Cause>,
    /// The reason of an end without an error, for the log.
    note: Option<&'static str>,
    last_message: LastMessage,
}

/// Handling of pending messages to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PendingFrames {
    /// Pending messages are written before the close.
    Flush,
    /// Pending messages are dropped.
    Discard,
}

/// How a WebSocket is closed after the last frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// At once: the client has closed it.
    Close,
    /// After the client's close frame (RFC 6455 §7.1.1).
    AwaitClient,
    /// The sending side at once: the client's frames can no longer be read. The socket follows when the client
    /// closes it, since a socket with unread data sends a reset, which can discard the close frame.
    ShutFirst,
}

#[derive(Debug)]
enum LastMessage {
    None,
    Refused(String),
    Close { error: Option<String>, allow_reconnect: bool },
}

impl Ending {
    fn new(error: Option<String>, last_message: LastMessage) -> Self {
        let close_status = CloseStatus::Normal;
        Self {
            error,
            pending_frames: PendingFrames::Flush,
            farewell: Farewell::AwaitClient,
            close_status,
            cause: None,
            note: None,
            last_message,
        }
    }

    /// The handshake is refused with this text.
    pub(crate) fn refused(text: impl Into<String>) -> Self {
        let refused = Self::new(None, LastMessage::Refused(text.into()));
        Self { cause: Some(Cause::Handshake), ..refused }
    }

    /// The client sent a close message.
    pub(crate) fn by_client(error: Option<String>) -> Self {
        let close = LastMessage::Close { error: None, allow_reconnect: false };
        Self::new(error.filter(|text| !text.is_empty()), close)
    }

    /// The client closed the transport cleanly.
    pub(crate) fn transport_closed() -> Self {
        Self {
            pending_frames: PendingFrames::Discard,
            farewell: Farewell::Close,
            ..Self::new(None, LastMessage::None)
        }
    }

    /// The client closed its connection with long polling. A poll that waits gets a close message, as with
    /// ASP.NET Core 10.
    pub(crate) fn polling_closed() -> Self {
        let close = LastMessage::Close { error: None, allow_reconnect: true };
        Self { last_message: close, ..Self::transport_closed() }
    }

    /// The client closed the transport in the middle of a message.
    pub(crate) fn cut_short() -> Self {
        let error = "Connection terminated while reading a message.";
        Self { error: Some(error.to_owned()), ..Self::lost() }
    }

    /// The transport was lost without a close.
    pub(crate) fn lost() -> Self {
        let cause = Cause::LostTransport;
        let error = Some(cause.text().to_owned());
        Self { error, cause: Some(cause), ..Self::transport_closed() }
    }

    /// The transport failed. After a violation of WebSocket framing the client gets only a close frame with the
    /// status (RFC 6455 §7.1.7). A [`ProtocolError`] of the transport is one of the hub protocol. Otherwise the
    /// transport is lost.
    pub(crate) fn broken(error: &io::Error, detailed_errors: bool) -> Self {
        let Some(error) = error.get_ref() else { return Self::lost() };
        if let Some(error) = error.downcast_ref::<ProtocolError>() {
            return Self::malformed(error, detailed_errors);
        }
        let Some(violation) = error.downcast_ref::<Violation>() else { return Self::lost() };
        Self {
            pending_frames: PendingFrames::Discard,
            farewell: Farewell::ShutFirst,
            close_status: violation.status(),
            cause: Some(Cause::Malformed),
            ..Self::new(Some(violation.to_string()), LastMessage::None)
        }
    }

    /// The client's data is not a valid hub message.
    pub(crate) fn malformed(error: &ProtocolError, detailed_errors: bool) -> Self {
        let cause = match error {
            ProtocolError::TooLarge { .. } => Cause::LargeMessage,
            _ => Cause::Malformed,
        };
        Self::failed(cause, format!("ProtocolError: {error}"), detailed_errors)
    }

    /// The client violated the protocol or timed out. The client gets `detail` only with detailed errors.
    pub(crate) fn failed(cause: Cause, detail: String, detailed_errors: bool) -> Self {
        let shown =
            if detailed_errors { format!("{GENERIC} {detail}") } else { GENERIC.to_owned() };
        let close = LastMessage::Close { error: Some(shown), allow_reconnect: true };
        Self { cause: Some(cause), ..Self::new(Some(detail), close) }
    }

    /// A REST call closes the connection.
    pub(crate) fn by_service(reason: Option<String>, allow_reconnect: bool) -> Self {
        let close = LastMessage::Close { error: reason.clone(), allow_reconnect };
        Self::new(reason, close)
    }

    /// The service stops.
    pub(crate) fn shutdown() -> Self {
        Self::new(None, LastMessage::Close { error: None, allow_reconnect: true })
    }

    /// The client's token has expired, and the token requests to close the connection on expiry.
    pub(crate) fn expired() -> Self {
        Self::new(None, LastMessage::Close { error: None, allow_reconnect: true })
    }

    /// The connection has reached its maximum age. Neither the client nor the app gets an error, because the connection
    /// is healthy.
    pub(crate) fn aged() -> Self {
        let ended = Self::new(None, LastMessage::Close { error: None, allow_reconnect: true });
        Self { note: Some("it has reached its maximum lifetime"), ..ended }
    }

    /// The client reads its messages too slowly.
    pub(crate) fn slow_client() -> Self {
        let error = Some(SLOW_CLIENT.to_owned());
        let close = LastMessage::Close { error: error.clone(), allow_reconnect: true };
        let cause = Some(Cause::SlowClient);
        Self { pending_frames: PendingFrames::Discard, cause, ..Self::new(error, close) }
    }

    /// The queue of upstream calls is full.
    pub(crate) fn too_many_waiting() -> Self {
        let error = Some("too many messages wait for their upstream calls".to_owned());
        let close = LastMessage::Close { error: error.clone(), allow_reconnect: true };
        Self { cause: Some(Cause::WaitingCalls), ..Self::new(error, close) }
    }

    /// The text for the log: the error for the app, the text of a refused handshake, or the reason of an end without an error.
    pub(crate) fn reason(&self) -> Option<&str> {
        match &self.last_message {
            LastMessage::Refused(text) => Some(text),
            LastMessage::None | LastMessage::Close { .. } => self.error.as_deref().or(self.note),
        }
    }

    /// The error for the inspector.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        let text = self.reason()?.into();
        Some(Trouble { cause: self.cause, text })
    }

    /// The close frame of a WebSocket. Its reason is the error of the close message, because some clients report only
    /// the reason of the close frame (the official C++ client).
    pub(crate) fn close_frame(&self) -> Frame {
        let reason = match &self.last_message {
            LastMessage::Close { error, .. } => error.as_deref().unwrap_or_default(),
            LastMessage::Refused(text) => text,
            LastMessage::None => "",
        };
        Frame::close(self.close_status, reason)
    }

    /// The last hub message. A refused handshake is always JSON text (HubProtocol.md, Overview).
    pub(crate) fn last_frame(&self, protocol: Protocol) -> Option<Frame> {
        match &self.last_message {
            LastMessage::None => None,
            LastMessage::Refused(text) => Some(Frame::text(&handshake::refused(text))),
            LastMessage::Close { error, allow_reconnect } => {
                let close =
                    Message::Close { error: error.clone(), allow_reconnect: *allow_reconnect };
                Some(Frame::message(protocol, &protocol.encode(&close)))
            }
        }
    }
}
