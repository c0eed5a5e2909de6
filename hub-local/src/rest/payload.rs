//! The message in the body of a send: a target and arguments, which stay encoded.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use hub_core::protocol::Message;
use serde::{
    Deserialize, Deserializer as _,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

const NO_ARGUMENTS: Bytes = Bytes::from_static(b"[]");

/// What a client is to be called with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Payload {
    target: String,
    arguments: Bytes,
}

impl Payload {
    /// Reads `{"target":…,"arguments":[…]}`; names ignore case, because the .NET SDK writes them
    /// in Pascal case.
    pub(super) fn parse(body: &Bytes) -> Result<Self, serde_json::Error> {
        let mut reader = serde_json::Deserializer::from_slice(body);
        let (target, arguments) = reader.deserialize_map(PayloadVisitor)?;
        reader.end()?;
        let arguments = match arguments {
            None | Some("null") => NO_ARGUMENTS,
            Some(raw) if raw.starts_with('[') => body.slice_ref(raw.as_bytes()),
            Some(_) => return Err(serde_json::Error::custom("`arguments` must be a list")),
        };
        match target {
            Some(target) if !target.is_empty() => Ok(Self { target, arguments }),
            _ => Err(serde_json::Error::custom("`target` must be a method name")),
        }
    }

    /// The call for clients; with an id they answer it.
    pub(super) fn into_message(self, invocation_id: Option<String>) -> Message {
        let Self { target, arguments } = self;
        Message::Invocation { invocation_id, target, arguments, stream_ids: Vec::new() }
    }
}

struct PayloadVisitor;

impl<'a> Visitor<'a> for PayloadVisitor {
    type Value = (Option<String>, Option<&'a str>);

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with `target` and `arguments`")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut target, mut arguments) = (None, None);
        while let Some(Key(key)) = map.next_key::<Key<'a>>()? {
            if key.eq_ignore_ascii_case("target") {
                target = map.next_value::<Option<String>>()?;
            } else if key.eq_ignore_ascii_case("arguments") {
                arguments = Some(map.next_value::<&'a RawValue>()?.get());
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok((target, arguments))
    }
}

/// A string that borrows when it holds no escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &'static str) -> Result<Payload, serde_json::Error> {
        Payload::parse(&Bytes::from_static(text.as_bytes()))
    }

    fn payload(target: &str, arguments: &'static str) -> Payload {
        Payload { target: target.to_owned(), arguments: Bytes::from_static(arguments.as_bytes()) }
    }

    #[test]
    fn both_spellings_are_read_and_arguments_stay_as_they_are() {
        let expected = payload("m", r#"[ 1.50, {"b":1,"a":2}]"#);

        let camel = r#"{"target":"m","arguments":[ 1.50, {"b":1,"a":2}]}"#;
        assert_eq!(parse(camel).unwrap(), expected);
        let pascal = r#"{"Arguments":[ 1.50, {"b":1,"a":2}],"Target":"m","Other":null}"#;
        assert_eq!(parse(pascal).unwrap(), expected);
    }

    #[test]
    fn arguments_may_be_absent() {
        assert_eq!(parse(r#"{"target":"m"}"#).unwrap(), payload("m", "[]"));
        assert_eq!(parse(r#"{"target":"m","arguments":null}"#).unwrap(), payload("m", "[]"));
    }

    #[test]
    fn everything_else_is_refused() {
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"target":""}"#,
            r#"{"target":null}"#,
            r#"{"target":5}"#,
            r#"{"target":"m","arguments":{}}"#,
            r#"{"target":"m","arguments":"[]"}"#,
            r#"{"target":"m"} x"#,
            r#"{"target":"m""#,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
