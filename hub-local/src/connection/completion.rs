//! Completions that the app has encoded.

use bytes::Bytes;
use hub_core::protocol::{Message, Outcome, Protocol, frame::Frames};
use serde::Deserialize;

/// Replaces empty error texts, which the official JavaScript client reads as success: see
/// [`error_text`](hub_core::protocol::error_text). `None` if there are none, or if the body is not a sequence
/// of hub messages.
pub(super) fn without_empty_errors(
    protocol: Protocol,
    body: &Bytes,
    invocation_id: &str,
) -> Option<Bytes> {
    if !has_empty_text(protocol, body) {
        return None;
    }
    let mut frames = Frames::new(body.len());
    frames.switch_to(protocol);
    frames.push(body);
    let (mut mended, mut is_mended) = (Vec::new(), false);
    while let Some(frame) = frames.next_frame().ok()? {
        let message = match protocol.parse(&frame) {
            Ok(message) => message?,
            Err(_) if protocol == Protocol::Json => {
                let Failed { error } = serde_json::from_slice(&frame).ok()?;
                let (invocation_id, outcome) = (invocation_id.to_owned(), Outcome::Error(error));
                Message::Completion { invocation_id, outcome }
            }
            Err(_) => protocol.parse(&with_headers(&frame)?.into()).ok()??,
        };
        is_mended |= matches!(
            &message,
            Message::Completion { outcome: Outcome::Error(text), .. } if text.is_empty()
        );
        // Encoding replaces the empty text.
        mended.extend_from_slice(&protocol.encode(&message));
    }
    (is_mended && frames.is_empty()).then(|| mended.into())
}

/// The error of a JSON completion. Encoders that write every member write `"result":null` or `"headers":null` beside
/// it. The official JavaScript client accepts both.
#[derive(Deserialize)]
struct Failed {
    error: String,
}

/// A MessagePack message with an empty map instead of nil as its headers. The official JavaScript client accepts nil.
/// `None` if the headers are not nil.
fn with_headers(frame: &[u8]) -> Option<Vec<u8>> {
    const NIL: u8 = 0xC0;
    const EMPTY_MAP: u8 = 0x80;
    let [array, kind, NIL, rest @ ..] = frame else { return None };
    Some([&[*array, *kind, EMPTY_MAP], rest].concat())
}

/// Whether the body may contain an empty text. Most bodies do not, so they need not be parsed.
fn has_empty_text(protocol: Protocol, body: &[u8]) -> bool {
    match protocol {
        Protocol::Json => body.windows(2).any(|pair| pair == b"\"\""),
        // The markers of texts whose length may be 0: fixstr 0, str 8, str 16, str 32.
        _ => body.iter().any(|byte| matches!(byte, 0xA0 | 0xD9..=0xDB)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(protocol: Protocol, body: &'static [u8]) -> Option<Vec<u8>> {
        let mended = without_empty_errors(protocol, &Bytes::from_static(body), "7");
        mended.map(|mended| mended.to_vec())
    }

    #[test]
    fn an_empty_error_gets_a_text_in_json() {
        let json = |body: &'static str| {
            mended(Protocol::Json, body.as_bytes()).map(|body| String::from_utf8(body).unwrap())
        };
        let with_text = "{\"type\":3,\"invocationId\":\"7\",\"error\":\"the method failed without an error text\"}\u{1e}";

        let empty = "{ \"error\" : \"\", \"type\":3,\"invocationId\":\"7\"}\u{1e}";
        assert_eq!(json(empty).as_deref(), Some(with_text));
        let escaped = "{\"type\":3,\"invocationId\":\"7\",\"\\u0065rror\":\"\"}\u{1e}";
        assert_eq!(json(escaped).as_deref(), Some(with_text));
        let with_result =
            "{\"type\":3,\"invocationId\":\"7\",\"error\":\"\",\"result\":null}\u{1e}";
        assert_eq!(json(with_result).as_deref(), Some(with_text));
        let with_headers =
            "{\"type\":3,\"headers\":null,\"invocationId\":\"7\",\"error\":\"\"}\u{1e}";
        assert_eq!(json(with_headers).as_deref(), Some(with_text));
        let after_another =
            "{\"type\":6}\u{1e}{\"type\":3,\"invocationId\":\"7\",\"error\":\"\"}\u{1e}";
        assert_eq!(json(after_another), Some(format!("{{\"type\":6}}\u{1e}{with_text}")));
        for untouched in [
            "{\"type\":3,\"invocationId\":\"7\",\"result\":\"\"}\u{1e}",
            "{\"type\":3,\"invocationId\":\"7\",\"error\":\"e\",\"x\":\"\"}\u{1e}",
            "{\"type\":3,\"invocationId\":\"7\",\"result\":{\"error\":\"\"}}\u{1e}",
            "{\"type\":3,\"invocationId\":\"7\",\"error\":\"\"}",
            "\"\"",
        ] {
            assert_eq!(json(untouched), None, "{untouched}");
        }
    }

    #[cfg(feature = "msgpack")]
    #[test]
    fn an_empty_error_gets_a_text_in_messagepack() {
        let with_text =
            b"\x2f\x95\x03\x80\xa17\x01\xd9\x27the method failed without an error text".to_vec();

        for empty in [
            &b"\x07\x95\x03\x80\xa17\x01\xa0"[..],
            b"\x07\x95\x03\xc0\xa17\x01\xa0",
            b"\x08\x95\x03\x80\xa17\x01\xd9\0",
            b"\x09\x95\x03\x80\xa17\x01\xda\0\0",
            b"\x0b\x95\x03\x80\xa17\x01\xdb\0\0\0\0",
        ] {
            assert_eq!(mended(Protocol::MessagePack, empty), Some(with_text.clone()));
        }
        for untouched in [
            &b"\x07\x95\x03\x80\xa17\x03\xa0"[..],
            b"\x07\x95\x03\xc0\xa17\x03\xa0",
            b"\x08\x95\x03\x80\xa17\x01\xa1e",
            b"\x07\x95\x03\x01\xa17\x01\xa0",
        ] {
            assert_eq!(mended(Protocol::MessagePack, untouched), None);
        }
    }
}
