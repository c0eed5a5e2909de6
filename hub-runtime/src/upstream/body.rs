//! The body of an upstream call: one hub message without its frame.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use hub_core::protocol::{Message, Protocol, ProtocolError};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// Message types (HubProtocol.md, and "Upstream settings" of the service for 10 and 11).
const INVOCATION: u64 = 1;
const CONNECTED: u64 = 10;
const DISCONNECTED: u64 = 11;

/// The message of a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body<'a> {
    Connected,
    Disconnected {
        error: Option<String>,
    },
    Invocation {
        /// Present if the client expects a result.
        invocation_id: Option<String>,
        target: Cow<'a, str>,
        /// The encoded argument array, untouched.
        arguments: Bytes,
    },
}

/// Why a body is not a message of the service.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    #[error("a message in a protocol other than JSON must be an invocation")]
    NoInvocation,
}

/// Parses a body in the protocol of the client. Connection events are always JSON.
pub(crate) fn parse(protocol: Protocol, bytes: &Bytes) -> Result<Body<'_>, BodyError> {
    if protocol == Protocol::Json {
        return Ok(parse_json(bytes)?);
    }
    match protocol.parse(bytes)? {
        Some(Message::Invocation { invocation_id, target, arguments, .. }) => {
            Ok(Body::Invocation { invocation_id, target: target.into(), arguments })
        }
        _ => Err(BodyError::NoInvocation),
    }
}

/// Parses a JSON body. Member names are case-insensitive, as in the official receiver
/// (azure-functions-signalrservice-extension), and a trailing record separator is accepted.
fn parse_json(bytes: &Bytes) -> Result<Body<'_>, serde_json::Error> {
    let text = bytes.strip_suffix(b"\x1e").unwrap_or(bytes);
    // Checks the encoding once, and not for each member.
    let text = str::from_utf8(text).map_err(serde_json::Error::custom)?;
    if let Some(invocation) = plain_invocation(bytes, text) {
        return Ok(invocation);
    }
    let members: Members<'_> = serde_json::from_str(text)?;
    match members.kind {
        Some(CONNECTED) => Ok(Body::Connected),
        Some(DISCONNECTED) => Ok(Body::Disconnected { error: members.error.map(Cow::into_owned) }),
        Some(INVOCATION) => {
            let target = members.target.ok_or_else(|| missing("target"))?;
            let arguments = members.arguments.ok_or_else(|| missing("arguments"))?;
            Ok(Body::Invocation {
                invocation_id: members
                    .invocation_id
                    .filter(|id| !id.is_empty())
                    .map(Cow::into_owned),
                target,
                arguments: bytes.slice_ref(arguments.get().as_bytes()),
            })
        }
        Some(other) => Err(serde_json::Error::custom(format_args!(
            "the service forwards no messages of type {other}"
        ))),
        None => Err(missing("type")),
    }
}

