//! Arguments of recorded calls as bytes of a protocol, with the ids of the replay.

use std::collections::HashMap;

use bytes::Bytes;
use hub_core::protocol::Protocol;
use serde_json::{Map, Number, Value};

/// The ids of connections by those they replace.
#[derive(Debug, Default)]
pub(super) struct Ids(HashMap<String, String>);

impl Ids {
    pub(super) fn insert(&mut self, from: &str, to: &str) {
        self.0.insert(from.to_owned(), to.to_owned());
    }

    /// The value with each id replaced, also within texts.
    pub(super) fn replace(&self, value: &mut Value) {
        each_text(value, &mut |text| {
            for (from, to) in &self.0 {
                if text.contains(&**from) {
                    *text = text.replace(&**from, to);
                }
            }
        });
    }
}

fn each_text(value: &mut Value, change: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| each_text(item, change)),
        Value::Object(members) => {
            members.values_mut().for_each(|member| each_text(member, change));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A list of arguments, or a result, in the protocol of the client.
///
/// # Errors
/// A text, when the value has no form in the protocol.
pub(super) fn value(protocol: Protocol, value: &Value) -> Result<Bytes, String> {
    #[cfg(feature = "msgpack")]
    if protocol.is_binary() {
        return hub_core::protocol::msgpack::from_typed_json(value).map_err(|it| it.to_string());
    }
    if protocol.is_binary() {
        return Err("MessagePack needs the feature `msgpack`".to_owned());
    }
    let plain = serde_json::to_vec(&plain(value)).map_err(|error| error.to_string())?;
    Ok(plain.into())
}

/// JSON without the form of integers that other JSON readers would round.
fn plain(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(members) => integer(members).map_or_else(
            || {
                let members = members.iter().map(|(name, value)| (name.clone(), plain(value)));
                Value::Object(members.collect())
            },
            Value::Number,
        ),
        other => other.clone(),
    }
}

fn integer(members: &Map<String, Value>) -> Option<Number> {
    if members.len() != 1 {
        return None;
    }
    let digits = members.get("$int")?.as_str()?;
    digits
        .parse::<u64>()
        .map(Number::from)
        .or_else(|_| digits.parse::<i64>().map(Number::from))
        .ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn large_integers_are_numbers_again() {
        let value = json!([{ "$int": "18446744073709551615" }, { "a": { "$int": "-9007199254740993" } }, { "$int": "x" }]);

        let bytes = super::value(Protocol::Json, &value).unwrap();

        assert_eq!(bytes, r#"[18446744073709551615,{"a":-9007199254740993},{"$int":"x"}]"#);
    }

    #[cfg(feature = "msgpack")]
    #[test]
    fn arguments_of_messagepack_clients_keep_their_types() {
        let value = json!([1, 2.0, { "$binary": "YWJj", "bytes": 3 }]);

        let bytes = super::value(Protocol::MessagePack, &value).unwrap();

        assert_eq!(&bytes[..], b"\x93\x01\xcb\x40\0\0\0\0\0\0\0\xc4\x03abc");
    }

    #[test]
    fn ids_of_connections_are_replaced_wherever_they_occur() {
        let mut ids = Ids::default();
        ids.insert("old-1", "new-1");
        let mut value = json!(["old-1", { "to": ["x old-1 y"] }, 1, null]);

        ids.replace(&mut value);

        assert_eq!(value, json!(["new-1", { "to": ["x new-1 y"] }, 1, null]));
    }
}
