//! MessagePack as JSON that keeps the types which JSON has no form for, to show values to people.

use serde_json::{Map, Number, Value, json};

use super::{
    TIMESTAMP,
    reader::{Reader, Token, utf8},
};
use crate::{
    protocol::{ConvertError, MAX_DEPTH, ProtocolError},
    values::{Moment, to_base64},
};

/// The largest integer up to which every integer is exact in a double.
const MAX_EXACT: u64 = 1 << 53;

/// Reads a value. Binary data is `{"$binary": Base64, "bytes": N}`, a timestamp `{"$time": RFC 3339}`, another extension
/// `{"$ext": type, "data": Base64}`, an integer beyond 2^53 `{"$int": digits}`, and a number that JSON cannot represent
/// `{"$float": name}`.
///
/// # Errors
/// When the bytes are not one complete value, or are nested too deeply.
#[doc(hidden)]
pub fn typed_json(value: &[u8]) -> Result<Value, ConvertError> {
    let mut reader = Reader::new(value);
    let read = read(&mut reader, 0)?;
    if reader.len() > 0 {
        return Err(error("bytes follow the value"));
    }
    Ok(read)
}

fn read(reader: &mut Reader<'_>, depth: usize) -> Result<Value, ConvertError> {
    Ok(match reader.token()? {
        Token::Nil => Value::Null,
        Token::Bool(value) => Value::Bool(value),
        Token::Unsigned(value) => unsigned(value),
        Token::Signed(value) => signed(value),
        Token::Float32(value) => float(f64::from(value)),
        Token::Float64(value) => float(value),
        Token::Text(text) => Value::String(utf8(text)?.to_owned()),
        Token::Binary(bytes) => {
            json!({ "$binary": to_base64(bytes).to_string(), "bytes": bytes.len() })
        }
        Token::Extension(TIMESTAMP, data) => match Moment::from_extension(data) {
            Some(moment) => json!({ "$time": moment.text() }),
            None => extension(TIMESTAMP, data),
        },
        Token::Extension(kind, data) => extension(kind, data),
        Token::Array(length) => {
            let depth = deeper(depth)?;
            let items = (0..length).map(|_| read(reader, depth));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Token::Map(length) => {
            let depth = deeper(depth)?;
            let mut members = Map::new();
            for _ in 0..length {
                let key = match read(reader, depth)? {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                members.insert(key, read(reader, depth)?);
            }
            Value::Object(members)
        }
    })
}

fn unsigned(value: u64) -> Value {
    if value > MAX_EXACT { json!({ "$int": value.to_string() }) } else { value.into() }
}

fn signed(value: i64) -> Value {
    if value.unsigned_abs() > MAX_EXACT {
        json!({ "$int": value.to_string() })
    } else {
        value.into()
    }
}

fn float(value: f64) -> Value {
    Number::from_f64(value).map_or_else(|| json!({ "$float": value.to_string() }), Value::Number)
}

fn extension(kind: i8, data: &[u8]) -> Value {
    json!({ "$ext": kind, "data": to_base64(data).to_string() })
}

fn deeper(depth: usize) -> Result<usize, ConvertError> {
    if depth < MAX_DEPTH {
        return Ok(depth + 1);
    }
    Err(ProtocolError::TooDeep { limit: MAX_DEPTH }.into())
}

fn error(reason: &str) -> ConvertError {
    ConvertError { to: "JSON", reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_json_lacks_are_named() {
        for (bytes, shown) in [
            (&b"\xc4\x03abc"[..], json!({ "$binary": "YWJj", "bytes": 3 })),
            (b"\xd6\xff\0\0\0\0", json!({ "$time": "1970-01-01T00:00:00Z" })),
            (b"\xd4\x05\x01", json!({ "$ext": 5, "data": "AQ==" })),
            (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", json!({ "$int": "18446744073709551615" })),
            (b"\xd3\x80\0\0\0\0\0\0\0", json!({ "$int": "-9223372036854775808" })),
            (b"\xcb\x7f\xf0\0\0\0\0\0\0", json!({ "$float": "inf" })),
            (b"\x93\xc0\xc3\x05", json!([null, true, 5])),
            (b"\x82\xa1a\x01\x02\xa1b", json!({ "a": 1, "2": "b" })),
        ] {
            assert_eq!(typed_json(bytes).unwrap(), shown);
        }
    }

    #[test]
    fn incomplete_deep_and_surplus_values_are_errors() {
        for bytes in
            [&b""[..], b"\x91", b"\xc1", b"\x01\x01", &[0x91; 100], b"\xdd\xff\xff\xff\xff"]
        {
            assert!(typed_json(bytes).is_err(), "{bytes:?}");
        }
    }
}
