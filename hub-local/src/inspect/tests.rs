//! The ring, its bounds, and what readers get.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use hub_core::{
    Secret,
    protocol::{Message, Outcome, Protocol},
    seal::{self, Identity, SealKey},
};
use serde_json::{Value, json};

use super::{
    Address, Batch, Excess, Filter, Finished, Inspector, Matter, Opened, Origin, Peer, Recorder,
    Sent, Subject, Trouble, Via,
    recorder::Settings,
    ring::{MAX_BYTES, MAX_EVENTS},
};
use crate::causes::Cause;

const KEY: &str = "an-access-key-of-the-service-0123456789";

fn recorder(settings: &Inspector) -> Arc<Recorder> {
    let Inspector { payloads, masks, .. } = settings.clone();
    Arc::new(Recorder::new(Settings {
        payloads,
        masks,
        secrets: vec![Secret::from(KEY)],
        sink: None,
    }))
}

fn peer(recorder: &Arc<Recorder>) -> Arc<Peer> {
    Arc::new(Peer::new(Arc::clone(recorder), "c1".into(), "chat".into(), Some("ada".into())))
}

/// One call with its answer and completion.
fn call(peer: &Arc<Peer>, method: &str, arguments: &[u8], answer: &'static [u8]) -> u64 {
    let recorder = &peer.recorder;
    let names = (Some("7"), method);
    let of = recorder.invoked(peer, Origin::Client, Protocol::Json, names, arguments, false);
    let running = recorder.calls_app(&of, 5, Some(Address::InProcess));
    let answer = Bytes::from_static(answer);
    recorder.answered(running, Some((200, &answer)), Duration::from_millis(2), None);
    recorder.finished(&of, Finished::Relayed);
    of.call
}

fn all(recorder: &Recorder) -> Batch {
    let mut all = Batch::default();
    loop {
        let batch = recorder.read(all.next, 100, &Filter::default(), Excess::Later);
        all.lines.extend(batch.lines);
        all.next = batch.next;
        if all.next >= recorder.kept().2 {
            return all;
        }
    }
}

fn events(recorder: &Recorder) -> Vec<Value> {
    let lines = all(recorder).lines.into_iter();
    lines.map(|(_, line)| serde_json::from_str(&line).unwrap()).collect()
}

fn sent(hub: &str, arguments: &Bytes, recorder: &Recorder) -> Sent {
    Sent {
        hub: hub.into(),
        via: Via::Rest,
        kind: "group",
        name: Some("room".into()),
        excluded: 1,
        method: "m".into(),
        arguments: recorder.shared(Protocol::Json, arguments),
        recipients: 3,
        calls: Vec::new(),
    }
}

#[test]
fn a_call_is_one_conversation_of_invocation_upstream_answer_and_completion() {
    let recorder = recorder(&Inspector::new());

    call(
        &peer(&recorder),
        "add",
        b"[1,{\"a\":2}]",
        b"{\"type\":3,\"invocationId\":\"7\",\"result\":[3]}\x1e",
    );

    let events = events(&recorder);
    let kinds: Vec<_> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["invocation", "upstream", "answer", "completion"]);
    for (event, seq) in events.iter().zip(1..) {
        assert_eq!(event["seq"], seq);
        assert_eq!(event["call"], 1);
        assert_eq!(
            (&event["hub"], &event["connection"], &event["user"]),
            (&json!("chat"), &json!("c1"), &json!("ada"))
        );
    }
    assert_eq!(events[0]["arguments"], json!([1, { "a": 2 }]));
    assert_eq!((&events[0]["method"], &events[0]["type"]), (&json!("add"), &json!("invoke")));
    assert_eq!(
        (&events[1]["embedded"], &events[1]["category"]),
        (&json!(true), &json!("messages"))
    );
    assert_eq!((&events[2]["status"], &events[2]["ms"]), (&json!(200), &json!(2.0)));
    assert_eq!(events[2]["body"]["result"], json!([3]));
    assert_eq!((&events[3]["result"], &events[3]["relayed"]), (&json!([3]), &json!(true)));
}

