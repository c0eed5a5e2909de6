use std::time::Duration;

use serde_json::json;

use super::*;

const HEAD: &str = r#"{"version":1,"kind":"recording","started":"2026-11-29T15:00:00.000000Z","hub_local":"0.1.0"}"#;

fn at(seconds: u64) -> String {
    format!("2026-11-29T15:00:{seconds:02}.000000Z")
}

/// A client that connects, calls `join` and leaves.
fn events() -> Vec<Value> {
    vec![
        json!({ "at": at(0), "kind": "connected", "call": 1, "connection": "c", "hub": "chat", "user": "ada",
            "protocol": "json", "claims": [{ "type": "role", "value": "x" }], "sealed": true, "query": "hub=chat&a=b" }),
        json!({ "at": at(0), "kind": "upstream", "call": 1, "connection": "c" }),
        json!({ "at": at(0), "kind": "answer", "call": 1, "connection": "c", "status": 200 }),
        json!({ "at": at(2), "kind": "invocation", "call": 2, "connection": "c", "method": "join",
            "arguments": ["lobby"], "invocation": "0", "type": "invoke" }),
        json!({ "at": at(3), "kind": "answer", "call": 2, "connection": "c", "status": 200, "body": { "type": 3 } }),
        json!({ "at": at(5), "kind": "disconnected", "call": 3, "connection": "c" }),
        json!({ "at": at(5), "kind": "answer", "call": 3, "connection": "c", "status": 200 }),
    ]
}

fn file(events: &[Value]) -> String {
    let lines = events.iter().map(Value::to_string);
    let lines = std::iter::once(HEAD.to_owned()).chain(lines);
    lines.map(|line| line + "\n").collect()
}

fn read(text: &str) -> Result<Recording, RecordingError> {
    Recording::read(text.as_bytes())
}

fn error(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn the_steps_are_the_connects_calls_answers_and_ends_in_order() {
    let recording = read(&file(&events())).unwrap();

    let steps: Vec<_> = recording
        .steps
        .iter()
        .map(|step| {
            let what = match &step.what {
                What::Connect(client) => format!("connect {}", client.hub),
                What::Call(call) => format!("call {} {}", call.method, call.arguments),
                What::Answer(exchange, answer) => {
                    format!("{} {:?} {:?}", answer.call, exchange.place, answer.status)
                }
                What::Close { is_lost, .. } => format!("close {is_lost}"),
            };
            (step.at.as_secs(), what)
        })
        .collect();
    assert_eq!(
        steps,
        [
            (0, "connect chat".to_owned()),
            (0, "1 Connected Some(200)".to_owned()),
            (2, "call join [\"lobby\"]".to_owned()),
            (3, "2 Call(0) Some(200)".to_owned()),
            (5, "close false".to_owned()),
            (5, "3 Disconnected Some(200)".to_owned()),
        ]
    );
    assert_eq!((recording.calls(), recording.is_cut), (1, false));
    assert_eq!(recording.steps[2].at, Duration::from_secs(2));
}

#[test]
fn a_file_that_is_cut_in_a_line_has_the_events_before_it() {
    let whole = file(&events());
    let lines = whole.lines().count();

    for end in HEAD.len() + 1..whole.len() {
        let recording = read(&whole[..end]).unwrap();
        let is_at_end_of_line = whole[..end].ends_with('\n') || whole[end..].starts_with('\n');
        assert_eq!(recording.is_cut, !is_at_end_of_line, "{end}");
    }
    assert_eq!(lines, events().len() + 1);
}

#[test]
fn other_files_and_versions_are_named() {
    assert!(error("").contains("is no recording"));
    assert!(error("{\"a\":1}\n").contains("is no recording"));
    assert!(error("{\"version\":1,\"kind\":\"other\"}\n").contains("is no recording"));
    let newer = "{\"version\":2,\"kind\":\"recording\",\"hub_local\":\"9.9.9\"}\n";
    assert!(error(newer).contains("has version 2, and this hub-local reads version 1"));
    assert!(error(newer).contains("(9.9.9)"));
    let broken = format!("{HEAD}\n{{\"kind\":\n{}\n", events()[0]);
    assert!(error(&broken).starts_with("line 2 of the recording is no event"));
    assert!(matches!(Recording::open("/nonexistent"), Err(RecordingError::Io(_))));
}

#[test]
fn calls_whose_arguments_are_not_in_the_recording_are_listed() {
    let call = |call: u64, arguments: Value| json!({ "at": at(2), "kind": "invocation", "call": call, "connection": "c", "method": "m", "arguments": arguments });
    let mut all = events()[..3].to_vec();
    all.extend([
        call(10, json!({ "cut": true, "bytes": 5_000_000, "start": "[" })),
        call(11, json!({ "bytes": 5, "type": "array" })),
        call(12, json!([{ "email": "•••" }])),
        call(13, json!(["fine"])),
        json!({ "at": at(3), "kind": "answer", "call": 11, "connection": "c", "status": 200 }),
        json!({ "at": at(3), "kind": "invocation", "call": 14, "connection": "other", "method": "n", "arguments": [] }),
        json!({ "at": at(3), "kind": "invocation", "call": 15, "again": 13, "connection": "c", "method": "m", "arguments": [] }),
        json!({ "at": at(4), "kind": "left_out", "count": 7, "reason": "too many" }),
    ]);

    let recording = read(&file(&all)).unwrap();

    assert_eq!(recording.calls(), 1);
    let texts = ["longer than", "without payloads", "masked", "begins after", "7 events: too many"];
    assert_eq!(recording.left_out.len(), texts.len());
    for (left_out, text) in recording.left_out.iter().zip(texts) {
        assert!(left_out.contains(text), "{left_out}");
    }
}

#[test]
fn unknown_events_and_members_are_ignored() {
    let more = json!({ "at": "?", "kind": "later", "new": [1] });
    let recording = read(&file(&[more, events()[0].clone()])).unwrap();
    assert_eq!(recording.steps.len(), 1);
}
