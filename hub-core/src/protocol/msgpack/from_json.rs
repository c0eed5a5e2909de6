//! Conversion from JSON to MessagePack.
//!
//! Numbers are parsed from their digits: integers of up to 64 bits stay integers, and other numbers become
//! the nearest double.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{Writer, proto_key::KEY};
use crate::protocol::{ConvertError, MAX_DEPTH};

/// The maximum size in bytes of the header of an array or a map: a marker and a length of four bytes.
const MAX_HEAD: usize = 5;

/// Converts a value.
pub(crate) fn from_json(value: &[u8]) -> Result<Bytes, ConvertError> {
    let valid: &RawValue = serde_json::from_slice(value).map_err(|error| failed(&error))?;
    let mut text = Text { rest: valid.get(), out: Writer(Vec::with_capacity(value.len())) };
    text.value(0)?;
    Ok(text.out.0.into())
}

/// A cursor over well-formed JSON.
struct Text<'a> {
    rest: &'a str,
    out: Writer,
}

impl<'a> Text<'a> {
    fn value(&mut self, depth: usize) -> Result<(), ConvertError> {
        self.skip_blanks();
        match self.rest.as_bytes().first() {
            Some(b'[') => self.array(deeper(depth)?),
            Some(b'{') => self.object(deeper(depth)?),
            Some(b'"') => self.string(),
            Some(_) => self.word(),
            None => Err(malformed()),
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), ConvertError> {
        let start = self.out.0.len();
        self.next();
        let mut length = 0;
        while !self.ends(']') {
            self.value(depth)?;
            length += 1;
        }
        self.head(start, |out| out.array(length));
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<(), ConvertError> {
        let start = self.out.0.len();
        self.next();
        let mut length = 0;
        while !self.ends('}') {
            let key = self.out.0.len();
            self.string()?;
            let is_refused = is_proto_key(&self.out.0[key..]);
            self.skip_blanks();
            // The colon.
            self.next();
            self.value(depth)?;
            if is_refused {
                self.out.0.truncate(key);
            } else {
                length += 1;
            }
        }
        self.head(start, |out| out.map(length));
        Ok(())
    }

    /// Inserts the header of an array or map before its content, when the length is known.
    fn head(&mut self, start: usize, write: impl FnOnce(&mut Writer)) {
        let mut head = Writer(Vec::with_capacity(MAX_HEAD));
        write(&mut head);
        self.out.0.splice(start..start, head.0);
    }

    fn string(&mut self) -> Result<(), ConvertError> {
        let mut escaped = false;
        let end = self.rest.bytes().skip(1).position(|byte| match byte {
            _ if escaped => {
                escaped = false;
                false
            }
            b'\\' => {
                escaped = true;
                false
            }
            byte => byte == b'"',
        });
        let quoted = self.take(end.ok_or_else(malformed)? + 2)?;
        match quoted.get(1..quoted.len() - 1) {
            Some(plain) if !plain.contains('\\') => self.out.text(plain),
            _ => {
                let text: String = serde_json::from_str(quoted).map_err(|error| failed(&error))?;
                self.out.text(&text);
            }
        }
        Ok(())
    }

    fn word(&mut self) -> Result<(), ConvertError> {
        let is_end = |byte: u8| matches!(byte, b',' | b']' | b'}') || byte.is_ascii_whitespace();
        let end = self.rest.bytes().position(is_end).unwrap_or(self.rest.len());
        match self.take(end)? {
            "null" => self.out.nil(),
            "true" => self.out.bool(true),
            "false" => self.out.bool(false),
            number => self.number(number)?,
        }
        Ok(())
    }

    fn number(&mut self, digits: &str) -> Result<(), ConvertError> {
        // An integer cannot represent -0.
        if digits != "-0" {
            if let Ok(number) = digits.parse() {
                self.out.unsigned(number);
                return Ok(());
            }
            if let Ok(number) = digits.parse() {
                self.out.signed(number);
                return Ok(());
            }
        }
        self.out.float(digits.parse().map_err(|_| malformed())?);
        Ok(())
    }

    /// Skips a comma or the end of the array or object, and returns whether it was the end.
    fn ends(&mut self, close: char) -> bool {
        self.skip_blanks();
        if let Some(rest) = self.rest.strip_prefix(',') {
            self.rest = rest;
            self.skip_blanks();
        }
        match self.rest.strip_prefix(close) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn next(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    fn take(&mut self, length: usize) -> Result<&'a str, ConvertError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(malformed)?;
        self.rest = rest;
        Ok(taken)
    }
}

/// Whether this encoded key is one that MessagePack clients refuse.
fn is_proto_key(encoded: &[u8]) -> bool {
    // A text of fewer than 32 bytes follows its marker.
    encoded.get(1..) == Some(KEY.as_bytes())
}

fn deeper(depth: usize) -> Result<usize, ConvertError> {
    if depth < MAX_DEPTH {
        return Ok(depth + 1);
    }
    Err(error(format!("it is nested deeper than {MAX_DEPTH} levels")))
}

fn malformed() -> ConvertError {
    error("it is not JSON".to_owned())
}

fn failed(source: &serde_json::Error) -> ConvertError {
    error(source.to_string())
}

fn error(reason: String) -> ConvertError {
    ConvertError { to: "MessagePack", reason }
}