#[test]
fn sends_name_the_calls_of_their_hub_that_run() {
    let recorder = recorder(&Inspector::new());
    let peer = peer(&recorder);
    let names = (None, "m");
    let of = recorder.invoked(&peer, Origin::Client, Protocol::Json, names, b"[]", true);
    let running = recorder.calls_app(&of, 1, Some(Address::InProcess));
    let arguments = Bytes::from_static(b"[1]");

    recorder.sent(sent("chat", &arguments, &recorder));
    recorder.sent(sent("other", &arguments, &recorder));
    recorder.answered(running, Some((200, &Bytes::new())), Duration::ZERO, None);
    recorder.sent(sent("chat", &arguments, &recorder));

    let events = events(&recorder);
    let sends: Vec<_> = events.iter().filter(|event| event["kind"] == "send").collect();
    assert_eq!(sends[0]["calls"], json!([1]));
    assert!(sends[1..].iter().all(|event| event.get("calls").is_none()));
    assert_eq!(sends[0]["target"], json!({ "kind": "group", "name": "room", "excluded": 1 }));
    assert_eq!((&sends[0]["recipients"], &sends[0]["bytes"]), (&json!(3), &json!(3)));
}

#[test]
fn the_ring_keeps_the_latest_2000_events() {
    let recorder = recorder(&Inspector::new());
    let peer = peer(&recorder);

    (0..MAX_EVENTS).for_each(|_| _ = call(&peer, "m", b"[]", b""));

    let (kept, first, last) = recorder.kept();
    assert_eq!((kept, last), (MAX_EVENTS, 4 * MAX_EVENTS as u64));
    assert_eq!(first, Some(last - MAX_EVENTS as u64 + 1));
    assert_eq!(recorder.overwritten(), last - MAX_EVENTS as u64);
}

#[test]
fn the_ring_keeps_8_mib_and_counts_what_calls_hold() {
    let recorder = recorder(&Inspector::new());
    let peer = peer(&recorder);
    let arguments = format!("[\"{}\"]", "x".repeat(20_000));

    (0..MAX_EVENTS).for_each(|_| _ = call(&peer, "m", arguments.as_bytes(), b""));

    let bytes = || recorder.bytes.load(Ordering::Relaxed);
    let shown = shown_bytes(&recorder);
    // Beside the bodies, a line has more bytes than an event.
    assert!(shown <= MAX_BYTES * 11 / 10 && shown > MAX_BYTES * 3 / 4, "{shown}");
    assert!(recorder.kept().0 < MAX_EVENTS);
    recorder.clear();
    assert_eq!((bytes(), recorder.alive.load(Ordering::Relaxed)), (0, 0));
    assert_eq!(recorder.kept().0, 0);
    assert_eq!(recorder.overwritten(), 0);
}

/// The bytes of all lines.
fn shown_bytes(recorder: &Recorder) -> usize {
    let (mut bytes, mut place) = (0, 0);
    while place < recorder.kept().2 {
        let batch = recorder.read(place, 100, &Filter::default(), Excess::Later);
        bytes += batch.lines.iter().map(|(_, line)| line.len()).sum::<usize>();
        place = batch.next;
    }
    bytes
}

#[test]
fn calls_that_wait_do_not_displace_events() {
    let recorder = recorder(&Inspector::new());
    let peer = peer(&recorder);
    let arguments = format!("[\"{}\"]", "x".repeat(4000));
    let names = (None, "m");
    let invoked = || {
        let arguments = arguments.as_bytes();
        recorder.invoked(&peer, Origin::Client, Protocol::Json, names, arguments, true)
    };

    let waiting: Vec<_> = (0..3 * MAX_EVENTS).map(|_| invoked()).collect();
    for _ in 0..MAX_EVENTS {
        recorder.sent(sent("chat", &Bytes::from_static(b"[]"), &recorder));
    }

    assert_eq!(recorder.kept().0, MAX_EVENTS);
    let held: usize = waiting.iter().map(|of| of.arguments.size()).sum();
    assert!(held <= 2 * MAX_BYTES, "{held}");
}

