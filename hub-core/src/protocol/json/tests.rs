//! The byte vectors of the protocol, and messages that are fatal errors in the reference server.

use super::*;

fn read(text: &str) -> Result<Option<Message>, ProtocolError> {
    parse(&Bytes::copy_from_slice(text.as_bytes()))
}

fn id(text: &str) -> String {
    text.to_owned()
}

fn call(invocation_id: Option<&str>, arguments: &'static str, stream_ids: &[&str]) -> Message {
    Message::Invocation {
        invocation_id: invocation_id.map(id),
        target: id("m"),
        arguments: Bytes::from_static(arguments.as_bytes()),
        stream_ids: stream_ids.iter().map(|stream| id(stream)).collect(),
        trace: None,
    }
}

fn completion(outcome: Outcome) -> Message {
    Message::Completion { invocation_id: id("7"), outcome }
}

fn vectors() -> Vec<(&'static str, Message)> {
    let close = |error: Option<&str>, allow_reconnect| Message::Close {
        error: error.map(id),
        allow_reconnect,
    };
    vec![
        (r#"{"type":1,"target":"m","arguments":[1,"a"]}"#, call(None, r#"[1,"a"]"#, &[])),
        (
            r#"{"type":1,"invocationId":"7","target":"m","arguments":[],"streamIds":["s"]}"#,
            call(Some("7"), "[]", &["s"]),
        ),
        (
            r#"{"type":2,"invocationId":"7","item":5}"#,
            Message::StreamItem { invocation_id: id("7"), item: Bytes::from_static(b"5") },
        ),
        (r#"{"type":3,"invocationId":"7","error":"e"}"#, completion(Outcome::Error(id("e")))),
        (r#"{"type":3,"invocationId":"7"}"#, completion(Outcome::Void)),
        (
            r#"{"type":3,"invocationId":"7","result":true}"#,
            completion(Outcome::Result(Bytes::from_static(b"true"))),
        ),
        (
            r#"{"type":3,"invocationId":"7","result":null}"#,
            completion(Outcome::Result(Bytes::from_static(b"null"))),
        ),
        (
            r#"{"type":4,"invocationId":"7","target":"m","arguments":[2]}"#,
            Message::StreamInvocation {
                invocation_id: id("7"),
                target: id("m"),
                arguments: Bytes::from_static(b"[2]"),
                stream_ids: Vec::new(),
            },
        ),
        (r#"{"type":5,"invocationId":"7"}"#, Message::CancelInvocation { invocation_id: id("7") }),
        (r#"{"type":6}"#, Message::Ping),
        (r#"{"type":7}"#, close(None, false)),
        (r#"{"type":7,"error":"e"}"#, close(Some("e"), false)),
        (r#"{"type":7,"allowReconnect":true}"#, close(None, true)),
        (r#"{"type":8,"sequenceId":3}"#, Message::Ack { sequence_id: 3 }),
        (r#"{"type":9,"sequenceId":3}"#, Message::Sequence { sequence_id: 3 }),
    ]
}

#[test]
fn every_vector_is_read_and_written() {
    for (text, message) in vectors() {
        assert_eq!(read(text).unwrap(), Some(message.clone()), "{text}");
        assert_eq!(encode_body(&message), text);
        assert_eq!(encode(&message), format!("{text}\x1e"));
    }
    assert_eq!(encode(&Message::Ping), PING);
}

#[test]
fn order_headers_unknown_members_and_trailing_data_are_ignored() {
    let expected = Some(call(Some("7"), "[null]", &[]));

    for text in [
        r#"{"arguments":[null],"invocationId":"7","target":"m","type":1}"#,
        r#"{"type":1,"headers":{"k":"v"},"invocationId":"7","target":"m","arguments":[null]}"#,
        r#" {"x":{"y":[1]},"type":1,"invocationId":"7","target":"m","arguments":[null]} junk"#,
        r#"{"type":6,"target":"x","type":1,"invocationId":"7","target":"m","arguments":[null]}"#,
        r#"{"ty\u0070e":1,"invocationId":"7","target":"\u006d","arguments":[null]}"#,
    ] {
        assert_eq!(read(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn argument_bytes_pass_through_untouched() {
    let arguments = r#"[ 12345678901234567890.10 , {"b":1,"a":"\u00fc"},1e400 ]"#;
    let text = format!(r#"{{"type":1,"target":"m","arguments":{arguments}}}"#);

    let Some(Message::Invocation { arguments: read, .. }) = read(&text).unwrap() else {
        panic!("an invocation")
    };

    assert_eq!(read, arguments);
}

#[test]
fn an_empty_invocation_id_is_none() {
    let text = r#"{"type":1,"invocationId":"","target":"m","arguments":[]}"#;
    assert_eq!(read(text).unwrap(), Some(call(None, "[]", &[])));
}

#[test]
fn unknown_types_are_skipped() {
    for text in [r#"{"type":0}"#, r#"{"type":10}"#, r#"{"type":-1,"x":1}"#, r#"{"type":4711}"#] {
        assert_eq!(read(text).unwrap(), None, "{text}");
    }
}

#[test]
fn malformed_messages_are_fatal() {
    for text in [
        "",
        " ",
        "[]",
        "null",
        "nonsense",
        r#"{"type":6"#,
        r#"{"type":6,}"#,
        r#"{/**/"type":6}"#,
        "{}",
        r#"{"protocol":"json","version":1}"#,
        r#"{"type":"6"}"#,
        r#"{"type":6.5}"#,
        r#"{"type":null}"#,
        r#"{"type":1,"arguments":[]}"#,
        r#"{"type":1,"target":"m"}"#,
        r#"{"type":1,"target":"m","arguments":{}}"#,
        r#"{"type":1,"target":"m","arguments":null}"#,
        r#"{"type":1,"target":5,"arguments":[]}"#,
        r#"{"type":1,"invocationId":7,"target":"m","arguments":[]}"#,
        r#"{"type":1,"target":"m","arguments":[],"headers":{"k":1}}"#,
        r#"{"type":1,"target":"m","arguments":[],"headers":[]}"#,
        r#"{"type":1,"target":"m","arguments":[],"streamIds":[null]}"#,
        r#"{"type":1,"target":"m","arguments":[}"#,
        r#"{"type":2,"invocationId":"7"}"#,
        r#"{"type":2,"item":1}"#,
        r#"{"type":3}"#,
        r#"{"type":3,"invocationId":"7","error":5}"#,
        r#"{"type":3,"invocationId":"7","error":"e","result":1}"#,
        r#"{"type":4,"target":"m","arguments":[]}"#,
        r#"{"type":5}"#,
        r#"{"type":7,"allowReconnect":"true"}"#,
        r#"{"type":8}"#,
        r#"{"type":9,"sequenceId":-1}"#,
        "\u{feff}{\"type\":6}",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_fatal() {
    let text = b"{\"type\":1,\"target\":\"m\",\"arguments\":[\"\xff\"]}";
    assert!(parse(&Bytes::from_static(text)).is_err());
}

#[test]
fn nesting_ends_at_sixty_four_levels() {
    let nested = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!(r#"{{"type":1,"target":"m","arguments":{open}"[[\"[{{"{close}}}"#)
    };

    assert!(read(&nested(63)).is_ok());
    assert!(matches!(read(&nested(64)), Err(ProtocolError::TooDeep { limit: 64 })));
    assert!(read(&nested(100_000)).is_err());
}

#[test]
fn texts_are_escaped() {
    let message = Message::Close { error: Some(id("a\"\u{1e}\n")), allow_reconnect: true };
    let expected = "{\"type\":7,\"error\":\"a\\\"\\u001e\\n\",\"allowReconnect\":true}\x1e";
    assert_eq!(encode(&message), expected);
}

#[test]
fn an_empty_error_is_encoded_with_a_text() {
    let outcome = Outcome::Error(String::new());
    let encoded = encode(&Message::Completion { invocation_id: "7".to_owned(), outcome });

    let text = "{\"type\":3,\"invocationId\":\"7\",\"error\":\"the method failed without an error text\"}\u{1e}";
    assert_eq!(&encoded[..], text.as_bytes());
}

#[test]
fn of_the_headers_of_an_invocation_only_the_trace_is_kept() {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let trace = |headers: &str| {
        let text = format!(r#"{{"type":1,"headers":{headers},"target":"m","arguments":[]}}"#);
        let Some(Message::Invocation { trace, .. }) = read(&text).unwrap() else {
            panic!("an invocation")
        };
        trace.map(|trace| (trace.traceparent().to_owned(), trace.tracestate().map(str::to_owned)))
    };

    let both =
        format!(r#"{{"traceparent":"{parent}","Authorization":"x","trace\u0073tate":"a=1"}}"#);
    assert_eq!(trace(&both), Some((id(parent), Some(id("a=1")))));
    assert_eq!(trace(&format!(r#"{{"traceparent":"{parent}"}}"#)), Some((id(parent), None)));
    for headers in ["{}", r#"{"tracestate":"a=1"}"#, r#"{"traceparent":"x"}"#, r#"{"a":"b"}"#] {
        assert_eq!(trace(headers), None, "{headers}");
    }
}
