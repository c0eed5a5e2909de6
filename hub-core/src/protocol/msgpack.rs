//! The MessagePack encoding of hub messages (HubProtocol.md, MessagePack Encoding).
//!
//! Decoding follows the reference server: a message for which that server closes the connection is an
//! error, unknown message types are skipped, and additional elements are ignored. Encoding writes exactly
//! six elements for an invocation, because some clients fail otherwise.

mod de;
mod from_json;
mod from_typed_json;
mod proto_key;
mod reader;
mod ser;
#[cfg(test)]
mod tests;
mod to_json;
mod to_typed_json;
mod writer;

use std::fmt;

use bytes::Bytes;
use serde::{
    Serialize,
    de::{DeserializeSeed, Expected, Unexpected},
};

pub(super) use self::{
    from_json::from_json,
    proto_key::without_in_frames,
    reader::{Reader, Token},
    to_json::to_json,
};
#[doc(hidden)]
pub use self::{from_typed_json::from_typed_json, to_typed_json::typed_json};
pub(crate) use self::{ser::write_value, writer::Writer};
use super::{
    MAX_STREAM_IDS, Message, Outcome, ProtocolError, error_text, first_sequence,
    frame::{prefix_size, write_length},
    scratch,
};
use crate::{
    HubError,
    trace::{TraceContext, TraceHeaders},
};

/// The framed ping.
pub const PING: &[u8] = &[0x02, 0x91, 0x06];

const ERROR: i64 = 1;
const VOID: i64 = 2;
const RESULT: i64 = 3;
/// The extension type of timestamps.
const TIMESTAMP: i8 = -1;

/// Decodes one message without its length. `None` for an unknown message type, which must be skipped.
///
/// # Errors
/// When the reference server would close the connection.
pub fn parse(frame: &Bytes) -> Result<Option<Message>, ProtocolError> {
    let mut reader = Reader::new(frame);
    let length = reader.array_length()?;
    if length == 0 {
        return Err(ProtocolError::Missing("type"));
    }
    let mut elements = Elements { frame, reader, left: length - 1 };
    let message = match elements.reader.integer()? {
        1 => {
            let trace = elements.headers()?;
            Message::Invocation {
                trace,
                invocation_id: elements.optional_id()?,
                target: elements.text("target")?,
                arguments: elements.array("arguments")?,
                stream_ids: elements.stream_ids()?,
            }
        }
        2 => {
            elements.headers()?;
            Message::StreamItem {
                invocation_id: elements.receivers_id()?,
                item: elements.value("item")?,
            }
        }
        3 => {
            elements.headers()?;
            Message::Completion {
                invocation_id: elements.receivers_id()?,
                outcome: elements.outcome()?,
            }
        }
        4 => {
            elements.headers()?;
            Message::StreamInvocation {
                invocation_id: elements.text("invocationId")?,
                target: elements.text("target")?,
                arguments: elements.array("arguments")?,
                stream_ids: elements.stream_ids()?,
            }
        }
        5 => {
            elements.headers()?;
            Message::CancelInvocation { invocation_id: elements.receivers_id()? }
        }
        6 => Message::Ping,
        7 => elements.close()?,
        8 => Message::Ack { sequence_id: elements.sequence()? },
        9 => Message::Sequence { sequence_id: first_sequence(elements.sequence()?)? },
        _ => return Ok(None),
    };
    Ok(Some(message))
}

/// The elements of a message after its type.
struct Elements<'a> {
    frame: &'a Bytes,
    reader: Reader<'a>,
    left: u32,
}

impl<'a> Elements<'a> {
    fn next(&mut self, name: &'static str) -> Result<(), ProtocolError> {
        self.left = self.left.checked_sub(1).ok_or(ProtocolError::Missing(name))?;
        Ok(())
    }

    /// Validates headers, and returns the trace context.
    fn headers(&mut self) -> Result<Option<Box<TraceContext>>, ProtocolError> {
        self.next("headers")?;
        let mut found = TraceHeaders::default();
        for _ in 0..self.reader.map_length()? {
            let (name, value) = (self.reader.text()?, self.reader.text()?);
            if name.is_empty() || value.is_empty() {
                return Err(ProtocolError::Invalid("headers"));
            }
            found.add(name, value);
        }
        Ok(found.context())
    }