#[test]
fn refusals_without_credentials_are_limited_in_number_and_size() {
    let recorder = recorder(&Inspector::new());
    call(&peer(&recorder), "m", b"[]", b"");
    let refused = |hub: &str| {
        let subject = Subject { hub: Some(hub.into()), ..Subject::default() };
        let text = "x".repeat(100_000).into();
        let trouble = Trouble { cause: Some(Cause::NoToken), text };
        recorder.refused(subject, Matter::Token, Some(401), trouble);
    };

    refused("chat");
    (0..1000).for_each(|_| refused(&"A".repeat(30_000)));

    let events = events(&recorder);
    assert_eq!(events[0]["kind"], "invocation");
    assert!(events.len() < 50, "{}", events.len());
    assert_eq!((&events[4]["hub"], &events[5]["hub"]), (&json!("chat"), &Value::Null));
    assert!(shown_bytes(&recorder) < 100_000);
}

#[test]
fn a_call_that_ends_without_a_response_does_not_run_any_more() {
    let recorder = recorder(&Inspector::new());
    let peer = peer(&recorder);
    let names = (None, "m");
    let of = recorder.invoked(&peer, Origin::Client, Protocol::Json, names, b"[]", true);

    drop(recorder.calls_app(&of, 1, Some(Address::InProcess)));
    recorder.sent(sent("chat", &Bytes::from_static(b"[]"), &recorder));

    assert!(events(&recorder)[2].get("calls").is_none());
}

#[test]
fn a_reader_learns_how_many_events_it_missed() {
    let recorder = recorder(&Inspector::new());
    let peer = peer(&recorder);
    call(&peer, "first", b"[]", b"");
    (0..MAX_EVENTS).for_each(|_| _ = call(&peer, "m", b"[]", b""));

    let (_, first, last) = recorder.kept();
    let batch = recorder.read(4, 10, &Filter::default(), Excess::Later);
    assert_eq!(batch.left_out, first.unwrap() - 5);
    assert_eq!(batch.lines.len(), 10);
    assert_eq!(batch.next, first.unwrap() + 9);

    let newest = recorder.read(last - 100, 10, &Filter::default(), Excess::LeaveOut);
    assert_eq!((newest.left_out, newest.next), (90, last));
    assert_eq!(newest.lines[0].0, last - 9);
    let restarted = recorder.read(last + 1, 1, &Filter::default(), Excess::Later);
    assert_eq!((restarted.left_out, restarted.lines[0].0), (0, first.unwrap()));
}

#[test]
fn long_bodies_are_cut_with_their_length() {
    let recorder = recorder(&Inspector::new());
    let long = format!("[\"{}\"]", "x".repeat(100_000));

    call(&peer(&recorder), "m", long.as_bytes(), b"<html>");

    let events = events(&recorder);
    assert_eq!(events[0]["arguments"]["cut"], true);
    assert_eq!(events[0]["arguments"]["bytes"], long.len());
    assert_eq!(events[0]["arguments"]["start"], long[..4096]);
    assert_eq!(events[2]["body"], "<html>");
}

#[test]
fn without_payloads_only_sizes_and_types_are_kept() {
    let recorder = recorder(&Inspector::new().payloads(false));

    call(
        &peer(&recorder),
        "m",
        b"[\"private\"]",
        b"{\"type\":3,\"invocationId\":\"7\",\"result\":\"private\"}\x1e",
    );
    recorder.sent(sent("chat", &Bytes::from_static(b"[\"private\"]"), &recorder));

    let events = events(&recorder);
    assert_eq!(events[0]["arguments"], json!({ "bytes": 11, "type": "array" }));
    assert_eq!(events[2]["body"]["type"], "object");
    assert_eq!(events[3]["result"]["type"], "object");
    assert_eq!(events[4]["arguments"], json!({ "bytes": 11, "type": "array" }));
    assert!(!Value::from(events).to_string().contains("private"));
}

#[test]
fn an_error_completion_is_a_failure_with_and_without_payloads() {
    for payloads in [true, false] {
        let recorder = recorder(&Inspector::new().payloads(payloads));
        let peer = peer(&recorder);
        call(&peer, "good", b"[]", b"{\"type\":3,\"invocationId\":\"7\",\"result\":1}\x1e");
        call(&peer, "bad", b"[]", b"{\"type\":3,\"invocationId\":\"7\",\"error\":\"no room\"}\x1e");

        let events = events(&recorder);
        assert!(events[2].get("failed").is_none(), "{:?}", events[2]);
        assert_eq!((&events[6]["failed"], &events[6]["text"]), (&json!(true), &json!("no room")));
        assert_eq!(events[7]["error"], "no room");
        let failures = Filter { failures: true, ..Filter::default() };
        assert_eq!(recorder.read(0, 100, &failures, Excess::Later).lines.len(), 4);
        assert_eq!(recorder.averages().failing_share, 0.5);
        assert!(recorder.apps()[0].last_error.is_none(), "the app has responded");
    }
}

