//! Completions that the app has encoded.

use bytes::Bytes;
use hub_core::protocol::{Message, Outcome, Protocol, frame::Frames};
use serde::{Deserialize, de::IgnoredAny};

/// The response of an app to an `invoke`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Checked {
    /// A completion that goes to the client unchanged.
    Completion,
    /// The body with a text in place of an empty error.
    Mended(Bytes),
    /// A body that the client cannot read, or that completes another call. Contains the problem.
    Invalid(&'static str),
}

/// Checks that the body completes the invocation. Empty error texts, which the official JavaScript client reads as
/// success, are replaced: see [`error_text`](hub_core::protocol::error_text).
pub(super) fn check(protocol: Protocol, body: &Bytes, invocation_id: &str) -> Checked {
    match form(protocol, body, invocation_id) {
        Form::Usual => return Checked::Completion,
        Form::WithEmptyText => {}
        Form::Other => {
            if let Some(problem) = problem(protocol, body, invocation_id) {
                return Checked::Invalid(problem);
            }
        }
    }
    match without_empty_errors(protocol, body, invocation_id) {
        Some(mended) => Checked::Mended(mended),
        None => Checked::Completion,
    }
}

/// The form of a response.
enum Form {
    /// The completion of the invocation as our encoders and those of .NET write it, which need not be parsed.
    Usual,
    /// The same, with a text that may be empty.
    WithEmptyText,
    Other,
}

fn form(protocol: Protocol, body: &[u8], invocation_id: &str) -> Form {
    match protocol.is_binary() {
        false => json_form(body, invocation_id),
        true if !is_usual_in_messagepack(body, invocation_id) => Form::Other,
        true if has_empty_text(protocol, body) => Form::WithEmptyText,
        true => Form::Usual,
    }
}

/// Reads each byte once, because most bodies are short.
fn json_form(body: &[u8], invocation_id: &str) -> Form {
    let id = body.strip_prefix(b"{\"type\":3,\"invocationId\":\"");
    let rest = id.and_then(|id| id.strip_prefix(invocation_id.as_bytes()));
    let Some([b'"', rest @ .., b'}', 0x1E]) = rest else { return Form::Other };
    // Clients end the connection if there are both. Data may contain the other name, so it is parsed then.
    let other: &[u8] = if rest.starts_with(b",\"error\":") { b"result\"" } else { b"error\"" };
    let mut form = Form::Usual;
    let mut left = rest;
    while let [byte, after @ ..] = left {
        match (byte, after) {
            (0x1E, _) => return Form::Other,
            (b'"', [b'"', ..]) => form = Form::WithEmptyText,
            (b'"', _) if after.starts_with(other) => return Form::Other,
            _ => {}
        }
        left = after;
    }
    form
}

fn is_usual_in_messagepack(body: &[u8], invocation_id: &str) -> bool {
    // The length of the message: seven bits in each byte, the low ones first.
    let Some(end) = body.iter().take(5).position(|byte| byte & 0x80 == 0) else { return false };
    let Some((prefix, message)) = body.split_at_checked(end + 1) else { return false };
    let length = prefix.iter().rev().fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7F));
    let [array @ (0x94 | 0x95), 3, 0x80, head, rest @ ..] = message else { return false };
    length == message.len()
        && invocation_id.len() < 32
        && usize::from(*head) == 0xA0 + invocation_id.len()
        && rest.strip_prefix(invocation_id.as_bytes()).is_some_and(|rest| match (array, rest) {
            // Kinds of results: none; an error text; a value.
            (0x94, [2]) => true,
            (0x95, [1, text, ..]) => matches!(text, 0xA0..=0xBF | 0xD9..=0xDB),
            (0x95, [3, _, ..]) => true,
            _ => false,
        })
}

/// The members of a JSON message that are checked.
#[derive(Deserialize)]
struct Completion<'a> {
    r#type: u64,
    #[serde(borrow, rename = "invocationId")]
    invocation_id: Option<std::borrow::Cow<'a, str>>,
    result: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
}

/// Why the body is no sequence of hub messages with the completion of this invocation.
fn problem(protocol: Protocol, body: &Bytes, invocation_id: &str) -> Option<&'static str> {
    let (no_end, no_message) = match protocol.is_binary() {
        false => (
            "it does not end with the byte 0x1E",
            "it is no JSON object with the members of a completion",
        ),
        true => ("it is shorter than the length before it", "it is no completion in MessagePack"),
    };
    let mut frames = Frames::new(body.len());
    frames.switch_to(protocol);
    frames.push(body);
    let mut completes = false;
    loop {
        let frame = match frames.next_frame() {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(_) => return Some(no_message),
        };
        completes |= if protocol.is_binary() {
            match protocol.parse(&frame) {
                Ok(Some(Message::Completion { invocation_id: id, .. })) => id == invocation_id,
                Ok(_) => false,
                Err(_) => return Some(no_message),
            }
        } else {
            match serde_json::from_slice::<Completion<'_>>(&frame) {
                Ok(Completion { result: Some(_), error: Some(_), .. }) => {
                    return Some("it has both a `result` and an `error`");
                }
                Ok(it) => it.r#type == 3 && it.invocation_id.as_deref() == Some(invocation_id),
                Err(_) => return Some(no_message),
            }
        };
    }
    if !frames.is_empty() {
        return Some(no_end);
    }
    (!completes).then_some("it has no completion with the `invocationId` of the request")
}