    fn text(&mut self, name: &'static str) -> Result<String, ProtocolError> {
        self.next(name)?;
        match self.reader.text()? {
            "" => Err(ProtocolError::Invalid(name)),
            text => Ok(text.to_owned()),
        }
    }

    /// The id of an invocation or stream that the receiver began. An empty id is valid, as in JSON: the
    /// receiver has no such invocation and ignores the message.
    fn receivers_id(&mut self) -> Result<String, ProtocolError> {
        self.next("invocationId")?;
        self.reader.text().map(str::to_owned)
    }

    /// A text that may be nil.
    fn optional_text(&mut self, name: &'static str) -> Result<Option<&'a str>, ProtocolError> {
        self.next(name)?;
        if self.reader.is_nil() {
            self.reader.token()?;
            return Ok(None);
        }
        self.reader.text().map(Some)
    }

    fn optional_id(&mut self) -> Result<Option<String>, ProtocolError> {
        let id = self.optional_text("invocationId")?;
        Ok(id.filter(|id| !id.is_empty()).map(str::to_owned))
    }

    /// A value that stays encoded.
    fn value(&mut self, name: &'static str) -> Result<Bytes, ProtocolError> {
        self.next(name)?;
        Ok(self.frame.slice_ref(self.reader.skip(1)?))
    }

    /// An array that stays encoded.
    fn array(&mut self, name: &'static str) -> Result<Bytes, ProtocolError> {
        let mut ahead = self.reader;
        let array = self.value(name)?;
        ahead.array_length()?;
        Ok(array)
    }

    /// The ids of the upload streams. The element may be missing.
    fn stream_ids(&mut self) -> Result<Vec<String>, ProtocolError> {
        if self.left == 0 {
            return Ok(Vec::new());
        }
        self.left -= 1;
        let mut ids = Vec::new();
        for _ in 0..self.reader.array_length()? {
            if ids.len() == MAX_STREAM_IDS {
                return Err(ProtocolError::MessagePack("too many stream ids"));
            }
            match self.reader.text()? {
                "" => return Err(ProtocolError::Invalid("streamIds")),
                id => ids.push(id.to_owned()),
            }
        }
        Ok(ids)
    }

    fn outcome(&mut self) -> Result<Outcome, ProtocolError> {
        self.next("resultKind")?;
        match self.reader.integer()? {
            ERROR => {
                self.next("error")?;
                Ok(Outcome::Error(self.reader.text()?.to_owned()))
            }
            VOID => Ok(Outcome::Void),
            RESULT => Ok(Outcome::Result(self.value("result")?)),
            _ => Err(ProtocolError::Invalid("resultKind")),
        }
    }

    fn close(&mut self) -> Result<Message, ProtocolError> {
        let error = self.optional_text("error")?.map(str::to_owned);
        let allow_reconnect = match self.left {
            0 => false,
            _ => match self.reader.token()? {
                Token::Bool(allow) => allow,
                _ => return Err(ProtocolError::Invalid("allowReconnect")),
            },
        };
        Ok(Message::Close { error, allow_reconnect })
    }

    fn sequence(&mut self) -> Result<u64, ProtocolError> {
        self.next("sequenceId")?;
        let id = self.reader.integer()?;
        u64::try_from(id).map_err(|_| ProtocolError::Invalid("sequenceId"))
    }
}

/// Encodes one message with its length, for a client.
#[must_use]
pub fn encode(message: &Message) -> Bytes {
    framed(&encode_body(message))
}

/// Encodes a completion with its length. The result is encoded into the same buffer.
pub(super) fn encode_value<T: Serialize + ?Sized>(
    invocation_id: &str,
    value: &T,
) -> Result<Bytes, HubError> {
    scratch::with(|out| {
        let mut head = Writer(std::mem::take(out));
        head.begin_result(invocation_id);
        *out = head.0;
        write_value(out, value)?;
        Ok(framed(out))
    })
}

fn framed(body: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(prefix_size(body.len()) + body.len());
    write_length(&mut out, body.len());
    out.extend_from_slice(body);
    out.into()
}

/// Encodes one message without its length, for an upstream call.
#[must_use]
pub fn encode_body(message: &Message) -> Bytes {
    let mut out = Writer(Vec::with_capacity(64 + message.encoded_len()));
    match message {
        Message::Invocation { invocation_id, target, arguments, stream_ids, trace: _ } => {
            out.begin(6, 1);
            out.id(invocation_id.as_deref());
            out.call(target, arguments, stream_ids);
        }
        Message::StreamItem { invocation_id, item } => {
            out.begin(4, 2);
            out.id(Some(invocation_id));
            out.raw(item);
        }
        Message::Completion { invocation_id, outcome } => {
            out.begin(if *outcome == Outcome::Void { 4 } else { 5 }, 3);
            out.id(Some(invocation_id));
            out.outcome(outcome);
        }
        Message::StreamInvocation { invocation_id, target, arguments, stream_ids } => {
            out.begin(6, 4);
            out.id(Some(invocation_id));
            out.call(target, arguments, stream_ids);
        }
        Message::CancelInvocation { invocation_id } => {
            out.begin(3, 5);
            out.id(Some(invocation_id));
        }
        Message::Ping => out.short(1, 6),
        Message::Close { error, allow_reconnect } => {
            out.short(3, 7);
            out.optional_text(error.as_deref());
            out.bool(*allow_reconnect);
        }
        Message::Ack { sequence_id } => {
            out.short(2, 8);
            out.unsigned(*sequence_id);
        }
        Message::Sequence { sequence_id } => {
            out.short(2, 9);
            out.unsigned(*sequence_id);
        }
    }
    out.0.into()
}

/// The parts of messages.
impl Writer {
    /// Begins a message that has no element for headers.
    fn short(&mut self, elements: usize, kind: u64) {
        self.array(elements);
        self.unsigned(kind);
    }

