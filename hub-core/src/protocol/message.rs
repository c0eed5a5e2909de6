//! Every hub message, owned. Values stay encoded: their bytes pass through untouched.

use bytes::Bytes;

/// A hub message of either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// Type 1: a call. With an id its receiver answers with a completion.
    Invocation {
        /// The id to answer to; never empty.
        invocation_id: Option<String>,
        /// The name of the method.
        target: String,
        /// The encoded list of arguments.
        arguments: Bytes,
        /// The ids of the caller's upload streams.
        stream_ids: Vec<String>,
    },
    /// Type 2: one item of a stream.
    StreamItem {
        /// The stream.
        invocation_id: String,
        /// The encoded item.
        item: Bytes,
    },
    /// Type 3: the answer to a call, or the end of a stream.
    Completion {
        /// The call.
        invocation_id: String,
        /// How it ended.
        outcome: Outcome,
    },
    /// Type 4: a call that is answered by a stream.
    StreamInvocation {
        /// The id of the call and its stream.
        invocation_id: String,
        /// The name of the method.
        target: String,
        /// The encoded list of arguments.
        arguments: Bytes,
        /// The ids of the caller's upload streams.
        stream_ids: Vec<String>,
    },
    /// Type 5: the caller wants no more items.
    CancelInvocation {
        /// The stream.
        invocation_id: String,
    },
    /// Type 6: a sign of life.
    Ping,
    /// Type 7: the end of the connection.
    Close {
        /// Why, when it is an error.
        error: Option<String>,
        /// Whether a client that reconnects by itself may do so.
        allow_reconnect: bool,
    },
    /// Type 8: received up to here (stateful reconnect).
    Ack {
        /// The highest id processed.
        sequence_id: u64,
    },
    /// Type 9: the next message has this id (stateful reconnect).
    Sequence {
        /// The id.
        sequence_id: u64,
    },
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Well, without a value.
    Void,
    /// Well, with an encoded value (which may be null).
    Result(Bytes),
    /// Badly, with a text for the caller.
    Error(String),
}