/// Replaces empty error texts. `None` if there are none.
fn without_empty_errors(protocol: Protocol, body: &Bytes, invocation_id: &str) -> Option<Bytes> {
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
        _ => body.iter().any(|byte| matches!(byte, 0xA0 | 0xD9..=0xDB)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBLEMS: [&str; 4] = [
        "it does not end with the byte 0x1E",
        "it is no JSON object with the members of a completion",
        "it has no completion with the `invocationId` of the request",
        "it has both a `result` and an `error`",
    ];

    #[test]
    fn a_json_body_must_be_the_framed_completion_of_the_call() {
        let [no_end, no_object, other_id, both] = PROBLEMS.map(Checked::Invalid);
        let check =
            |body: &'static str| check(Protocol::Json, &Bytes::from_static(body.as_bytes()), "7");

        for good in [
            "{\"type\":3,\"invocationId\":\"7\"}\u{1e}",
            "{\"type\":3,\"invocationId\":\"7\",\"result\":{\"error\":1}}\u{1e}",
            "{ \"result\": null, \"error\": \"e\", \"invocationId\": \"\\u0037\", \"type\": 3 }\u{1e}",
            "{\"type\":6}\u{1e}{\"invocationId\":\"7\",\"type\":3}\u{1e}",
        ] {
            assert_eq!(check(good), Checked::Completion, "{good}");
        }
        assert_eq!(check("{\"type\":3,\"invocationId\":\"7\",\"result\":1}"), no_end);
        assert_eq!(check("{\"type\":3,\"invocationId\":\"7\"}\u{1e}{}"), no_end);
        for body in ["ok\u{1e}", "{\"sum\":3}\u{1e}", "\u{1e}", "[3]\u{1e}"] {
            assert_eq!(check(body), no_object, "{body}");
        }
        assert_eq!(check("{\"type\":3,\"invocationId\":7}\u{1e}"), no_object);
        for body in [
            "{\"type\":3}\u{1e}",
            "{\"type\":3,\"invocationId\":\"70\"}\u{1e}",
            "{\"type\":6}\u{1e}",
        ] {
            assert_eq!(check(body), other_id, "{body}");
        }
        for body in [
            "{\"type\":3,\"result\":1,\"invocationId\":\"7\",\"error\":\"e\"}\u{1e}",
            "{\"type\":3,\"invocationId\":\"7\",\"result\":1,\"error\":\"e\"}\u{1e}",
            "{\"type\":3,\"invocationId\":\"7\",\"error\":\"e\",\"result\":1}\u{1e}",
        ] {
            assert_eq!(check(body), both, "{body}");
        }
        let data = "{\"type\":3,\"invocationId\":\"7\",\"result\":{\"error\":1}}\u{1e}";
        assert_eq!(check(data), Checked::Completion);
    }

    #[cfg(feature = "msgpack")]
    #[test]
    fn a_messagepack_body_must_be_the_framed_completion_of_the_call() {
        let check =
            |body: &'static [u8]| check(Protocol::MessagePack, &Bytes::from_static(body), "7");

        assert_eq!(check(b"\x06\x94\x03\x80\xa17\x02"), Checked::Completion);
        assert_eq!(check(b"\x07\x94\x03\x80\xd9\x017\x02"), Checked::Completion);
        let invalid = |body: &'static [u8], problem| {
            assert_eq!(check(body), Checked::Invalid(problem), "{body:?}");
        };
        invalid(b"\x07\x94\x03\x80\xa17\x02", "it is shorter than the length before it");
        invalid(b"\x94\x03\x80\xa17\x02", "it is no completion in MessagePack");
        for body in [
            &b"\x05\x94\x03\x80\xa17"[..],
            b"\x06\x94\x03\x80\xa17\x03",
            b"\x07\x95\x03\x80\xa17\x09\x01",
        ] {
            invalid(body, "it is no completion in MessagePack");
        }
        invalid(b"\x06\x94\x03\x80\xa18\x02", PROBLEMS[2]);
        invalid(b"\x02\x91\x06", PROBLEMS[2]);
    }

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