#[cfg(feature = "msgpack")]
#[test]
fn binary_data_does_not_show_secrets_in_base64() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let recorder = recorder(&Inspector::new());
    let peer = peer(&recorder);
    let long = [b"\x91\xC6\0\0\xFF\xFF", KEY.as_bytes(), &[b'x'; 100_000]].concat();
    let value = [b"\x92\xC4\x27", KEY.as_bytes(), b"\xC4\x01a"].concat();
    let broken = [b"\xC1\xFF", KEY.as_bytes()].concat();
    for arguments in [long, value, broken] {
        let names = (None, "m");
        let protocol = Protocol::MessagePack;
        let _ = recorder.invoked(&peer, Origin::Client, protocol, names, &arguments, false);
    }

    let events = events(&recorder);
    assert_eq!(
        (&events[0]["arguments"]["cut"], &events[0]["arguments"]["start"]),
        (&json!(true), &json!("•••"))
    );
    let shown = json!([{ "$binary": "•••", "bytes": 39 }, { "$binary": "YQ==", "bytes": 1 }]);
    assert_eq!(events[1]["arguments"], shown);
    assert_eq!(events[2]["arguments"], json!({ "bytes": 41, "type": "binary" }));
    let text = Value::from(events).to_string();
    assert!(!text.contains(&STANDARD.encode(KEY)[..20]), "{text}");
}

#[test]
fn masked_fields_are_hidden_in_values_claims_and_queries() {
    let recorder = recorder(&Inspector::new().mask(["Email", ""]));
    let peer = peer(&recorder);
    let (claims, query) =
        (Some("email: private, role: x".into()), "hub=chat&EMAIL=private&a=b".into());

    recorder.connected(
        &peer,
        Opened { transport: "t", protocol: "json", resumable: false, claims, query },
    );
    call(&peer, "m", b"[{\"email\":\"private\",\"b\":1}]", b"oops: email private");
    let long = format!("[{{\"email\":\"private\",\"x\":\"{}\"}}]", "x".repeat(100_000));
    call(&peer, "m", long.as_bytes(), b"");

    let events = events(&recorder);
    assert_eq!(
        events[0]["claims"],
        json!([{ "type": "email", "value": "•••" }, { "type": "role", "value": "x" }])
    );
    assert_eq!(events[0]["query"], "hub=chat&EMAIL=•••&a=b");
    assert_eq!(events[1]["arguments"], json!([{ "email": "•••", "b": 1 }]));
    assert_eq!(events[3]["body"], "•••");
    assert_eq!(events[5]["arguments"]["start"], "•••");
    assert!(!Value::from(events).to_string().contains("private"));
}

