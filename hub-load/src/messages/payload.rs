//! Payloads and the messages that carry them.

use bytes::Bytes;
use hub_core::protocol::{Message, Protocol};
use serde::Deserialize;

use crate::args::SEQUENCE_DIGITS;

const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";

/// Payloads of one length: a sequence number in hexadecimal digits, then `x` as filler.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payloads {
    pub(crate) length: usize,
}

impl Payloads {
    pub(crate) fn write(self, out: &mut Vec<u8>, number: u64) {
        let digits = self.length.min(SEQUENCE_DIGITS);
        let modulus = 16_u64.checked_pow(u32::try_from(digits).unwrap_or(u32::MAX));
        let number = modulus.map_or(number, |modulus| number % modulus);
        for place in (0..digits).rev() {
            let digit = usize::try_from(number >> (4 * place) & 0xF).unwrap_or_default();
            out.extend(HEXADECIMAL.get(digit));
        }
        out.resize(out.len() + self.length - digits, b'x');
    }

    /// The sequence number of an intact payload.
    pub(crate) fn read(self, payload: &[u8]) -> Option<u64> {
        let (digits, filling) = payload.split_at_checked(SEQUENCE_DIGITS)?;
        if payload.len() != self.length || filling.iter().any(|byte| *byte != b'x') {
            return None;
        }
        u64::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
    }

    /// The sequence number of an encoded value that is exactly an intact payload.
    pub(crate) fn of_value(self, protocol: Protocol, value: &[u8]) -> Option<u64> {
        if !protocol.is_binary() {
            return self.read(serde_json::from_slice::<String>(value).ok()?.as_bytes());
        }
        let (length, text) = match value {
            [first @ 0xA0..=0xBF, text @ ..] => (usize::from(first & 0x1F), text),
            [0xD9, length, text @ ..] => (usize::from(*length), text),
            [0xDA, a, b, text @ ..] => (usize::from(u16::from_be_bytes([*a, *b])), text),
            [0xDB, a, b, c, d, text @ ..] => {
                (usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).ok()?, text)
            }
            _ => return None,
        };
        self.read(text).filter(|_| text.len() == length)
    }

    /// Like [`Self::of_value`], for an encoded argument list with one value.
    pub(crate) fn of_arguments(self, protocol: Protocol, arguments: &[u8]) -> Option<u64> {
        #[derive(Deserialize)]
        struct One<'a>(#[serde(borrow)] [&'a serde_json::value::RawValue; 1]);
        if protocol.is_binary() {
            return self.of_value(protocol, arguments.strip_prefix(&[0x91])?);
        }
        let One([value]) = serde_json::from_slice(arguments).ok()?;
        self.of_value(protocol, value.get().as_bytes())
    }
}

/// Call of a hub method with text arguments. The last argument is a payload.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    protocol: Protocol,
    /// Encoded bytes between invocation id and payload.
    head: Vec<u8>,
    payloads: Payloads,
}

impl Call {
    pub(crate) fn new(
        protocol: Protocol,
        target: &str,
        first: Option<&str>,
        payloads: Payloads,
    ) -> Self {
        let head = if protocol.is_binary() {
            let mut head = Vec::new();
            write_text_header(&mut head, target.len());
            head.extend_from_slice(target.as_bytes());
            head.push(0x91 + u8::from(first.is_some()));
            if let Some(first) = first {
                write_text_header(&mut head, first.len());
                head.extend_from_slice(first.as_bytes());
            }
            write_text_header(&mut head, payloads.length);
            head
        } else {
            let target = quoted(target);
            let first = first.map(|first| format!("{},", quoted(first))).unwrap_or_default();
            format!("\",\"target\":{target},\"arguments\":[{first}\"").into_bytes()
        };
        Self { protocol, head, payloads }
    }

    /// Writes the framed call with this number as the invocation id and in the payload.
    pub(crate) fn write(&self, out: &mut Vec<u8>, number: u64) {
        out.clear();
        if self.protocol.is_binary() {
            return self.write_binary(out, number);
        }
        out.extend_from_slice(b"{\"type\":1,\"invocationId\":\"");
        write_decimal(out, number);
        out.extend_from_slice(&self.head);
        self.payloads.write(out, number);
        out.extend_from_slice(b"\"]}\x1e");
    }

    fn write_binary(&self, out: &mut Vec<u8>, number: u64) {
        // `[1, {}, "id", target, arguments, streamIds]` (HubProtocol.md, MessagePack encoding).
        let digits = number.checked_ilog10().unwrap_or_default() + 1;
        let id = 0xA0 | u8::try_from(digits).unwrap_or_default();
        let fixed = 4 + usize::from(id & 0x1F) + self.head.len() + 1;
        write_length(out, fixed + self.payloads.length);
        out.extend_from_slice(&[0x96, 1, 0x80, id]);
        write_decimal(out, number);
        out.extend_from_slice(&self.head);
        self.payloads.write(out, number);
        // No stream ids.
        out.push(0x90);
    }
}

/// Writes a number in decimal digits. The formatter of the standard library takes several times as long, for each call of the
/// load.
fn write_decimal(out: &mut Vec<u8>, number: u64) {
    let count = number.checked_ilog10().unwrap_or_default() + 1;
    for place in (0..count).rev() {
        let digit = number / 10_u64.pow(place) % 10;
        out.push(b'0' + u8::try_from(digit).unwrap_or_default());
    }
}

