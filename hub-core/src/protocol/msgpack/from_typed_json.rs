//! The opposite of [`typed_json`](super::typed_json): MessagePack from JSON that names its types.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Map, Value};

use super::{TIMESTAMP, writer::Writer};
use crate::{
    protocol::{ConvertError, MAX_DEPTH, ProtocolError},
    values::Moment,
};

/// Writes a value that [`typed_json`](super::typed_json) has read. Keys of maps are texts. An object that has the members
/// of a typed value, but not their form, is a map.
///
/// # Errors
/// When the value is nested too deeply.
#[doc(hidden)]
pub fn from_typed_json(value: &Value) -> Result<Bytes, ConvertError> {
    let mut out = Writer::default();
    write(&mut out, value, 0)?;
    Ok(out.0.into())
}

fn write(out: &mut Writer, value: &Value, depth: usize) -> Result<(), ConvertError> {
    if depth > MAX_DEPTH {
        return Err(ProtocolError::TooDeep { limit: MAX_DEPTH }.into());
    }
    match value {
        Value::Null => out.nil(),
        Value::Bool(value) => out.bool(*value),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => out.unsigned(number),
            (None, Some(number)) => out.signed(number),
            (None, None) => out.float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => out.text(text),
        Value::Array(items) => {
            out.array(items.len());
            for item in items {
                write(out, item, depth + 1)?;
            }
        }
        Value::Object(members) => {
            if typed(out, members).is_none() {
                out.map(members.len());
                for (name, member) in members {
                    out.text(name);
                    write(out, member, depth + 1)?;
                }
            }
        }
    }
    Ok(())
}

/// Writes a value whose type is named. `None`, and nothing is written, for other objects.
fn typed(out: &mut Writer, members: &Map<String, Value>) -> Option<()> {
    let text = |name: &str| members.get(name)?.as_str();
    let others = |count: usize| (members.len() == count).then_some(());
    if let Some(base64) = text("$binary") {
        others(2)?;
        members.get("bytes")?.as_u64()?;
        out.binary(&STANDARD.decode(base64).ok()?);
    } else if let Some(time) = text("$time") {
        others(1)?;
        out.extension(TIMESTAMP, &Moment::parse(time)?.to_extension()?);
    } else if let Some(kind) = members.get("$ext") {
        others(2)?;
        let kind = i8::try_from(kind.as_i64()?).ok()?;
        out.extension(kind, &STANDARD.decode(text("data")?).ok()?);
    } else if let Some(digits) = text("$int") {
        others(1)?;
        match digits.parse() {
            Ok(number) => out.unsigned(number),
            Err(_) => out.signed(digits.parse().ok()?),
        }
    } else if let Some(name) = text("$float") {
        others(1)?;
        out.float(name.parse().ok()?);
    } else {
        return None;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::msgpack::typed_json;

    #[test]
    fn each_value_becomes_the_bytes_that_it_was_read_from() {
        for bytes in [
            &b"\xc4\x03abc"[..],
            b"\xd6\xff\0\0\0\0",
            b"\xd4\x05\x01",
            b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\xd3\x80\0\0\0\0\0\0\0",
            b"\xcb\x7f\xf0\0\0\0\0\0\0",
            b"\xcb\x40\x14\0\0\0\0\0\0",
            b"\x93\xc0\xc3\x05",
            b"\x81\xa1a\xe0",
            b"\x92\xa0\x80",
        ] {
            let value = typed_json(bytes).unwrap();
            assert_eq!(from_typed_json(&value).unwrap(), bytes, "{value}");
        }
    }

    #[test]
    fn objects_that_only_look_like_typed_values_are_maps() {
        for value in [
            json!({ "$binary": "no Base64!", "bytes": 1 }),
            json!({ "$time": "now" }),
            json!({ "$int": "x" }),
            json!({ "$ext": 1000, "data": "" }),
            json!({ "$int": "5", "other": 1 }),
        ] {
            assert_eq!(typed_json(&from_typed_json(&value).unwrap()).unwrap(), value);
        }
    }

    #[test]
    fn a_value_that_is_nested_too_deeply_is_an_error() {
        let deep = (0..100).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        assert!(from_typed_json(&deep).is_err());
    }
}
