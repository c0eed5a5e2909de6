//! The JSON encoding of hub messages (HubProtocol.md, JSON Encoding).
//!
//! Decoding follows the reference server: a message for which that server closes the connection is an
//! error, unknown message types are skipped, and bytes after the closing brace are ignored. Encoding never
//! writes headers. An optional member that has no value is omitted, not written as `null`. Some clients fail
//! on headers or on `null`.

use bytes::Bytes;
use serde::Serialize;

use super::{
    Message, Outcome, ProtocolError, error_text, first_sequence,
    frame::RECORD_SEPARATOR,
    json_fields::Fields,
    scratch::{self, MAX_KEPT},
};
use crate::{HubError, values::write_json};

/// The framed ping.
pub const PING: &[u8] = b"{\"type\":6}\x1e";

const RESULT: &[u8] = b",\"result\":";

/// Decodes one message without its separator. `None` for an unknown message type, which must be skipped.
///
/// # Errors
/// When the reference server would close the connection.
pub fn parse(frame: &Bytes) -> Result<Option<Message>, ProtocolError> {
    let fields = Fields::read(frame)?;
    let message = match fields.kind.ok_or(ProtocolError::Missing("type"))? {
        1 => invocation(fields, frame)?,
        2 => Message::StreamItem {
            item: slice(frame, fields.item).ok_or(ProtocolError::Missing("item"))?,
            invocation_id: required_id(fields.invocation_id)?,
        },
        3 => completion(fields, frame)?,
        4 => stream_invocation(fields, frame)?,
        5 => Message::CancelInvocation { invocation_id: required_id(fields.invocation_id)? },
        6 => Message::Ping,
        7 => Message::Close {
            error: fields.error,
            allow_reconnect: fields.allow_reconnect.unwrap_or(false),
        },
        8 => Message::Ack { sequence_id: sequence(fields.sequence_id)? },
        9 => Message::Sequence { sequence_id: first_sequence(sequence(fields.sequence_id)?)? },
        _ => return Ok(None),
    };
    Ok(Some(message))
}

fn invocation(fields: Fields<'_>, frame: &Bytes) -> Result<Message, ProtocolError> {
    Ok(Message::Invocation {
        arguments: arguments(frame, fields.arguments)?,
        invocation_id: fields.invocation_id.filter(|id| !id.is_empty()),
        target: fields.target.ok_or(ProtocolError::Missing("target"))?,
        stream_ids: fields.stream_ids.unwrap_or_default(),
        trace: fields.trace,
    })
}

fn stream_invocation(fields: Fields<'_>, frame: &Bytes) -> Result<Message, ProtocolError> {
    Ok(Message::StreamInvocation {
        arguments: arguments(frame, fields.arguments)?,
        invocation_id: required_id(fields.invocation_id)?,
        target: fields.target.ok_or(ProtocolError::Missing("target"))?,
        stream_ids: fields.stream_ids.unwrap_or_default(),
    })
}

fn completion(fields: Fields<'_>, frame: &Bytes) -> Result<Message, ProtocolError> {
    let outcome = match (fields.error, slice(frame, fields.result)) {
        (Some(_), Some(_)) => return Err(ProtocolError::ErrorAndResult),
        (Some(error), None) => Outcome::Error(error),
        (None, Some(result)) => Outcome::Result(result),
        (None, None) => Outcome::Void,
    };
    Ok(Message::Completion { invocation_id: required_id(fields.invocation_id)?, outcome })
}

fn required_id(id: Option<String>) -> Result<String, ProtocolError> {
    id.ok_or(ProtocolError::Missing("invocationId"))
}

fn sequence(id: Option<i64>) -> Result<u64, ProtocolError> {
    let id = id.ok_or(ProtocolError::Missing("sequenceId"))?;
    u64::try_from(id).map_err(|_| ProtocolError::Invalid("sequenceId"))
}

fn arguments(frame: &Bytes, raw: Option<&str>) -> Result<Bytes, ProtocolError> {
    let arguments = slice(frame, raw).ok_or(ProtocolError::Missing("arguments"))?;
    if arguments.first() == Some(&b'[') {
        Ok(arguments)
    } else {
        Err(ProtocolError::Invalid("arguments"))
    }
}

/// The part of the frame that `raw` borrows.
fn slice(frame: &Bytes, raw: Option<&str>) -> Option<Bytes> {
    raw.map(|raw| frame.slice_ref(raw.as_bytes()))
}

