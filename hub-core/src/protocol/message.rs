//! The hub messages. Arguments, items and results stay encoded and are passed on unchanged.

use bytes::Bytes;

use crate::trace::TraceContext;

/// A hub message of either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// Type 1: an invocation. If it has an id, the receiver responds with a completion.
    Invocation {
        /// The invocation id. It is never empty.
        invocation_id: Option<String>,
        /// The name of the method.
        target: String,
        /// The encoded list of arguments.
        arguments: Bytes,
        /// The ids of the upload streams.
        stream_ids: Vec<String>,
        /// The trace that the call belongs to, from the headers of the message. Only read: no message is written with
        /// headers.
        trace: Option<Box<TraceContext>>,
    },
    /// Type 2: one item of a stream.
    StreamItem {
        /// The stream.
        invocation_id: String,
        /// The encoded item.
        item: Bytes,
    },
    /// Type 3: the result of an invocation, or the end of a stream.
    Completion {
        /// The invocation id.
        invocation_id: String,
        /// The outcome.
        outcome: Outcome,
    },
    /// Type 4: an invocation with a stream of results.
    StreamInvocation {
        /// The id of the invocation and its stream.
        invocation_id: String,
        /// The name of the method.
        target: String,
        /// The encoded list of arguments.
        arguments: Bytes,
        /// The ids of the upload streams.
        stream_ids: Vec<String>,
    },
    /// Type 5: cancels a stream.
    CancelInvocation {
        /// The stream.
        invocation_id: String,
    },
    /// Type 6: a keep-alive ping.
    Ping,
    /// Type 7: closes the connection (HubProtocol.md, Close).
    Close {
        /// The error text, if closed with an error.
        error: Option<String>,
        /// Whether the client may reconnect automatically.
        allow_reconnect: bool,
    },
    /// Type 8: acknowledges received messages (stateful reconnect).
    Ack {
        /// The id of the last processed message.
        sequence_id: u64,
    },
    /// Type 9: sets the id of the next message (stateful reconnect).
    Sequence {
        /// The id.
        sequence_id: u64,
    },
}

/// The text of an error that has none.
const NO_TEXT: &str = "the method failed without an error text";

/// The text of an error completion, which is never empty: the official JavaScript client tests the text for
/// truth, so that an invocation with the error `""` succeeds (`HubConnection.ts`, `invoke`).
#[must_use]
pub fn error_text(text: &str) -> &str {
    if text.is_empty() { NO_TEXT } else { text }
}

impl Message {
    /// The size of the encoded values, which are most of a large message.
    pub(super) fn encoded_len(&self) -> usize {
        match self {
            Self::Invocation { target, arguments, .. }
            | Self::StreamInvocation { target, arguments, .. } => target.len() + arguments.len(),
            Self::StreamItem { item: value, .. }
            | Self::Completion { outcome: Outcome::Result(value), .. } => value.len(),
            _ => 0,
        }
    }
}

/// The outcome of an invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Success without a value.
    Void,
    /// Success with an encoded value, possibly null.
    Result(Bytes),
    /// An error with a text for the caller. An empty text is encoded as [`error_text`] returns it.
    Error(String),
}
