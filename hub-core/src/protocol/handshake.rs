//! The handshake: one JSON record in each direction, for every protocol (HubProtocol.md, Overview).

use bytes::Bytes;
use serde::Deserialize;

use super::{Protocol, ProtocolError, frame::RECORD_SEPARATOR, json::text};

/// The response that accepts a client.
pub const ACCEPTED: &[u8] = b"{}\x1e";

/// The handshake request of a client.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct HandshakeRequest {
    /// The name of the protocol in the client's spelling.
    pub protocol: String,
    /// The version of the protocol.
    pub version: i64,
}

#[derive(Deserialize)]
struct Response {
    error: Option<String>,
    #[serde(rename = "type")]
    kind: Option<serde_json::Value>,
}

/// Decodes a request without its separator.
///
/// # Errors
/// When the record is not JSON or a member is missing.
pub fn parse_request(record: &[u8]) -> Result<HandshakeRequest, ProtocolError> {
    serde_json::from_slice(record).map_err(ProtocolError::Json)
}

/// Encodes a request with its separator.
#[must_use]
pub fn request(protocol: Protocol) -> Bytes {
    let mut out = Vec::new();
    text(&mut out, b"{\"protocol\":", protocol.name());
    out.extend_from_slice(b",\"version\":1}");
    out.push(RECORD_SEPARATOR);
    out.into()
}

/// Encodes the response that refuses a client, with its separator.
#[must_use]
pub fn refused(error: &str) -> Bytes {
    let mut out = Vec::new();
    text(&mut out, b"{\"error\":", error);
    out.push(b'}');
    out.push(RECORD_SEPARATOR);
    out.into()
}

/// Decodes a response without its separator. Returns `None` if the client was accepted, otherwise the error
/// text.
///
/// # Errors
/// When the record is not a handshake response.
pub fn parse_response(record: &[u8]) -> Result<Option<String>, ProtocolError> {
    let response: Response = serde_json::from_slice(record).map_err(ProtocolError::Json)?;
    if response.kind.is_some() {
        return Err(ProtocolError::Invalid("type"));
    }
    Ok(response.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_records_have_their_bytes() {
        assert_eq!(request(Protocol::Json), "{\"protocol\":\"json\",\"version\":1}\x1e");
        assert_eq!(refused("no \"x\""), "{\"error\":\"no \\\"x\\\"\"}\x1e");
        assert_eq!(ACCEPTED, b"{}\x1e");
    }

    #[test]
    fn members_may_come_in_any_order_with_others() {
        let request = parse_request(b" {\"version\":1,\"x\":[],\"protocol\":\"JSON\"} ").unwrap();
        assert_eq!(request, HandshakeRequest { protocol: "JSON".to_owned(), version: 1 });
    }

    #[test]
    fn a_record_without_both_members_is_refused() {
        for bad in ["", "{}", "[]", "{\"protocol\":\"json\"}", "{\"version\":1}", "nonsense"] {
            assert!(parse_request(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse_request(b"{\"protocol\":1,\"version\":1}").is_err());
        assert!(parse_request(b"{\"protocol\":\"json\",\"version\":\"1\"}").is_err());
    }

    #[test]
    fn answers_are_read() {
        assert_eq!(parse_response(b"{}").unwrap(), None);
        assert_eq!(parse_response(b"{\"error\":\"e\"}").unwrap().as_deref(), Some("e"));
        assert!(parse_response(b"{\"type\":6}").is_err());
    }
}
