//! The message in the body of a send: a target and arguments. The arguments stay encoded where possible.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use hub_core::protocol::{ConvertError, Message, Protocol};
use serde::{
    Deserialize, Deserializer as _,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::encodings::Encodings;
use crate::{connection::Hub, hub::broadcast::Broadcast};

const NO_ARGUMENTS: Bytes = Bytes::from_static(b"[]");

/// The invocation to send to clients.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Payload {
    target: String,
    arguments: Encodings,
}

impl Payload {
    /// Reads `{"target":…,"arguments":[…]}`. Names are case-insensitive, because the .NET SDK writes them
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
            Some(target) if !target.trim().is_empty() => {
                Ok(Self { target, arguments: Encodings::new(Protocol::Json, arguments) })
            }
            _ => Err(serde_json::Error::custom("`target` must be a method name")),
        }
    }

    /// Reads the invocations of a bundle; clients receive the bytes of the entry for their protocol.
    #[cfg(feature = "msgpack")]
    pub(super) fn of_bundle(entries: Vec<(Protocol, Message)>) -> Result<Self, &'static str> {
        let mut payload: Option<Self> = None;
        for (protocol, message) in entries {
            let Message::Invocation { target, arguments, .. } = message else {
                return Err("every entry must be an invocation");
            };
            match &mut payload {
                None => {
                    payload = Some(Self { target, arguments: Encodings::new(protocol, arguments) });
                }
                Some(payload) if payload.target == target => {
                    payload.arguments.push(protocol, arguments);
                }
                Some(_) => return Err("all entries must have the same target"),
            }
        }
        let payload = payload.ok_or("there must be an entry for json or messagepack")?;
        if payload.target.trim().is_empty() {
            return Err("`target` must be a method name");
        }
        Ok(payload)
    }

    /// The invocation in a protocol; with an id, the client responds with a completion.
    pub(super) fn message(
        &self,
        protocol: Protocol,
        invocation_id: Option<String>,
    ) -> Result<Message, ConvertError> {
        Ok(Message::Invocation {
            invocation_id,
            target: self.target.clone(),
            arguments: self.arguments.get(protocol)?,
            stream_ids: Vec::new(),
            trace: None,
        })
    }

    /// The method, and the arguments in one protocol.
    pub(super) fn sent(&self) -> (&str, Protocol, &Bytes) {
        let (protocol, arguments) = self.arguments.first();
        (&self.target, protocol, arguments)
    }

    /// The invocation for an audience of the hub, encoded in the protocols of its clients.
    pub(super) fn broadcast(&self, hub: &Hub) -> Result<Broadcast, ConvertError> {
        Broadcast::new(&hub.protocols(), |protocol| self.message(protocol, None))
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

/// A string that is borrowed unless it contains escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &'static str) -> Result<Payload, serde_json::Error> {
        Payload::parse(&Bytes::from_static(text.as_bytes()))
    }

    fn payload(target: &str, arguments: &'static str) -> Payload {
        let arguments = Bytes::from_static(arguments.as_bytes());
        let arguments = Encodings::new(Protocol::Json, arguments);
        Payload { target: target.to_owned(), arguments }
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
    fn invalid_input_is_refused() {
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"target":""}"#,
            r#"{"target":" "}"#,
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

    #[cfg(feature = "msgpack")]
    #[test]
    fn a_bundle_has_one_target_and_at_least_one_entry() {
        let call = |target: &str, arguments: &'static [u8]| Message::Invocation {
            invocation_id: None,
            target: target.to_owned(),
            arguments: Bytes::from_static(arguments),
            stream_ids: Vec::new(),
            trace: None,
        };
        let (json, packed) = (Protocol::Json, Protocol::MessagePack);

        let both = vec![(json, call("m", b"[1]")), (packed, call("m", b"\x91\x02"))];
        let both = Payload::of_bundle(both).unwrap();
        assert_eq!(both.message(json, None).unwrap(), call("m", b"[1]"));
        assert_eq!(both.message(packed, None).unwrap(), call("m", b"\x91\x02"));
        let packed_alone = Payload::of_bundle(vec![(packed, call("m", b"\x91\x02"))]).unwrap();
        assert_eq!(packed_alone.message(json, None).unwrap(), call("m", b"[2]"));

        for bad in [
            vec![],
            vec![(json, Message::Ping)],
            vec![(json, call("", b"[]"))],
            vec![(json, call(" ", b"[]"))],
            vec![(json, call("m", b"[]")), (packed, call("M", b"\x90"))],
        ] {
            assert!(Payload::of_bundle(bad).is_err());
        }
    }
}
