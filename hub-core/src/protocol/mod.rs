//! The hub protocol: messages, framing, and their JSON form.
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

pub mod frame;
pub mod handshake;
pub mod json;
mod json_fields;
mod message;

pub use self::message::{Message, Outcome};

/// An encoding of hub messages. MessagePack is not there yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// JSON texts that end with the byte `1E`.
    #[default]
    Json,
}

impl Protocol {
    /// The name in the handshake.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
        }
    }

    /// The content type of an upstream call.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
        }
    }

    /// The protocol with this handshake name, compared ignoring case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        name.eq_ignore_ascii_case("json").then_some(Self::Json)
    }

    /// The protocol of an upstream call's content type; parameters such as `charset` are ignored.
    #[must_use]
    pub fn from_content_type(content_type: &str) -> Option<Self> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        media_type.eq_ignore_ascii_case("application/json").then_some(Self::Json)
    }
}

/// Why bytes are not a hub message. Every one of these ends the connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// Not JSON, not an object, or a member of the wrong type.
    #[error("error reading JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// Nested deeper than a reader must follow.
    #[error("the message is nested deeper than {limit} levels")]
    TooDeep {
        /// The deepest level allowed.
        limit: usize,
    },
    /// Bigger than the limit.
    #[error("the maximum message size of {limit}B was exceeded")]
    TooLarge {
        /// The limit in bytes, without the separator.
        limit: usize,
    },
    /// A member that this kind of message must have.
    #[error("missing required property '{0}'")]
    Missing(&'static str),
    /// A member that cannot be what it is.
    #[error("invalid property '{0}'")]
    Invalid(&'static str),
    /// A completion is one of the two.
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
        assert_eq!(from("text/json"), None);
        assert_eq!(from(""), None);
    }

    #[test]
    fn names_ignore_case() {
        assert_eq!(Protocol::from_name("JSON"), Some(Protocol::Json));
        assert_eq!(Protocol::from_name("xml"), None);
    }
}
