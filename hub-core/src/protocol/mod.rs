//! The SignalR hub protocol: messages, framing, and their encodings in JSON and MessagePack.
//!
//! Source: HubProtocol.md and TransportProtocols.md of dotnet/aspnetcore, `src/SignalR/docs/specs/`. Where
//! these documents leave a rule open, the behaviour of the .NET server ("the reference server") applies.
//!
//! ```
//! use bytes::Bytes;
//! use hub_core::protocol::{Message, Outcome, json};
//!
//! let frame = json::encode(&Message::Completion {
//!     invocation_id: "7".to_owned(),
//!     outcome: Outcome::Result(Bytes::from_static(b"42")),
//! });
//! assert_eq!(&frame[..], b"{\"type\":3,\"invocationId\":\"7\",\"result\":42}\x1e");
//! ```

#[cfg(feature = "msgpack")]
pub mod bundle;
mod convert;
pub mod frame;
pub mod handshake;
pub mod json;
pub(crate) mod json_fields;
mod message;
#[cfg(feature = "msgpack")]
pub mod msgpack;
mod scratch;

use bytes::Bytes;
use serde::Serialize;

pub use self::{
    convert::{ConvertError, convert},
    message::{Message, Outcome, error_text},
};
use crate::HubError;

/// The maximum nesting depth of the reference server.
const MAX_DEPTH: usize = 64;
/// The maximum number of upload streams of one message. Their ids are decoded and use up to 30 times the memory of
/// the message.
const MAX_STREAM_IDS: usize = 64;

/// An encoding of hub messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// JSON texts that end with the byte `1E`.
    #[default]
    Json,
    /// MessagePack arrays, prefixed with their length (feature `msgpack`).
    #[cfg(feature = "msgpack")]
    MessagePack,
}

impl Protocol {
    /// All protocols of this build.
    pub const ALL: &'static [Self] = &[
        Self::Json,
        #[cfg(feature = "msgpack")]
        Self::MessagePack,
    ];

    /// The name in the handshake.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            #[cfg(feature = "msgpack")]
            Self::MessagePack => "messagepack",
        }
    }

    /// The content type of an upstream call.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            #[cfg(feature = "msgpack")]
            Self::MessagePack => "application/x-msgpack",
        }
    }

    /// The protocol with this handshake name, compared ignoring case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| name.eq_ignore_ascii_case(known.name()))
    }

    /// The protocol with this content type of upstream calls. Parameters such as `charset` are ignored.
    #[must_use]
    pub fn from_content_type(content_type: &str) -> Option<Self> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let named = |known: &Self| media_type.eq_ignore_ascii_case(known.content_type());
        Self::ALL.iter().copied().find(named)
    }

    /// Whether messages are binary.
    #[must_use]
    pub fn is_binary(self) -> bool {
        match self {
            Self::Json => false,
            #[cfg(feature = "msgpack")]
            Self::MessagePack => true,
        }
    }

    /// Decodes one message without its separator or length. `None` for an unknown message type, which must
    /// be skipped.
    ///
    /// # Errors
    /// When the reference server would close the connection.
    pub fn parse(self, frame: &Bytes) -> Result<Option<Message>, ProtocolError> {
        match self {
            Self::Json => json::parse(frame),
            #[cfg(feature = "msgpack")]
            Self::MessagePack => msgpack::parse(frame),
        }
    }

    /// Encodes one message with its separator or length, for a client. The values in the message must be
    /// encoded in this protocol.
    #[must_use]
    pub fn encode(self, message: &Message) -> Bytes {
        match self {
            Self::Json => json::encode(message),
            #[cfg(feature = "msgpack")]
            Self::MessagePack => msgpack::encode(message),
        }
    }

    /// Framed messages of an app in a form that every client of this protocol accepts: without map entries with
    /// the key `__proto__` in MessagePack.
    #[must_use]
    pub fn relayed(self, framed: Bytes) -> Bytes {
        match self {
            Self::Json => framed,
            #[cfg(feature = "msgpack")]
            Self::MessagePack => msgpack::without_in_frames(framed),
        }
    }

    /// Encodes a completion with this result for a client.
    ///
    /// # Errors
    /// When the result cannot be encoded.
    #[doc(hidden)]
    pub fn encode_value<T: Serialize + ?Sized>(
        self,
        invocation_id: &str,
        value: &T,
    ) -> Result<Bytes, HubError> {
        match self {
            Self::Json => json::encode_value(invocation_id, value),
            #[cfg(feature = "msgpack")]
            Self::MessagePack => msgpack::encode_value(invocation_id, value),
        }
    }

    /// Encodes one message without its separator or length, for an upstream call.
    #[must_use]
    pub fn encode_body(self, message: &Message) -> Bytes {
        match self {
            Self::Json => json::encode_body(message),
            #[cfg(feature = "msgpack")]
            Self::MessagePack => msgpack::encode_body(message),
        }
    }

    /// The framed ping.
    #[must_use]
    pub fn ping(self) -> &'static [u8] {
        match self {
            Self::Json => json::PING,
            #[cfg(feature = "msgpack")]
            Self::MessagePack => msgpack::PING,
        }
    }
}