/// Reads an invocation in the form in which the services write it: members in this order, and no spaces or escapes
/// around the arguments. `None` for all other texts, which [`parse_json`] reads completely.
fn plain_invocation<'a>(bytes: &Bytes, text: &'a str) -> Option<Body<'a>> {
    let rest = text.strip_prefix(r#"{"type":1,"#)?;
    let (invocation_id, rest) = match rest.strip_prefix(r#""invocationId":""#) {
        Some(rest) => {
            let (id, rest) = plain_string(rest)?;
            (Some(id).filter(|id| !id.is_empty()), rest.strip_prefix(',')?)
        }
        None => (None, rest),
    };
    let (target, rest) = plain_string(rest.strip_prefix(r#""target":""#)?)?;
    let arguments = rest.strip_prefix(r#","arguments":"#)?.strip_suffix('}')?;
    // Fails if other members follow.
    let arguments: &RawValue = serde_json::from_str(arguments).ok()?;
    Some(Body::Invocation {
        invocation_id: invocation_id.map(str::to_owned),
        target: target.into(),
        arguments: bytes.slice_ref(arguments.get().as_bytes()),
    })
}

/// The text before a quotation mark, and the text after it. `None` if the first one needs decoding.
fn plain_string(text: &str) -> Option<(&str, &str)> {
    let special = |byte: u8| byte == b'"' || byte == b'\\' || byte < b' ';
    let end = text.bytes().position(special)?;
    Some((text.get(..end)?, text.get(end..)?.strip_prefix('"')?))
}

fn missing(member: &str) -> serde_json::Error {
    serde_json::Error::custom(format_args!("the member `{member}` is missing"))
}

#[derive(Default)]
struct Members<'a> {
    kind: Option<u64>,
    invocation_id: Option<Cow<'a, str>>,
    target: Option<Cow<'a, str>>,
    arguments: Option<&'a RawValue>,
    error: Option<Cow<'a, str>>,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a hub message")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Members::default();
                while let Some(Text(name)) = map.next_key()? {
                    let is = |known: &str| name.eq_ignore_ascii_case(known);
                    if is("type") {
                        members.kind = Some(map.next_value()?);
                    } else if is("invocationId") {
                        members.invocation_id = text(&mut map)?;
                    } else if is("target") {
                        members.target = text(&mut map)?;
                    } else if is("arguments") {
                        members.arguments = Some(map.next_value()?);
                    } else if is("error") {
                        members.error = text(&mut map)?;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// Text, borrowed unless it contains escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    Ok(map.next_value::<Option<Text<'de>>>()?.map(|Text(text)| text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses a body, and copies it, since the bytes must outlive it.
    fn parsed(text: &'static str) -> Result<Body<'static>, String> {
        let body = parse_json(&Bytes::from_static(text.as_bytes())).map(owned);
        body.map_err(|error| error.to_string())
    }

    fn owned(body: Body<'_>) -> Body<'static> {
        match body {
            Body::Connected => Body::Connected,
            Body::Disconnected { error } => Body::Disconnected { error },
            Body::Invocation { invocation_id, target, arguments } => {
                let target = target.into_owned().into();
                Body::Invocation { invocation_id, target, arguments }
            }
        }
    }

    #[test]
    fn the_documented_bodies_are_read() {
        assert_eq!(parsed(r#"{"type":10}"#), Ok(Body::Connected));
        assert_eq!(parsed(r#"{"Type":11}"#), Ok(Body::Disconnected { error: None }));
        assert_eq!(
            parsed(r#"{"Type":11,"Error":"Connection closed with an error."}"#),
            Ok(Body::Disconnected { error: Some("Connection closed with an error.".to_owned()) })
        );
        assert_eq!(
            parsed(r#"{"type":1,"target":"broadcast","arguments":["hi",3]}"#),
            Ok(Body::Invocation {
                invocation_id: None,
                target: "broadcast".into(),
                arguments: Bytes::from_static(br#"["hi",3]"#),
            })
        );
    }

    #[test]
    fn the_plain_form_is_read_like_any_other() {
        for (plain, text) in [
            (true, r#"{"type":1,"invocationId":"7","target":"add","arguments":[1,"two"]}"#),
            (true, r#"{"type":1,"target":"add","arguments":[]}"#),
            (true, r#"{"type":1,"invocationId":"","target":"","arguments": [ 1 ] }"#),
            (true, r#"{"type":1,"invocationId":"ü","target":"grüße","arguments":[{"a":"}"}]}"#),
            (false, r#"{"type":1,"target":"a\"b","arguments":[]}"#),
            (false, r#"{"type":1,"target":"a","arguments":[],"streamIds":["1"]}"#),
            (false, r#"{"type":1,"target":"a","arguments":[1],"arguments":[2]}"#),
            (false, r#"{"type":1,"target":"a","arguments":[1],"target":"b"}"#),
            (false, r#"{"type":1,"target":"a","arguments":[}"#),
            (false, r#"{"type":1,"target":"a","arguments":[]"#),
            (false, r#"{"type":1,"target":"a","arguments":}"#),
            (false, "{\"type\":1,\"target\":\"a\nb\",\"arguments\":[]}"),
            (false, r#"{"type":10,"target":"a","arguments":[]}"#),
            (false, r#"{"type":1, "target":"a","arguments":[]}"#),
        ] {
            let bytes = Bytes::from_static(text.as_bytes());
            let read = plain_invocation(&bytes, text);
            // A member that is ignored makes it another form of the same message.
            let other = text.replacen('{', r#"{"x":0,"#, 1);

            assert_eq!(read.is_some(), plain, "{text}");
            assert!(plain_invocation(&bytes, &other).is_none(), "{text}");
            if let Some(read) = read {
                assert_eq!(parse_json(&Bytes::from(other)).map_err(|e| e.to_string()), Ok(read));
            }
        }
    }

    #[test]
    fn an_empty_or_null_invocation_id_is_a_send() {
        for id in ["\"\"", "null"] {
            let text = format!(r#"{{"type":1,"invocationId":{id},"target":"m","arguments":[]}}"#);

            let bytes = Bytes::from(text);
            let body = parse_json(&bytes).unwrap();

            assert!(matches!(body, Body::Invocation { invocation_id: None, .. }));
        }
    }

    #[test]
    fn a_trailing_record_separator_is_tolerated() {
        assert_eq!(parsed("{\"type\":10}\x1e"), Ok(Body::Connected));
    }

    #[test]
    fn numbers_pass_through_untouched() {
        let body = parsed(r#"{"arguments":[1.10, 12345678901234567890123],"type":1,"target":"m"}"#);

        let Ok(Body::Invocation { arguments, .. }) = body else { panic!("{body:?}") };
        assert_eq!(&arguments[..], b"[1.10, 12345678901234567890123]");
    }

    #[test]
    fn other_messages_and_broken_ones_are_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"type":6}"#,
            r#"{"type":1,"arguments":[]}"#,
            r#"{"type":1,"target":"m"}"#,
            r#"{"type":"1"}"#,
            r#"{"type":10} trailing"#,
        ] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }

    #[cfg(feature = "msgpack")]
    #[test]
    fn messagepack_bodies_have_five_or_six_elements_and_are_invocations() {
        let parsed = |bytes: &'static [u8]| {
            parse(Protocol::MessagePack, &Bytes::from_static(bytes))
                .map(owned)
                .map_err(|error| error.to_string())
        };
        let add = |invocation_id: Option<&str>| Body::Invocation {
            invocation_id: invocation_id.map(str::to_owned),
            target: "Add".into(),
            arguments: Bytes::from_static(&[0x92, 1, 2]),
        };

        let documented = b"\x96\x01\x80\xa17\xa3Add\x92\x01\x02\x90";
        assert_eq!(parsed(documented), Ok(add(Some("7"))));
        assert_eq!(parsed(b"\x95\x01\x80\xc0\xa3Add\x92\x01\x02"), Ok(add(None)));
        assert_eq!(parsed(b"\x95\x01\x80\xa0\xa3Add\x92\x01\x02"), Ok(add(None)));
        let other = Err(BodyError::NoInvocation.to_string());
        assert_eq!(parsed(b"\x91\x06"), other);
        assert_eq!(parsed(b"\x91\x0a"), other);
        for bad in [&b""[..], b"{}", b"\x94\x01\x80\xc0\xa3Add"] {
            assert!(parsed(bad).is_err());
        }
    }
}
