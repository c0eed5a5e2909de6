//! The calls that clients make, and what is in a payload.

use std::fmt::Write as _;

use super::args::SEQUENCE_DIGITS;

/// Payloads of one length: a number in hexadecimal digits, then filling.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payloads {
    pub(super) length: usize,
}

impl Payloads {
    pub(super) fn write(self, out: &mut String, number: u64) {
        let digits = self.length.min(SEQUENCE_DIGITS);
        let modulus = 16_u64.checked_pow(u32::try_from(digits).unwrap_or(u32::MAX));
        let number = modulus.map_or(number, |modulus| number % modulus);
        if digits > 0 {
            // Writing into a String cannot fail.
            let _ = write!(out, "{number:0digits$x}");
        }
        out.extend(std::iter::repeat_n('x', self.length - digits));
    }

    /// The number in a payload that is whole and unchanged.
    pub(super) fn read(self, payload: &str) -> Option<u64> {
        let (digits, filling) = payload.split_at_checked(SEQUENCE_DIGITS)?;
        if payload.len() != self.length || filling.bytes().any(|byte| byte != b'x') {
            return None;
        }
        u64::from_str_radix(digits, 16).ok()
    }
}

/// A hub method with text arguments, the last of them a payload.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// What stands between the invocation id and the payload.
    head: String,
    payloads: Payloads,
}

impl Call {
    pub(super) fn new(target: &str, first: Option<&str>, payloads: Payloads) -> Self {
        let target = quoted(target);
        let first = first.map(|first| format!("{},", quoted(first))).unwrap_or_default();
        Self { head: format!("\",\"target\":{target},\"arguments\":[{first}\""), payloads }
    }

    /// Writes the call with this number, framed as a record.
    pub(super) fn write(&self, out: &mut String, number: u64) {
        out.clear();
        let _ = write!(out, "{{\"type\":1,\"invocationId\":\"{number}{}", self.head);
        self.payloads.write(out, number);
        out.push_str("\"]}\u{1e}");
    }
}

/// The body of a REST send.
pub(super) fn rest_body(target: &str, payloads: Payloads, number: u64) -> String {
    let mut body = format!("{{\"target\":{},\"arguments\":[\"", quoted(target));
    payloads.write(&mut body, number);
    body.push_str("\"]}");
    body
}

/// The call of a hub method with one text argument, framed as a record.
pub(super) fn invocation(id: &str, target: &str, argument: &str) -> String {
    let (id, target, argument) = (quoted(id), quoted(target), quoted(argument));
    format!(
        "{{\"type\":1,\"invocationId\":{id},\"target\":{target},\"arguments\":[{argument}]}}\u{1e}"
    )
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hub_core::protocol::{Message, json};

    use super::*;

    #[test]
    fn a_call_is_a_hub_message() {
        let call = Call::new("sendToGroup", Some("a\"b"), Payloads { length: 18 });
        let mut text = String::new();

        call.write(&mut text, 0x2a);

        let frame = Bytes::from(text.strip_suffix('\u{1e}').unwrap().to_owned());
        let Some(Message::Invocation { invocation_id, target, arguments, .. }) =
            json::parse(&frame).unwrap()
        else {
            panic!("no invocation: {text}")
        };
        assert_eq!((invocation_id.as_deref(), target.as_str()), (Some("42"), "sendToGroup"));
        assert_eq!(arguments, "[\"a\\\"b\",\"000000000000002axx\"]");
    }

    #[test]
    fn payloads_have_their_length_and_are_read_back() {
        for length in [0, 1, 15, 16, 17, 100] {
            let mut text = String::new();
            Payloads { length }.write(&mut text, 0x1234);
            assert_eq!(text.len(), length);
            let read = Payloads { length }.read(&text);
            assert_eq!(read, (length >= SEQUENCE_DIGITS).then_some(0x1234));
        }
        assert_eq!(Payloads { length: 17 }.read("000000000000002a_"), None);
    }
}
