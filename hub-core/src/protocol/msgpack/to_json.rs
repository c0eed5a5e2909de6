//! Conversion from MessagePack to JSON.

use bytes::Bytes;
use serde::Serialize;

use super::{
    TIMESTAMP,
    reader::{Reader, Token, utf8},
};
use crate::{
    protocol::{ConvertError, MAX_DEPTH, ProtocolError},
    values::{Moment, to_base64},
};

/// Converts a value.
pub(crate) fn to_json(value: &[u8]) -> Result<Bytes, ConvertError> {
    let mut out = Vec::with_capacity(value.len() * 2);
    let mut reader = Reader::new(value);
    write(&mut reader, &mut out, 0)?;
    if reader.len() > 0 {
        return Err(error("bytes follow the value"));
    }
    Ok(out.into())
}

fn write(reader: &mut Reader<'_>, out: &mut Vec<u8>, depth: usize) -> Result<(), ConvertError> {
    match reader.token()? {
        Token::Nil => out.extend_from_slice(b"null"),
        Token::Array(length) => {
            let depth = deeper(depth)?;
            out.push(b'[');
            for index in 0..length {
                separate(out, index);
                write(reader, out, depth)?;
            }
            out.push(b']');
        }
        Token::Map(length) => {
            let depth = deeper(depth)?;
            out.push(b'{');
            for index in 0..length {
                separate(out, index);
                write_key(reader.token()?, out)?;
                out.push(b':');
                write(reader, out, depth)?;
            }
            out.push(b'}');
        }
        Token::Bool(value) => scalar(out, &value),
        Token::Unsigned(value) => scalar(out, &value),
        Token::Signed(value) => scalar(out, &value),
        // JSON cannot represent NaN and infinities, so they become null.
        Token::Float32(value) => scalar(out, &value),
        Token::Float64(value) => scalar(out, &value),
        Token::Text(text) => scalar(out, utf8(text)?),
        Token::Extension(TIMESTAMP, data) => {
            let moment = Moment::from_extension(data);
            let moment = moment.ok_or_else(|| error("a timestamp is malformed or out of range"))?;
            scalar(out, &moment.text());
        }
        Token::Binary(bytes) | Token::Extension(_, bytes) => {
            scalar(out, &to_base64(bytes).to_string());
        }
    }
    Ok(())
}

/// Writes the key of a map as text, because all keys in JSON are text.
fn write_key(key: Token<'_>, out: &mut Vec<u8>) -> Result<(), ConvertError> {
    match key {
        Token::Text(text) => scalar(out, utf8(text)?),
        Token::Unsigned(number) => scalar(out, &number.to_string()),
        Token::Signed(number) => scalar(out, &number.to_string()),
        Token::Bool(value) => scalar(out, &value.to_string()),
        _ => return Err(error("a map has a key that is not a text, an integer or a boolean")),
    }
    Ok(())
}

fn scalar<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // Writing a number or a text to a `Vec` cannot fail.
    let _ = serde_json::to_writer(out, value);
}

fn separate(out: &mut Vec<u8>, index: u32) {
    if index > 0 {
        out.push(b',');
    }
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

impl From<ProtocolError> for ConvertError {
    fn from(source: ProtocolError) -> Self {
        error(&source.to_string())
    }
}