/// Checks the id of a `Sequence` message. The first message has the id 1: a smaller id would make the receiver count
/// messages that were never sent, so that it takes new messages for repeated ones (dotnet/aspnetcore#69283).
fn first_sequence(id: u64) -> Result<u64, ProtocolError> {
    if id < 1 { Err(ProtocolError::Invalid("sequenceId")) } else { Ok(id) }
}

/// Why bytes are not a hub message. Every such error closes the connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// Not JSON, not an object, or a member of the wrong type.
    #[error("error reading JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// Not MessagePack, or not the structure of a hub message.
    #[error("error reading MessagePack: {0}")]
    MessagePack(&'static str),
    /// The length prefix of a MessagePack message has more than 31 bits.
    #[error("the length of the message is malformed")]
    Length,
    /// Nested deeper than the limit.
    #[error("the message is nested deeper than {limit} levels")]
    TooDeep {
        /// The maximum nesting depth.
        limit: usize,
    },
    /// Larger than the limit.
    #[error("the maximum message size of {limit}B was exceeded")]
    TooLarge {
        /// The limit in bytes, without the separator or the length.
        limit: usize,
    },
    /// A required member is missing.
    #[error("missing required property '{0}'")]
    Missing(&'static str),
    /// A member has an invalid value.
    #[error("invalid property '{0}'")]
    Invalid(&'static str),
    /// A completion has both `error` and `result`.
    #[error("the 'error' and 'result' properties are mutually exclusive")]
    ErrorAndResult,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_may_carry_parameters() {
        let from = Protocol::from_content_type;
        assert_eq!(from("application/json"), Some(Protocol::Json));
        assert_eq!(from("Application/JSON; charset=utf-8"), Some(Protocol::Json));
        #[cfg(feature = "msgpack")]
        assert_eq!(from("application/x-msgpack"), Some(Protocol::MessagePack));
        assert_eq!(from("text/json"), None);
        assert_eq!(from(""), None);
    }

    /// A value that cannot be encoded.
    struct Failing;

    impl Serialize for Failing {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no form"))
        }
    }

    #[test]
    fn an_encoded_result_is_the_completion_with_this_result() {
        fn check<T: Serialize + ?Sized>(value: &T) {
            for protocol in Protocol::ALL {
                let mut result = Vec::new();
                match protocol {
                    Protocol::Json => crate::values::write_json(&mut result, value).unwrap(),
                    #[cfg(feature = "msgpack")]
                    Protocol::MessagePack => msgpack::write_value(&mut result, value).unwrap(),
                }
                for id in ["7", "", "a \"quoted\\ id\n\u{1}ü"] {
                    // Errors leave a part of a message in the buffer of the thread.
                    assert!(protocol.encode_value(id, &("a part", Failing)).is_err());
                    let outcome = Outcome::Result(result.clone().into());
                    let completion = Message::Completion { invocation_id: id.to_owned(), outcome };

                    let encoded = protocol.encode_value(id, value).unwrap();

                    assert_eq!(encoded, protocol.encode(&completion), "{protocol:?}");
                }
            }
        }

        check(&());
        check(&(1, "two", [3.5]));
        check("x".repeat(scratch::MAX_KEPT - 100).as_str());
        check("x".repeat(scratch::MAX_KEPT + 1).as_str());
        check("x".repeat(100_000).as_str());
        check(&true);
    }

    #[test]
    fn names_ignore_case() {
        assert_eq!(Protocol::from_name("JSON"), Some(Protocol::Json));
        #[cfg(feature = "msgpack")]
        assert_eq!(Protocol::from_name("MessagePack"), Some(Protocol::MessagePack));
        assert_eq!(Protocol::from_name("xml"), None);
    }
}