    /// Begins a message with empty headers.
    fn begin(&mut self, elements: usize, kind: u64) {
        self.short(elements, kind);
        self.map(0);
    }

    fn id(&mut self, id: Option<&str>) {
        self.optional_text(id);
    }

    fn call(&mut self, target: &str, arguments: &[u8], stream_ids: &[String]) {
        self.text(target);
        self.raw(arguments);
        self.array(stream_ids.len());
        stream_ids.iter().for_each(|id| self.text(id));
    }

    fn outcome(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Error(error) => {
                self.signed(ERROR);
                self.text(error_text(error));
            }
            Outcome::Void => self.signed(VOID),
            Outcome::Result(value) => self.result(value),
        }
    }

    fn result(&mut self, value: &[u8]) {
        self.signed(RESULT);
        self.raw(value);
    }

    /// Begins a completion. The encoded result follows.
    fn begin_result(&mut self, invocation_id: &str) {
        self.begin(5, 3);
        self.id(Some(invocation_id));
        self.signed(RESULT);
    }
}

/// Why a value of the application cannot be read or written.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ValueError(String);

impl serde::ser::Error for ValueError {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self(text.to_string())
    }
}

impl serde::de::Error for ValueError {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self(text.to_string())
    }

    /// Nil is `null`, as in the errors of JSON.
    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        match unexpected {
            Unexpected::Unit => Self(format!("invalid type: null, expected {expected}")),
            other => Self(format!("invalid type: {other}, expected {expected}")),
        }
    }
}

/// Reads one value. This is the counterpart of [`write_value`]. The error is a text for the client.
pub(crate) fn read_value<'de, S: DeserializeSeed<'de> + Copy>(
    value: &'de [u8],
    seed: S,
) -> Result<S::Value, String> {
    de::read(value, seed).map_err(|error| error.to_string())
}

/// Calls `visit` with each element of an encoded array, and returns their number.
pub(crate) fn each_element<'a>(
    array: &'a [u8],
    mut visit: impl FnMut(&'a [u8]),
) -> Result<usize, ProtocolError> {
    let mut reader = Reader::new(array);
    let length = reader.array_length()?;
    for _ in 0..length {
        visit(reader.skip(1)?);
    }
    Ok(length as usize)
}