/// Encodes one message with its separator, for a client.
#[must_use]
pub fn encode(message: &Message) -> Bytes {
    let mut out = Vec::with_capacity(64 + message.encoded_len());
    write(&mut out, message);
    out.push(RECORD_SEPARATOR);
    out.into()
}

/// Encodes a completion with its separator. The result is encoded into the same buffer.
pub(super) fn encode_value<T: Serialize + ?Sized>(
    invocation_id: &str,
    value: &T,
) -> Result<Bytes, HubError> {
    scratch::with(|out| {
        begin(out, b"3", Some(invocation_id));
        out.extend_from_slice(RESULT);
        write_json(out, value)?;
        out.extend_from_slice(&[b'}', RECORD_SEPARATOR]);
        // A copy has the exact size, so that it needs one allocation.
        Ok(if out.len() > MAX_KEPT {
            std::mem::take(out).into()
        } else {
            Bytes::copy_from_slice(out)
        })
    })
}

/// Encodes one message without its separator, for an upstream call.
#[must_use]
pub fn encode_body(message: &Message) -> Bytes {
    let mut out = Vec::with_capacity(64 + message.encoded_len());
    write(&mut out, message);
    out.into()
}

fn write(out: &mut Vec<u8>, message: &Message) {
    match message {
        Message::Invocation { invocation_id, target, arguments, stream_ids, trace: _ } => {
            begin(out, b"1", invocation_id.as_deref());
            call(out, target, arguments, stream_ids);
        }
        Message::StreamItem { invocation_id, item } => {
            begin(out, b"2", Some(invocation_id));
            out.extend_from_slice(b",\"item\":");
            out.extend_from_slice(item);
        }
        Message::Completion { invocation_id, outcome } => {
            begin(out, b"3", Some(invocation_id));
            write_outcome(out, outcome);
        }
        Message::StreamInvocation { invocation_id, target, arguments, stream_ids } => {
            begin(out, b"4", Some(invocation_id));
            call(out, target, arguments, stream_ids);
        }
        Message::CancelInvocation { invocation_id } => begin(out, b"5", Some(invocation_id)),
        Message::Ping => begin(out, b"6", None),
        Message::Close { error, allow_reconnect } => {
            begin(out, b"7", None);
            if let Some(error) = error {
                text(out, b",\"error\":", error);
            }
            if *allow_reconnect {
                out.extend_from_slice(b",\"allowReconnect\":true");
            }
        }
        Message::Ack { sequence_id } => number(out, b"8", *sequence_id),
        Message::Sequence { sequence_id } => number(out, b"9", *sequence_id),
    }
    out.push(b'}');
}

fn begin(out: &mut Vec<u8>, kind: &[u8], invocation_id: Option<&str>) {
    out.extend_from_slice(b"{\"type\":");
    out.extend_from_slice(kind);
    if let Some(id) = invocation_id {
        text(out, b",\"invocationId\":", id);
    }
}

fn call(out: &mut Vec<u8>, target: &str, arguments: &[u8], stream_ids: &[String]) {
    text(out, b",\"target\":", target);
    out.extend_from_slice(b",\"arguments\":");
    out.extend_from_slice(arguments);
    if stream_ids.is_empty() {
        return;
    }
    out.extend_from_slice(b",\"streamIds\":");
    for (index, id) in stream_ids.iter().enumerate() {
        text(out, if index == 0 { b"[" } else { b"," }, id);
    }
    out.push(b']');
}

fn write_outcome(out: &mut Vec<u8>, outcome: &Outcome) {
    match outcome {
        Outcome::Void => {}
        Outcome::Result(value) => {
            out.extend_from_slice(RESULT);
            out.extend_from_slice(value);
        }
        Outcome::Error(error) => text(out, b",\"error\":", error_text(error)),
    }
}

fn number(out: &mut Vec<u8>, kind: &[u8], id: u64) {
    begin(out, kind, None);
    out.extend_from_slice(b",\"sequenceId\":");
    out.extend_from_slice(id.to_string().as_bytes());
}

/// Writes `label` and then `value` as a JSON string.
pub(super) fn text(out: &mut Vec<u8>, label: &[u8], value: &str) {
    out.extend_from_slice(label);
    // Writing a `str` to a `Vec` cannot fail.
    let _ = serde_json::to_writer(out, value);
}

#[cfg(test)]
mod tests;
