//! Counts the messages in a frame that have a sequence id (HubProtocol.md, Ack and Sequence). The body of
//! an upstream response is forwarded unchanged, so a frame may contain several messages of any type.

use bytes::Bytes;
use hub_core::protocol::{Protocol, frame::RECORD_SEPARATOR, json};

use super::counters::is_counted;
use crate::delivery::frame::Frame;

/// Prefixes of the most frequent messages from our own encoder. Messages with these prefixes need no
/// parsing.
const CALL: &[u8] = b"{\"type\":1,";
const COMPLETION: &[u8] = b"{\"type\":3,";
/// High bits of a MessagePack `fixarray`, up to 15 elements.
const SHORT_ARRAY: u8 = 0x90;

/// The number of messages in the frame that have a sequence id.
pub(crate) fn messages(frame: &Frame, protocol: Protocol) -> u64 {
    if !frame.is_message() {
        return 0;
    }
    let payload = frame.clone().into_payload();
    if protocol.is_binary() { in_binary(&payload) } else { in_json(&payload) }
}

fn in_json(payload: &Bytes) -> u64 {
    let mut rest = payload.clone();
    let mut counted = 0;
    while let Some(end) = rest.iter().position(|byte| *byte == RECORD_SEPARATOR) {
        let record = rest.split_to(end);
        let _separator = rest.split_to(1);
        let is_ours = record.starts_with(CALL) || record.starts_with(COMPLETION);
        let counts = is_ours
            || json::parse(&record).ok().flatten().is_some_and(|message| is_counted(&message));
        counted += u64::from(counts);
    }
    counted
}

/// Reads only the type of each message.
fn in_binary(mut payload: &[u8]) -> u64 {
    let mut counted = 0;
    while let Some((message, rest)) = split(payload) {
        let kind = match message {
            [marker, kind, ..] if marker & 0xF0 == SHORT_ARRAY => Some(*kind),
            // `array 16` and `array 32` have a length of two or four bytes.
            [0xDC, _, _, kind, ..] | [0xDD, _, _, _, _, kind, ..] => Some(*kind),
            _ => None,
        };
        counted += u64::from(matches!(kind, Some(1..=5)));
        payload = rest;
    }
    counted
}

/// Splits off the first message by its `VarInt` length prefix (HubProtocol.md, MessagePack encoding).
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let last = bytes.iter().take(5).position(|byte| byte & 0x80 == 0)?;
    let (prefix, rest) = bytes.split_at_checked(last + 1)?;
    let groups = prefix.iter().rev();
    let length = groups.fold(0_usize, |length, byte| length << 7 | usize::from(byte & 0x7F));
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(protocol: Protocol, payload: &[u8]) -> u64 {
        messages(&Frame::message(protocol, payload), protocol)
    }

    #[test]
    fn kinds_one_to_five_count_in_json() {
        let counted = |text: &str| counted(Protocol::Json, text.as_bytes());

        assert_eq!(counted("{\"type\":1,\"target\":\"m\",\"arguments\":[]}\x1e"), 1);
        assert_eq!(counted("{\"arguments\":[],\"target\":\"m\",\"type\":1}\x1e"), 1);
        assert_eq!(counted("{\"type\":2,\"invocationId\":\"1\",\"item\":5}\x1e"), 1);
        assert_eq!(counted("{\"type\":3,\"invocationId\":\"1\"}\x1e{\"type\":6}\x1e"), 1);
        assert_eq!(counted("{\"type\":5,\"invocationId\":\"1\"}\x1e"), 1);
        for other in ["{}", "{\"type\":6}", "{\"type\":7}", "{\"type\":8,\"sequenceId\":1}"] {
            assert_eq!(counted(&format!("{other}\x1e")), 0);
        }
        assert_eq!(counted("{\"type\":9,\"sequenceId\":1}\x1e{\"type\":99}\x1enonsense"), 0);
    }

    #[test]
    fn kinds_one_to_five_count_in_message_pack() {
        let Some(protocol) = Protocol::from_name("messagepack") else { return };
        let counted = |bytes: &[u8]| counted(protocol, bytes);

        assert_eq!(counted(b"\x0b\x96\x01\x80\xc0\xa1\x6d\x92\x01\xa1\x61\x90"), 1);
        assert_eq!(counted(b"\x06\x94\x03\x80\xa1\x37\x02\x06\x94\x03\x80\xa1\x37\x02"), 2);
        assert_eq!(counted(b"\x05\x93\x05\x80\xa1\x37\x02\x91\x06\x03\x92\x07\xc0"), 1);
        assert_eq!(counted(b"\x03\x92\x08\x03\x03\x92\x09\x03"), 0);
        assert_eq!(counted(b"\x7f\x91"), 0);
        assert_eq!(counted(b"\xff\xff\xff\xff\xff"), 0);
    }

    #[test]
    fn control_frames_hold_no_messages() {
        let pong = Frame::new(Bytes::from_static(b"\x8a\x0c{\"type\":1,}\x1e"), 2);

        assert_eq!(messages(&pong, Protocol::Json), 0);
    }
}