fn write_text_header(out: &mut Vec<u8>, length: usize) {
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..32), _) => out.push(0xA0 | short),
        (Ok(length), _) => out.extend_from_slice(&[0xD9, length]),
        (_, Ok(length)) => {
            out.push(0xDA);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(0xDB);
            out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        }
    }
}

/// Variable-length integer: seven bits per byte, least significant first (HubProtocol.md).
fn write_length(out: &mut Vec<u8>, mut length: usize) {
    while length > 0x7F {
        out.push(0x80 | u8::try_from(length & 0x7F).unwrap_or_default());
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap_or_default());
}

/// Framed call of a hub method with one text argument.
pub(crate) fn text_call(protocol: Protocol, id: &str, target: &str, argument: &str) -> Bytes {
    let arguments = if protocol.is_binary() {
        let mut arguments = vec![0x91];
        write_text_header(&mut arguments, argument.len());
        arguments.extend_from_slice(argument.as_bytes());
        arguments
    } else {
        format!("[{}]", quoted(argument)).into_bytes()
    };
    protocol.encode(&Message::Invocation {
        invocation_id: Some(id.to_owned()),
        target: target.to_owned(),
        arguments: arguments.into(),
        stream_ids: Vec::new(),
        trace: None,
    })
}

/// Body of a REST send operation.
pub(crate) fn rest_body(target: &str, payloads: Payloads, number: u64) -> Vec<u8> {
    let mut body = format!("{{\"target\":{},\"arguments\":[\"", quoted(target)).into_bytes();
    payloads.write(&mut body, number);
    body.extend_from_slice(b"\"]}");
    body
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use hub_core::protocol::frame::Frames;

    use super::*;

    fn read_back(protocol: Protocol, bytes: &[u8]) -> Message {
        let mut frames = Frames::new(usize::MAX);
        frames.switch_to(protocol);
        frames.push(bytes);
        let frame = frames.next_frame().unwrap().unwrap();
        assert!(frames.is_empty());
        protocol.parse(&frame).unwrap().unwrap()
    }

    #[test]
    fn a_call_is_a_hub_message_in_each_protocol() {
        let payloads = Payloads { length: 18 };
        for (protocol, expected) in [
            (Protocol::Json, &b"[\"a\\\"b\",\"000000000000002axx\"]"[..]),
            (Protocol::MessagePack, b"\x92\xa3a\"b\xb2000000000000002axx"),
        ] {
            let call = Call::new(protocol, "sendToGroup", Some("a\"b"), payloads);
            let mut bytes = Vec::new();

            call.write(&mut bytes, 0x2a);

            let message = read_back(protocol, &bytes);
            let Message::Invocation { invocation_id, target, arguments, .. } = message else {
                panic!("no invocation: {bytes:?}")
            };
            assert_eq!((invocation_id.as_deref(), target.as_str()), (Some("42"), "sendToGroup"));
            assert_eq!(arguments, expected);
        }
    }

    #[test]
    fn numbers_have_the_digits_of_the_formatter() {
        for number in [0, 1, 9, 10, 42, 1_000_000, 0x1234_5678_9ABC_DEF0, u64::MAX] {
            let (mut decimal, mut payload) = (Vec::new(), Vec::new());

            write_decimal(&mut decimal, number);
            Payloads { length: SEQUENCE_DIGITS }.write(&mut payload, number);

            assert_eq!(decimal, number.to_string().as_bytes());
            assert_eq!(payload, format!("{number:016x}").as_bytes());
        }
    }

    #[test]
    fn payloads_of_any_length_are_read_back_in_each_protocol() {
        for protocol in [Protocol::Json, Protocol::MessagePack] {
            for length in [0, 1, 15, 16, 17, 31, 32, 100, 255, 256, 70_000] {
                let (payloads, mut bytes) = (Payloads { length }, Vec::new());
                Call::new(protocol, "echo", None, payloads).write(&mut bytes, 0x1234);

                let Message::Invocation { arguments, .. } = read_back(protocol, &bytes) else {
                    panic!("no invocation")
                };

                let number = payloads.of_arguments(protocol, &arguments);
                assert_eq!(number, (length >= SEQUENCE_DIGITS).then_some(0x1234), "{length}");
            }
        }
    }

    #[test]
    fn a_payload_of_another_form_is_not_read() {
        let payloads = Payloads { length: 17 };
        for (protocol, value) in [
            (Protocol::Json, &b"\"000000000000002a_\""[..]),
            (Protocol::Json, b"\"000000000000002axx\""),
            (Protocol::Json, b"42"),
            (Protocol::MessagePack, b"\xb1000000000000002a_"),
            (Protocol::MessagePack, b"\xb0000000000000002ax"),
            (Protocol::MessagePack, b"\xc4\x11000000000000002ax"),
        ] {
            assert_eq!(payloads.of_value(protocol, value), None, "{value:?}");
        }
        assert_eq!(payloads.of_arguments(Protocol::Json, b"[\"000000000000002ax\",1]"), None);
        assert_eq!(payloads.of_value(Protocol::MessagePack, b"\xb1000000000000002ax"), Some(42));
    }
}
