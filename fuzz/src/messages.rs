//! Conditions on hub messages in every protocol.

use bytes::Bytes;
use hub_core::{
    TraceContext,
    protocol::{Message, Outcome, Protocol, convert, error_text, frame::Frames},
};

use crate::{pieces::cut, values};

/// Maximum size of a message in bytes. It is small, so that small inputs can exceed it.
const LIMIT: usize = 2048;

/// Splits a stream into messages, parses each message, and encodes it again. The first byte, modulo 4, is
/// the number of following bytes that define the lengths of the pieces of the stream.
pub(crate) fn run(protocol: Protocol, data: &[u8]) {
    let Some((count, rest)) = data.split_first() else { return };
    let Some((pattern, stream)) = rest.split_at_checked(usize::from(*count % 4)) else { return };
    let whole = frames(protocol, std::iter::once(stream));
    let pieces = cut(stream, pattern);
    assert_eq!(whole, frames(protocol, pieces), "splitting the stream changes the messages");
    for frame in &whole.0 {
        message(protocol, frame);
    }
    // An invalid stream may still be a valid message.
    message(protocol, &Bytes::copy_from_slice(stream));
}

/// Returns the messages in the pieces, and the error after the last message, if any.
fn frames<'a>(
    protocol: Protocol,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Bytes>, Option<String>) {
    let mut frames = Frames::new(LIMIT);
    frames.switch_to(protocol);
    let mut found = Vec::new();
    for piece in pieces {
        frames.take(piece.into());
        loop {
            match frames.next_frame() {
                Ok(Some(frame)) => found.push(frame),
                Ok(None) => break,
                Err(error) => return (found, Some(error.to_string())),
            }
        }
    }
    (found, None)
}

/// Parses one message. The message must be the same after encoding and parsing it in this protocol
/// and in the others.
fn message(protocol: Protocol, frame: &Bytes) {
    let Ok(Some(mut message)) = protocol.parse(frame) else { return };
    if let Message::Completion { outcome: Outcome::Error(text), .. } = &mut message {
        // Encoding replaces an empty text.
        *text = error_text(text).to_owned();
    }
    if let Message::Invocation { trace, .. } = &mut message
        && let Some(trace) = trace.take()
    {
        // No message is written with headers.
        let (parent, state) = (trace.traceparent(), trace.tracestate());
        assert_eq!(TraceContext::new(parent, state).as_ref(), Some(&*trace));
        assert!(parent.len() == 55 && state.is_none_or(|state| state.len() <= 512));
    }
    let body = protocol.encode_body(&message);
    assert_eq!(
        protocol.parse(&body).unwrap().unwrap(),
        message,
        "the message changes when it is written and read again"
    );
    let framed = protocol.encode(&message);
    let (found, error) = frames(protocol, std::iter::once(&framed[..]));
    assert!(
        body.len() > LIMIT || (found == [body] && error.is_none()),
        "the message changes when it is framed and split again"
    );
    if let Message::Completion { invocation_id, outcome: Outcome::Result(value) } = &message {
        result(protocol, invocation_id, value);
    }
    for other in Protocol::ALL.iter().filter(|other| **other != protocol) {
        translated(protocol, *other, message.clone());
    }
}

/// Encodes the value as the result of a method. The completion must be that of a message with this result.
fn result(protocol: Protocol, invocation_id: &str, value: &Bytes) {
    let Ok(value) = convert(value, protocol, Protocol::Json) else { return };
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(&value) else { return };
    let Ok(framed) = protocol.encode_value(invocation_id, &value) else { return };
    let mut frames = Frames::new(usize::MAX);
    frames.switch_to(protocol);
    frames.push(&framed);
    let frame = frames.next_frame().unwrap().expect("one frame");
    let message = protocol.parse(&frame).unwrap().unwrap();
    let Message::Completion { invocation_id: id, outcome: Outcome::Result(_) } = &message else {
        panic!("not a completion with a result: {message:?}")
    };
    assert_eq!(id, invocation_id);
    assert_eq!(protocol.encode(&message), framed);
}

/// Converts the message for a client of another protocol, and checks the result.
fn translated(from: Protocol, to: Protocol, mut message: Message) {
    let mut named = true;
    let mut check = |name: &str| named &= !name.is_empty();
    let value = match &mut message {
        Message::Invocation { target, arguments, stream_ids, .. } => {
            check(target);
            stream_ids.iter().for_each(|id| check(id));
            Some(arguments)
        }
        Message::StreamInvocation { invocation_id, target, arguments, stream_ids } => {
            check(invocation_id);
            check(target);
            stream_ids.iter().for_each(|id| check(id));
            Some(arguments)
        }
        Message::StreamItem { invocation_id, item } => {
            check(invocation_id);
            Some(item)
        }
        Message::Completion { invocation_id, outcome } => {
            check(invocation_id);
            match outcome {
                Outcome::Result(value) => Some(value),
                Outcome::Void | Outcome::Error(_) => None,
            }
        }
        Message::CancelInvocation { invocation_id } => {
            check(invocation_id);
            None
        }
        _ => None,
    };
    if let Some(value) = value {
        let converted = convert(value, from, to);
        values::agree(value, from, to, converted.as_ref());
        let Ok(converted) = converted else { return };
        *value = converted;
    }
    // MessagePack does not allow empty names, so messages with empty names are skipped.
    if named {
        let body = to.encode_body(&message);
        assert_eq!(
            to.parse(&body).unwrap().unwrap(),
            message,
            "the message changes in the other protocol"
        );
    }
}
