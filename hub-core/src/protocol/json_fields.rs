//! The members of JSON hub messages, parsed in one pass.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{MAX_DEPTH, MAX_STREAM_IDS, ProtocolError};
use crate::trace::{TraceContext, TraceHeaders};

/// The known members. Encoded values borrow from the frame. If a member occurs several times, its last value
/// is used.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub(super) kind: Option<i64>,
    pub(super) invocation_id: Option<String>,
    pub(super) target: Option<String>,
    pub(super) arguments: Option<&'a str>,
    pub(super) stream_ids: Option<Vec<String>>,
    pub(super) item: Option<&'a str>,
    pub(super) result: Option<&'a str>,
    pub(super) error: Option<String>,
    pub(super) allow_reconnect: Option<bool>,
    pub(super) sequence_id: Option<i64>,
    /// From the headers. Boxed, because few messages have it.
    pub(super) trace: Option<Box<TraceContext>>,
}

impl<'a> Fields<'a> {
    /// Parses the first JSON value of the frame, which must be an object.
    pub(super) fn read(frame: &'a [u8]) -> Result<Self, ProtocolError> {
        check_depth(frame)?;
        let mut reader = serde_json::Deserializer::from_slice(frame);
        reader.deserialize_map(FieldsVisitor).map_err(ProtocolError::Json)
    }
}

struct FieldsVisitor;

impl<'a> Visitor<'a> for FieldsVisitor {
    type Value = Fields<'a>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a hub message object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields::default();
        while let Some(Key(key)) = map.next_key::<Key<'a>>()? {
            match &*key {
                "type" => fields.kind = Some(map.next_value()?),
                "invocationId" => fields.invocation_id = Some(map.next_value()?),
                "target" => fields.target = Some(map.next_value()?),
                "arguments" => fields.arguments = Some(map.next_value::<&'a RawValue>()?.get()),
                "streamIds" => fields.stream_ids = Some(map.next_value::<StreamIds>()?.0),
                "item" => fields.item = Some(map.next_value::<&'a RawValue>()?.get()),
                "result" => fields.result = Some(map.next_value::<&'a RawValue>()?.get()),
                "error" => fields.error = Some(map.next_value()?),
                "allowReconnect" => fields.allow_reconnect = Some(map.next_value()?),
                "sequenceId" => fields.sequence_id = Some(map.next_value()?),
                "headers" => fields.trace = map.next_value::<Headers>()?.0,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(fields)
    }
}

/// Headers, which are validated. Only the trace context is kept.
struct Headers(Option<Box<TraceContext>>);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
        let mut found = TraceHeaders::default();
        while let Some((Key(name), Key(value))) = map.next_entry::<Key<'de>, Key<'de>>()? {
            found.add(&name, &value);
        }
        Ok(Headers(found.context()))
    }
}

/// The ids of the upload streams.
struct StreamIds(Vec<String>);

impl<'de> Deserialize<'de> for StreamIds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(StreamIdsVisitor)
    }
}

struct StreamIdsVisitor;

impl<'de> Visitor<'de> for StreamIdsVisitor {
    type Value = StreamIds;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of stream ids")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<StreamIds, A::Error> {
        let mut ids = Vec::new();
        while let Some(id) = list.next_element()? {
            if ids.len() == MAX_STREAM_IDS {
                return Err(A::Error::custom("too many stream ids"));
            }
            ids.push(id);
        }
        Ok(StreamIds(ids))
    }
}

/// A string that is borrowed if it has no escapes.
#[derive(Deserialize, PartialEq, Eq, Hash)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Refuses values nested deeper than the limit of the reference server. serde skips a raw value without a
/// depth limit, and decoding the value later could overflow the stack.
fn check_depth(frame: &[u8]) -> Result<(), ProtocolError> {
    let is_too_deep = is_deeper_than(MAX_DEPTH, frame);
    if is_too_deep { Err(ProtocolError::TooDeep { limit: MAX_DEPTH }) } else { Ok(()) }
}

/// Counts a block of bytes at a time, for which processors have instructions.
fn count_opening_brackets(text: &[u8]) -> usize {
    const BLOCK: usize = 32;
    let is_opening = |byte: &u8| matches!(byte, b'[' | b'{');
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    // The sum of a block is at most its size.
    let count =
        |block: &[u8; BLOCK]| block.iter().map(|byte| u8::from(is_opening(byte))).sum::<u8>();
    let in_blocks = blocks.iter().map(|block| usize::from(count(block))).sum::<usize>();
    in_blocks + rest.iter().filter(|byte| is_opening(byte)).count()
}

/// Whether the first value of a JSON text is nested deeper than the limit.
pub(crate) fn is_deeper_than(limit: usize, frame: &[u8]) -> bool {
    // Few texts have so many brackets.
    if count_opening_brackets(frame) <= limit {
        return false;
    }
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for byte in frame {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return false;
                }
            }
            _ => {}
        }
        if depth > limit {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_are_counted_at_any_position_and_only_nested_ones_are_deep() {
        for length in 0..100 {
            let text = format!("{}[{{]x[", "x".repeat(length));
            assert_eq!(count_opening_brackets(text.as_bytes()), 3, "{text}");
        }
        assert_eq!(count_opening_brackets(&[b'['; 1000]), 1000);
        assert!(is_deeper_than(64, &[b'['; 65]) && !is_deeper_than(64, &[b'['; 64]));
        assert!(!is_deeper_than(64, format!("[{}]", "[],".repeat(1000)).as_bytes()));
        assert!(!is_deeper_than(64, format!("[\"{}\"]", "[".repeat(1000)).as_bytes()));
    }
}
