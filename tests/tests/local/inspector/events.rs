//! The events of conversations, and how they are read.

use http::header;
use hub_local::{Inspector, UpstreamError};
use serde_json::{Value, json};

use super::{Inspected, connect, follow, invoke, read_until, refusal};
use crate::support::{App, answer};

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["kind"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_call_of_a_client_is_seen_from_connect_to_completion() {
    let inspected = Inspected::new(Inspector::new());
    let (mut client, id) = inspected.fixture.client_and_id("ada").await;

    invoke(&mut client, "7", "add", json!([1, 2])).await;
    inspected.fixture.send("groups/room/:send", "hi").await;

    let events = inspected.events().await;
    assert_eq!(
        kinds(&events),
        [
            "connected",
            "upstream",
            "answer",
            "invocation",
            "upstream",
            "answer",
            "completion",
            "send"
        ]
    );
    let calls: Vec<_> = events.iter().map(|event| event["call"].as_u64()).collect();
    assert_eq!(calls[..7], [1, 1, 1, 2, 2, 2, 2].map(Some));
    assert!(events[..7].iter().all(|event| event["connection"] == id && event["user"] == "ada"));
    assert_eq!(events[1]["category"], "connections");
    assert_eq!(events[3]["arguments"], json!([1, 2]));
    assert_eq!((&events[5]["status"], &events[6]["result"]), (&json!(200), &json!(3)));
    assert_eq!((&events[7]["via"], &events[7]["recipients"]), (&json!("embedded"), &json!(0)));
    assert_eq!(events[7]["arguments"], json!(["hi"]));
    let seqs: Vec<_> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=8).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_send_during_a_call_names_the_call_and_its_receivers() {
    let (begun, done) = (
        std::sync::Arc::new(tokio::sync::Notify::new()),
        std::sync::Arc::new(tokio::sync::Notify::new()),
    );
    let (begin, end) = (begun.clone(), done.clone());
    let app = App::new(move |call| {
        let (begin, end) = (begin.clone(), end.clone());
        async move {
            if call.event == "slow" {
                begin.notify_one();
                end.notified().await;
            }
            super::sum(&call)
        }
    });
    let inspected = Inspected::with(Inspector::new(), app);
    let mut client = inspected.fixture.client("ada").await;

    client
        .send(&json!({ "type": 1, "invocationId": "1", "target": "slow", "arguments": [] }))
        .await;
    begun.notified().await;
    inspected.fixture.send("users/ada/:send", "while it runs").await;
    done.notify_one();
    client.recv().await;
    client.recv().await;

    let call = inspected.events_of("invocation").await[0]["call"].clone();
    let send = &inspected.events_of("send").await[0];
    assert_eq!((&send["calls"], &send["recipients"]), (&json!([call]), &json!(1)));
    assert_eq!(send["target"], json!({ "kind": "user", "name": "ada" }));
}

#[tokio::test]
async fn a_failed_call_has_its_cause_and_what_to_check() {
    let inspected = Inspected::with(
        Inspector::new(),
        App::failing(|call| async move {
            match call.event.as_str() {
                "missing" => Ok(answer(404, "no such method")),
                "slow" => Err(UpstreamError::TimedOut),
                _ => Ok(answer(200, "")),
            }
        }),
    );
    let mut client = inspected.fixture.client("ada").await;

    invoke(&mut client, "1", "missing", json!([])).await;
    invoke(&mut client, "2", "slow", json!([])).await;

    let failures = inspected.get("/inspector/events?follow=0&failures=1").await;
    let text = str::from_utf8(&failures.body).unwrap();
    let failures: Vec<Value> = text.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    let answers: Vec<_> = failures.iter().filter(|it| it["kind"] == "answer").collect();
    assert_eq!(
        (&answers[0]["status"], &answers[0]["body"]),
        (&json!(404), &json!("no such method"))
    );
    assert!(answers[0]["fix"].as_str().unwrap().contains("hub and event"));
    assert_eq!((&answers[0]["failed"], &answers[0]["cause"]), (&json!(true), &json!("not_found")));
    assert!(answers[1].get("status").is_none());
    assert!(answers[1]["text"].as_str().unwrap().contains("did not respond in time"));
    let completions = inspected.events_of("completion").await;
    assert_eq!(completions[0]["error"], "Invocation failed, status code 404");
    let app = inspected.state().await["stations"]["apps"][0].clone();
    assert_eq!(app["reachable"], false);
    assert!(app["last_error"]["fix"].as_str().unwrap().contains("breakpoint"));
}

#[tokio::test]
async fn a_refused_handshake_and_the_end_of_a_connection_are_events() {
    let inspected = Inspected::new(Inspector::new());

    let mut client = connect(&inspected);
    client.send_text("{\"protocol\":\"other\",\"version\":1}\u{1e}").await;
    client.recv().await;
    let (client, id) = inspected.fixture.client_and_id("ada").await;
    drop(client);
    inspected.fixture.app.called("disconnected").await;

    let refused = &inspected.events_of("refused").await[0];
    assert_eq!((&refused["what"], &refused["user"]), (&json!("handshake"), &json!("ada")));
    assert!(refused["text"].as_str().unwrap().contains("'other' is not supported"));
    assert_eq!(refused["cause"], "handshake");
    let ended = &inspected.events_of("disconnected").await[0];
    assert_eq!(ended["connection"], id);
    assert!(ended["ms"].as_f64().unwrap() >= 0.0);
}

#[tokio::test]
async fn events_are_followed_as_server_sent_events() {
    let inspected = Inspected::new(Inspector::new());
    let mut client = inspected.fixture.client("ada").await;

    let (headers, mut body) = follow(&inspected, "/inspector/events?after=1").await;
    assert_eq!(headers[header::CONTENT_TYPE], "text/event-stream");
    let instance = headers["x-inspector-instance"].to_str().unwrap().to_owned();
    assert_eq!(inspected.state().await["instance"], instance);
    let first = read_until(&mut body, "id: 3\n").await;
    assert!(first.starts_with(&format!(": instance {instance}\n\nid: 2\ndata: {{")), "{first}");

    invoke(&mut client, "7", "add", json!([1])).await;

    let next = read_until(&mut body, "\"kind\":\"completion\"").await;
    assert!(next.contains("\"kind\":\"invocation\""), "{next}");
}

#[tokio::test]
async fn events_are_read_as_lines_that_end_or_follow() {
    let inspected = Inspected::new(Inspector::new());
    let mut client = inspected.fixture.client("ada").await;
    let accept = |path: &str| {
        let mut request = inspected.request(http::Method::GET, path, "");
        request.headers_mut().insert(header::ACCEPT, "application/x-ndjson".parse().unwrap());
        request
    };

    let ended = inspected.send(accept("/inspector/events")).await;
    assert_eq!(ended.headers[header::CONTENT_TYPE], "application/x-ndjson");
    assert_eq!(str::from_utf8(&ended.body).unwrap().lines().count(), 3);

    let mut service = inspected.fixture.service.clone();
    let request = accept("/inspector/events?follow=1&after=3&method=add");
    let response = tower_service::Service::call(&mut service, request).await.unwrap();
    let mut body = response.into_body();
    invoke(&mut client, "7", "other", json!([])).await;
    invoke(&mut client, "8", "add", json!([])).await;
    let lines = read_until(&mut body, "completion").await;
    assert!(
        lines.lines().all(|it| serde_json::from_str::<Value>(it).unwrap()["call"] == 3),
        "{lines}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reader_without_events_gets_a_comment_every_15_seconds() {
    let inspected = Inspected::new(Inspector::new());
    let (_, mut body) = follow(&inspected, "/inspector/events").await;
    read_until(&mut body, "instance").await;
    let begun = tokio::time::Instant::now();

    assert_eq!(read_until(&mut body, ":").await, ": \n\n");

    assert_eq!(begun.elapsed().as_secs(), 15);
}

#[tokio::test]
async fn a_slow_reader_costs_no_memory_and_is_told_what_it_missed() {
    let inspected = Inspected::new(Inspector::new());
    let (_, mut body) = follow(&inspected, "/inspector/events").await;
    read_until(&mut body, "instance").await;

    for _ in 0..3000 {
        inspected.fixture.send(":send", "x").await;
    }

    let text = read_until(&mut body, "\"seq\":3000,").await;
    let events: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
        .collect();
    let missed = events.iter().filter(|event| event["kind"] == "left_out");
    let missed: u64 = missed.map(|event| event["count"].as_u64().unwrap()).sum();
    let seen = events.iter().filter(|event| event["kind"] == "send").count() as u64;
    assert!(missed > 0);
    assert_eq!(missed + seen, 3000);
}

#[tokio::test]
async fn at_most_16_readers_follow_and_a_restart_begins_anew() {
    let inspected = Inspected::new(Inspector::new());
    let mut readers = Vec::new();
    for _ in 0..16 {
        readers.push(follow(&inspected, "/inspector/events").await);
    }

    refusal(&inspected.get("/inspector/events").await, 503);
    readers.pop();
    crate::support::settle().await;
    let (_, mut body) = follow(&inspected, "/inspector/events?after=99999").await;
    read_until(&mut body, "instance").await;
    inspected.fixture.send(":send", "x").await;
    assert!(read_until(&mut body, "send").await.contains("id: 1\n"));
}

#[tokio::test]
async fn invalid_queries_of_a_reader_are_refused() {
    let inspected = Inspected::new(Inspector::new());

    for query in ["after=x", "after=-1", "follow=maybe", "failures=2"] {
        refusal(&inspected.get(&format!("/inspector/events?{query}")).await, 400);
    }
}

#[tokio::test]
async fn a_service_that_stops_ends_its_readers() {
    let inspected = Inspected::new(Inspector::new());
    let (_, mut body) = follow(&inspected, "/inspector/events").await;
    read_until(&mut body, "instance").await;

    inspected.fixture.service.shutdown().await;

    let rest = http_body_util::BodyExt::collect(&mut body);
    assert!(test_support::within("the end", rest).await.is_ok());
}

#[tokio::test]
async fn each_refusal_of_clients_and_callers_is_an_event_with_its_cause() {
    let inspected = Inspected::with(
        Inspector::new(),
        App::new(|call| async move {
            match call.event.as_str() {
                "wrong" => answer(200, "no completion"),
                _ => super::sum(&call),
            }
        }),
    );
    let service = &inspected.fixture.service;
    let url = |query: &str| format!("{}/client/?{query}", crate::support::URL);
    let token = crate::support::client_token("ada");
    let mut client = inspected.fixture.client("ada").await;

    assert!(service.connect_memory(&url("hub=chat"), "not a token").is_err());
    assert!(service.connect_memory(&url("hub=other"), &token).is_err());
    assert!(service.connect_memory(&url("hub=chat&id=unknown"), &token).is_err());
    inspected.fixture.status(http::Method::GET, "nothing").await;
    client.send(&json!({ "type": 4, "invocationId": "1", "target": "m", "arguments": [] })).await;
    client.recv().await;
    invoke(&mut client, "2", " ", json!([])).await;
    invoke(&mut client, "3", "wrong", json!([])).await;

    let refused = inspected.events_of("refused").await;
    let found: Vec<_> = refused
        .iter()
        .map(|event| (event["what"].as_str().unwrap(), event["cause"].as_str().unwrap()))
        .collect();
    let expected = [
        ("token", "invalid_token"),
        ("token", "wrong_audience"),
        ("connect", "unknown_connection"),
        ("rest", "unknown_operation"),
        ("call", "streams"),
        ("call", "refused_name"),
        ("call", "no_completion"),
    ];
    assert_eq!(found, expected);
    assert!(refused.iter().all(|event| !event["fix"].as_str().unwrap().is_empty()));
    assert_eq!(refused[1]["hub"], "other");
    assert_eq!((&refused[3]["hub"], &refused[3]["status"]), (&json!("chat"), &json!(404)));
    let call = &inspected.events_of("invocation").await[0]["call"];
    assert_eq!(&refused[6]["call"], call);
}

#[tokio::test]
async fn groups_lists_and_calls_of_clients_are_events() {
    let inspected = Inspected::new(Inspector::new());
    let (mut client, id) = inspected.fixture.client_and_id("ada").await;

    for (method, below) in [
        (http::Method::PUT, format!("groups/room/connections/{id}")),
        (http::Method::DELETE, format!("groups/room/connections/{id}")),
        (http::Method::PUT, "users/ada/groups/team?ttl=60".to_owned()),
        (http::Method::DELETE, "users/ada/groups/team".to_owned()),
        (http::Method::DELETE, format!("connections/{id}/groups")),
        (http::Method::DELETE, "users/ada/groups".to_owned()),
    ] {
        assert!(inspected.fixture.status(method, &below).await < 300, "{below}");
    }
    let list = r#"[{"type":"SendMessage","message":{"target":"m","arguments":[5]}}]"#;
    assert_eq!(inspected.fixture.post(":execute", list).await.status, 202);
    client.recv().await;
    let answering = async {
        let call = client.recv().await;
        client.complete(&call, json!(7)).await;
    };
    let invoking = format!("connections/{id}/:invoke");
    let invoking = inspected.fixture.post(&invoking, r#"{"target":"ask","arguments":[]}"#);
    let (answer, ()) = futures_util::join!(invoking, answering);
    assert_eq!(answer.json(), json!({ "result": 7 }));

    let groups = inspected.events_of("group").await;
    let shown: Vec<_> = groups
        .iter()
        .map(|it| json!([it["action"], it.get("group"), it.get("user"), it.get("ttl_seconds")]))
        .collect();
    let expected = [
        json!(["join", "room", null, null]),
        json!(["leave", "room", null, null]),
        json!(["join", "team", "ada", 60]),
        json!(["leave", "team", "ada", null]),
        json!(["leave", null, null, null]),
        json!(["leave", null, "ada", null]),
    ];
    assert_eq!(shown, expected);
    let sends = inspected.events_of("send").await;
    assert_eq!((&sends[0]["target"]["kind"], &sends[0]["recipients"]), (&json!("list"), &json!(1)));
    assert_eq!((&sends[1]["method"], &sends[1]["target"]["name"]), (&json!("ask"), &json!(id)));
}