#[test]
fn secrets_are_in_no_event() {
    let recorder = recorder(&Inspector::new());
    let peer = peer(&recorder);
    let key = SealKey::derive(&Secret::from(KEY));
    let identity = Identity {
        hub: "chat".to_owned(),
        user_id: Some("ada".to_owned()),
        issued_at: 5,
        claims: [("name".to_owned(), "Bob, role: admin".to_owned())].into_iter().collect(),
    };
    let seal = seal::seal(&identity, &key);
    let claims = Some(format!("aud: x, shub: {seal}, exp: 5").into());
    let query = "hub=chat&id=AAAAAAAAAAAAAAAAAAAAAA&access_token=abc&room=1".into();

    recorder.connected(
        &peer,
        Opened { transport: "t", protocol: "json", resumable: false, claims, query },
    );
    call(&peer, "m", format!("[\"{KEY}\",\"{seal}\"]").as_bytes(), b"");
    let text = format!("cannot call http://h/?code=0123456789abcdef0123 with {KEY}").into();
    let trouble = Trouble { cause: Some(Cause::TimedOut), text };
    recorder.disconnected(&peer, Some(trouble));

    let events = events(&recorder);
    let claim = |name: &str, value: &str| json!({ "type": name, "value": value });
    let expected = json!([claim("name", "Bob, role: admin"), claim("aud", "x"), claim("exp", "5")]);
    assert_eq!(events[0]["claims"], expected);
    assert_eq!(events[0]["query"], "hub=chat&room=1");
    let text = Value::from(events).to_string();
    for secret in [KEY, &seal, "AAAAAAAAAAAAAAAAAAAAAA", "abc", "0123456789abcdef0123"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[cfg(feature = "msgpack")]
#[test]
fn messagepack_is_shown_as_json_with_its_types() {
    let recorder = recorder(&Inspector::new());
    let peer = peer(&recorder);
    let protocol = Protocol::MessagePack;
    let arguments = b"\x93\xc4\x02ab\xd6\xff\0\0\0\x05\xcf\xff\xff\xff\xff\xff\xff\xff\xff";
    let completion = protocol.encode(&Message::Completion {
        invocation_id: "7".to_owned(),
        outcome: Outcome::Result(Bytes::from_static(b"\xc4\x01a")),
    });

    let of = recorder.invoked(&peer, Origin::Client, protocol, (Some("7"), "m"), arguments, false);
    let running = recorder.calls_app(&of, 1, Some(Address::InProcess));
    recorder.answered(running, Some((200, &completion)), Duration::ZERO, None);
    recorder.finished(&of, Finished::Relayed);

    let events = events(&recorder);
    let expected = json!([
        { "$binary": "YWI=", "bytes": 2 },
        { "$time": "1970-01-01T00:00:05Z" },
        { "$int": "18446744073709551615" }
    ]);
    assert_eq!((&events[0]["arguments"], &events[0]["form"]), (&expected, &json!("messagepack")));
    assert_eq!(events[2]["body"][4], json!({ "$binary": "YQ==", "bytes": 1 }));
    assert_eq!(events[3]["result"], json!({ "$binary": "YQ==", "bytes": 1 }));
}

#[test]
fn filters_compare_names_and_failures() {
    let recorder = recorder(&Inspector::new());
    let peer = peer(&recorder);
    call(&peer, "good", b"[]", b"");
    let of = recorder.invoked(&peer, Origin::Client, Protocol::Json, (None, "bad"), b"[]", false);
    let running = recorder.calls_app(&of, 1, Some(Address::Url("http://h/".into())));
    let trouble = Trouble { cause: Some(Cause::NotFound), text: "status 404".into() };
    recorder.answered(running, Some((404, &Bytes::new())), Duration::ZERO, Some(trouble));
    recorder.sent(sent("chat", &Bytes::from_static(b"[]"), &recorder));

    let count = |filter: Filter| recorder.read(0, 100, &filter, Excess::Later).lines.len();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(count(Filter::default()), 8);
    assert_eq!(count(Filter { hub: some("CHAT"), ..Filter::default() }), 8);
    assert_eq!(count(Filter { hub: some("x"), ..Filter::default() }), 0);
    assert_eq!(count(Filter { method: some("good"), ..Filter::default() }), 4);
    assert_eq!(count(Filter { user: some("ada"), ..Filter::default() }), 7);
    assert_eq!(count(Filter { connection: some("c2"), ..Filter::default() }), 0);
    assert_eq!(count(Filter { group: some("room"), ..Filter::default() }), 1);
    assert_eq!(count(Filter { failures: true, ..Filter::default() }), 3);
}

#[test]
fn under_load_calls_and_messages_are_counted_and_not_recorded() {
    let recorder = recorder(&Inspector::new());

    let admitted = (0..20_000).filter(|_| recorder.admits_message(2)).count() as u64;

    let told: Vec<_> = events(&recorder);
    assert!(told.iter().all(|event| event["kind"] == "left_out"), "{told:?}");
    let left_out: u64 = told.iter().map(|event| event["count"].as_u64().unwrap()).sum();
    assert!((4000..=8000).contains(&admitted), "{admitted}");
    assert_eq!(admitted + left_out, 20_000);
    assert!(recorder.averages().messages_per_second > 0.0);
}
