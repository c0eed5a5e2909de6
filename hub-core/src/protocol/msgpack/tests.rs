//! The byte vectors of the protocol, and messages that are fatal errors in the reference server.

mod proto_key;
mod values;

use super::*;

fn bytes(hex: &str) -> Bytes {
    hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// Reads a frame: a length of one byte, and a message.
fn read(hex: &str) -> Result<Option<Message>, ProtocolError> {
    let frame = bytes(hex);
    assert_eq!(usize::from(frame[0]), frame.len() - 1, "{hex}");
    parse(&frame.slice(1..))
}

fn read_body(hex: &str) -> Result<Option<Message>, ProtocolError> {
    parse(&bytes(hex))
}

fn id(text: &str) -> String {
    text.to_owned()
}

fn call(invocation_id: Option<&str>, arguments: &str, stream_ids: &[&str]) -> Message {
    Message::Invocation {
        invocation_id: invocation_id.map(id),
        target: id("m"),
        arguments: bytes(arguments),
        stream_ids: stream_ids.iter().map(|stream| id(stream)).collect(),
        trace: None,
    }
}

fn completion(outcome: Outcome) -> Message {
    Message::Completion { invocation_id: id("7"), outcome }
}

fn close(error: Option<&str>, allow_reconnect: bool) -> Message {
    Message::Close { error: error.map(id), allow_reconnect }
}

fn stream_invocation() -> Message {
    Message::StreamInvocation {
        invocation_id: id("7"),
        target: id("m"),
        arguments: bytes("91 02"),
        stream_ids: Vec::new(),
    }
}

#[test]
fn every_vector_is_read_and_written() {
    let item = Message::StreamItem { invocation_id: id("7"), item: bytes("05") };
    for (hex, message) in [
        ("0b 96 01 80 c0 a1 6d 92 01 a1 61 90", call(None, "92 01 a1 61", &[])),
        ("0b 96 01 80 a1 37 a1 6d 90 91 a1 73", call(Some("7"), "90", &["s"])),
        ("06 94 02 80 a1 37 05", item),
        ("08 95 03 80 a1 37 01 a1 65", completion(Outcome::Error(id("e")))),
        ("06 94 03 80 a1 37 02", completion(Outcome::Void)),
        ("07 95 03 80 a1 37 03 c3", completion(Outcome::Result(bytes("c3")))),
        ("07 95 03 80 a1 37 03 c0", completion(Outcome::Result(bytes("c0")))),
        ("07 95 03 80 a1 37 03 2a", completion(Outcome::Result(bytes("2a")))),
        ("0b 95 03 80 a1 37 01 a4 62 6f 6f 6d", completion(Outcome::Error(id("boom")))),
        ("0a 96 04 80 a1 37 a1 6d 91 02 90", stream_invocation()),
        ("05 93 05 80 a1 37", Message::CancelInvocation { invocation_id: id("7") }),
        ("02 91 06", Message::Ping),
        ("05 93 07 a1 65 c2", close(Some("e"), false)),
        ("04 93 07 c0 c3", close(None, true)),
        ("03 92 08 03", Message::Ack { sequence_id: 3 }),
        ("03 92 09 03", Message::Sequence { sequence_id: 3 }),
    ] {
        assert_eq!(read(hex).unwrap(), Some(message.clone()), "{hex}");
        assert_eq!(encode(&message), bytes(hex), "{hex}");
        assert_eq!(encode_body(&message), bytes(hex).slice(1..), "{hex}");
    }
    assert_eq!(encode(&Message::Ping), PING);
}

#[test]
fn shorter_and_longer_forms_are_read() {
    for (hex, message) in [
        ("0a 95 01 80 c0 a1 6d 92 01 a1 61", call(None, "92 01 a1 61", &[])),
        ("0d 95 01 81 a1 6b a1 76 a1 37 a1 6d 91 c0", call(Some("7"), "91 c0", &[])),
        ("0a 96 01 80 a0 a1 6d 91 c0 90 00", call(None, "91 c0", &[])),
        ("0a 97 01 80 c0 a1 6d 91 c0 90 00", call(None, "91 c0", &[])),
        ("09 95 04 80 a1 37 a1 6d 91 02", stream_invocation()),
        ("03 92 07 c0", close(None, false)),
        ("04 92 cc 09 03", Message::Sequence { sequence_id: 3 }),
    ] {
        assert_eq!(read(hex).unwrap(), Some(message), "{hex}");
    }
}

#[test]
fn the_upstream_body_of_the_documents_is_read() {
    let message = read_body("96 01 80 a1 37 a3 41 64 64 92 01 02 90").unwrap();

    let Some(Message::Invocation { invocation_id, target, arguments, .. }) = message else {
        panic!("an invocation")
    };
    assert_eq!((invocation_id.as_deref(), &*target), (Some("7"), "Add"));
    assert_eq!(arguments, bytes("92 01 02"));
}

#[test]
fn argument_bytes_pass_through_untouched() {
    // Integers that are longer than they need to be, extensions, bytes, floats, text that is not UTF-8.
    let arguments = "dc 00 07 cd 00 01 d3 00 00 00 00 00 00 00 05 d6 ff 00 00 00 01 c4 01 ff \
                     ca 3f 80 00 00 d9 01 ff 81 01 c7 00 05";
    let message = read_body(&format!("95 01 80 c0 a1 6d {arguments}")).unwrap();

    assert_eq!(message, Some(call(None, arguments, &[])));
}

#[test]
fn unknown_types_are_skipped() {
    for hex in ["91 00", "91 0a", "92 0a c1", "91 ff", "91 cf ff ff ff ff ff ff ff ff"] {
        assert_eq!(read_body(hex).unwrap(), None, "{hex}");
    }
}

#[test]
fn malformed_messages_are_fatal() {
    for hex in [
        "",
        "c0",
        "80",
        "90",
        "c1",
        "91",
        "91 a1 31",
        "91 c0",
        "91 cb 00 00 00 00 00 00 00 00",
        // Invocations: too short, headers, id, target, arguments, streams.
        "91 01",
        "94 01 80 c0 a1 6d",
        "95 01 c0 c0 a1 6d 90",
        "95 01 90 c0 a1 6d 90",
        "95 01 81 a1 6b 01 c0 a1 6d 90",
        "95 01 81 01 a1 6b c0 a1 6d 90",
        "95 01 81 a0 a1 6b c0 a1 6d 90",
        "95 01 81 a1 6b a0 c0 a1 6d 90",
        "95 01 80 07 a1 6d 90",
        "95 01 80 c0 a0 90",
        "95 01 80 c0 c0 90",
        "95 01 80 c0 c4 01 6d 90",
        "95 01 80 c0 a1 ff 90",
        "95 01 80 c0 a1 6d 80",
        "95 01 80 c0 a1 6d c0",
        "95 01 80 c0 a1 6d 92 01",
        "95 01 80 c0 a1 6d 91 c1",
        "95 01 80 c0 a1 6d dd ff ff ff ff 01",
        "95 01 80 c0 a1 6d 91 db ff ff ff ff",
        "96 01 80 c0 a1 6d 90 c0",
        "96 01 80 c0 a1 6d 90 91 c0",
        "96 01 80 c0 a1 6d 90 91 a0",
        // Other message types.
        "93 02 80 a1 37",
        "94 02 80 c0 05",
        "93 03 80 a1 37",
        "94 03 80 a1 37 01",
        "94 03 80 a1 37 03",
        "95 03 80 a1 37 00 c0",
        "95 03 80 a1 37 04 c0",
        "95 03 80 a1 37 01 c0",
        "95 03 80 c0 03 c0",
        "95 04 80 c0 a1 6d 90",
        "92 05 80",
        "93 05 80 c0",
        "91 07",
        "92 07 01",
        "93 07 c0 c0",
        "91 08",
        "92 08 ff",
        "92 09 a1 33",
    ] {
        assert!(read_body(hex).is_err(), "{hex}");
    }
}

#[test]
fn nesting_ends_at_sixty_four_levels() {
    let nested = |levels: usize| {
        let mut body = bytes("95 01 80 c0 a1 6d").to_vec();
        body.extend(std::iter::repeat_n(0x91, levels));
        body.push(0xC0);
        parse(&body.into())
    };

    assert!(nested(63).is_ok());
    assert!(matches!(nested(64), Err(ProtocolError::TooDeep { limit: 64 })));
    assert!(nested(1_000_000).is_err());
}

#[test]
fn an_empty_error_is_encoded_with_a_text_and_an_empty_id_is_read() {
    let outcome = Outcome::Error(String::new());
    let encoded = encode_body(&Message::Completion { invocation_id: "7".to_owned(), outcome });
    assert_eq!(
        &encoded[..],
        b"\x95\x03\x80\xa17\x01\xd9\x27the method failed without an error text"
    );

    let without_id = Message::Completion { invocation_id: String::new(), outcome: Outcome::Void };
    assert_eq!(parse(&bytes("94 03 80 a0 02")).unwrap(), Some(without_id));
}

#[test]
fn of_the_headers_of_an_invocation_only_the_trace_is_kept() {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let message = [
        &b"\x96\x01\x82\xabtraceparent\xd9\x37"[..],
        parent.as_bytes(),
        b"\xadauthorization\xa1x\xc0\xa1m\x90\x90",
    ]
    .concat();

    let Ok(Some(Message::Invocation { trace: Some(trace), .. })) = parse(&message.into()) else {
        panic!("an invocation with a trace")
    };

    assert_eq!((trace.traceparent(), trace.tracestate()), (parent, None));
}
