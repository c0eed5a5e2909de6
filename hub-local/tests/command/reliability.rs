//! The scenarios of `benches/reliability` with few clients and short durations. Service and load
//! tool run in separate processes.

use serde_json::Value;

use crate::{
    app::{App, Response},
    client::token,
    process::{KEY, Running, output},
};

/// Runs a load and returns its report. No message may be lost or duplicated, and no call may fail.
async fn load(service: &Running, options: &str) -> Value {
    let url = format!("http://127.0.0.1:{}/client/?hub=chat", service.port);
    let text =
        format!("Endpoint=http://127.0.0.1;Port={};AccessKey={KEY};Version=1.0;", service.port);
    let mut arguments = vec!["load", &url, "--json", "--warm-up", "0", "--scenario"];
    arguments.extend(options.split(' '));
    if !options.starts_with("echo") {
        arguments.extend(["--connection-string", &text]);
    }
    let (code, out, log) = output(&arguments).await;
    assert_eq!((code, log.as_str()), (0, ""), "{out}");
    let report: Value = serde_json::from_str(&out).unwrap();
    for nothing in ["lost", "duplicated", "errors"] {
        assert_eq!(report[nothing], 0, "{report}");
    }
    report
}

/// Asserts a bound on the peak memory, where the system reports it.
fn assert_bounded(service: &Running, kib: usize) {
    if let Some(peak) = service.peak() {
        assert!(peak <= kib, "{peak} KiB, more than the bound of {kib} KiB");
    }
}

#[tokio::test]
async fn long_lived_clients_get_every_broadcast_and_completion_once() {
    let app = App::start(|request| {
        if request.event() != "echo" {
            return Some(Response::new(200, ""));
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        Some(request.completion(body["arguments"][0].as_str().unwrap()))
    })
    .await;
    let service = Running::start(&["--upstream", &app.url]).await;
    let bearer = token(KEY, service.port, "chat", "ada");
    let echo = format!("echo --clients 20 --rate 100 --seconds 2 --check --bearer {bearer}");

    let (broadcasts, calls) = tokio::join!(
        load(&service, "broadcast --clients 180 --rate 50 --seconds 2 --check"),
        load(&service, &echo),
    );

    assert_eq!((&broadcasts["clients"], &calls["clients"]), (&180.into(), &20.into()));
    // A slow machine may stay below the rate but must not exceed it. Pending messages are added to
    // the bound.
    let is_paced = |report: &Value, rate: f64, more: f64, each: f64| {
        let messages = report["messages"].as_f64().unwrap();
        let most = rate * report["seconds"].as_f64().unwrap() + more;
        (each..=most.ceil() * each).contains(&messages)
    };
    assert!(is_paced(&broadcasts, 50.0, 64.0, 180.0), "{broadcasts}");
    assert!(is_paced(&calls, 100.0, 20.0 * 8.0, 1.0), "{calls}");
}

#[tokio::test]
async fn in_a_broadcast_storm_clients_that_never_read_are_closed_and_memory_is_bounded() {
    let service = Running::start(&[]).await;
    let base = service.peak().unwrap_or_default();

    let options = "broadcast --clients 20 --slow 20 --payload 65536 --window 8 --seconds 4";
    let report = load(&service, options).await;

    assert_eq!((&report["clients"], &report["slow"]), (&20.into(), &4.into()));
    assert_eq!(report["slowClosed"], 4);
    service.log.line("closed: slow client, its outbox was full").await;
    let log = service.log.text();
    assert_eq!(log.matches("closed: slow client").count(), 4, "{log}");
    assert_eq!(log.matches("cause=\"slow_client\"").count(), 4, "{log}");
    // The bound in KiB is the sum of eight REST bodies, 20 connections, the log, the part of the
    // log that each of the four slow clients may retain, and the events of the inspector. Usage may
    // exceed the limits of the log and of each part by one segment and one message.
    let (bodies, connections, log, inspector) = (8 * 1024, 20 * 16, 1024 + 64 + 64, 8 * 1024);
    assert_bounded(&service, base + bodies + connections + (1 + 4) * log + inspector);
}

#[tokio::test]
async fn clients_that_never_read_and_stay_connected_are_not_counted_as_closed() {
    let service = Running::start(&[]).await;

    let report = load(&service, "broadcast --clients 4 --slow 50 --rate 10 --seconds 1").await;

    assert_eq!((&report["slow"], &report["slowClosed"]), (&2.into(), &0.into()));
}

#[tokio::test]
async fn clients_that_all_lose_their_sockets_reconnect_and_get_every_message() {
    let service = Running::start(&[]).await;

    let report = load(&service, "reconnect --clients 200 --rounds 2").await;

    assert_eq!((&report["clients"], &report["operations"]), (&200.into(), &400.into()));
    assert_eq!(report["messages"], 2 * 200 * 10);
    assert!(report["operation"]["max"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn group_members_are_exact_after_many_joins_and_leaves() {
    let service = Running::start(&[]).await;

    let report = load(&service, "membership --clients 60 --groups 20 --rounds 2").await;

    // Each membership is added and removed once per round.
    assert_eq!(report["operations"], 2 * 2 * 60 * 20);
    // Per round: one message per membership with all members and with half of them, and one to all
    // clients after each of the three steps.
    assert_eq!(report["messages"], 2 * (60 * 20 + 60 * 20 / 2 + 3 * 60));
}
