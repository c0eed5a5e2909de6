//! `load` against apps with correct and with faulty responses.

use serde_json::Value;

use crate::{
    app::{App, Request, Response},
    client::token,
    process::{KEY, Running, output},
};

/// An app that responds to `echo` with `response`.
async fn echoing(response: impl Fn(&Request, &str) -> Response + Send + Sync + 'static) -> App {
    App::start(move |request| {
        if request.event() != "echo" {
            return Some(Response::new(200, ""));
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let payload = body["arguments"][0].as_str().unwrap().to_owned();
        Some(response(request, &payload))
    })
    .await
}

/// Returns the report of an echo run with four clients and `--check`.
async fn report(app: &App, more: &[&str]) -> Value {
    report_of(Running::start(&["--upstream", &app.url]).await, more).await
}

async fn report_of(service: Running, more: &[&str]) -> Value {
    let url = format!("http://127.0.0.1:{}/client/?hub=chat", service.port);
    let bearer = token(KEY, service.port, "chat", "ada");
    let mut arguments = vec!["load", &url, "--bearer", &bearer, "--json", "--check"];
    arguments.extend(["--clients", "4", "--seconds", "1", "--warm-up", "0", "--inflight", "2"]);
    arguments.extend(more);
    let (code, out, log) = output(&arguments).await;
    assert_eq!((code, log.as_str()), (0, ""), "{out}");
    serde_json::from_str(&out).unwrap()
}

#[tokio::test]
async fn every_completion_is_counted_once_over_each_transport() {
    let app = echoing(|request, payload| request.completion(payload)).await;

    for transport in ["websockets", "sse", "longpolling"] {
        let report = report(&app, &["--transport", transport]).await;

        assert_eq!(report["transport"], transport);
        assert_eq!(report["clients"], 4);
        assert!(report["messages"].as_u64().unwrap() > 0, "{report}");
        for nothing in ["lost", "duplicated", "errors"] {
            assert_eq!(report[nothing], 0, "{report}");
        }
        for (faster, slower) in [("p50", "p90"), ("p90", "p99"), ("p99", "max")] {
            let time = |name: &str| report["latency"][name].as_u64().unwrap();
            assert!(time(faster) <= time(slower), "{report}");
        }
    }
}

#[tokio::test]
async fn completions_received_twice_are_duplicates() {
    let app = echoing(|request, payload| {
        let once = request.completion(payload);
        Response::new(200, &once.body.repeat(2))
    })
    .await;

    let report = report(&app, &[]).await;

    assert!(report["messages"].as_u64().unwrap() > 0, "{report}");
    assert!(report["duplicated"].as_u64().unwrap() > 0, "{report}");
    assert_eq!((&report["lost"], &report["errors"]), (&0.into(), &0.into()));
}

#[tokio::test]
async fn missing_completions_are_lost() {
    let app = echoing(|_, _| Response::new(200, "{\"type\":6}\u{1e}")).await;

    // Such a service relays a response that is no completion.
    let strict = Running::start(&["--strict", "--upstream", &app.url]).await;
    let report = report_of(strict, &[]).await;

    assert_eq!((&report["messages"], &report["lost"]), (&0.into(), &8.into()));
}

#[tokio::test]
async fn completions_with_other_content_are_errors() {
    let app = echoing(|request, payload| request.completion(&payload.replace('x', "y"))).await;

    let report = report(&app, &[]).await;

    assert_eq!(report["messages"], 0);
    assert!(report["errors"].as_u64().unwrap() > 0);
    assert_eq!(report["errorTexts"][0], "a call failed or returned another value");
}

#[tokio::test]
async fn invalid_combinations_are_refused_with_advice() {
    let url = "http://127.0.0.1:1/bench";
    for (arguments, part) in [
        (&["--transport", "sse", "--protocol", "messagepack"][..], "sse carries text only"),
        (&["--clients", "0"], "--clients must be at least 1"),
        (&["--check", "--payload", "8"], "--check requires a --payload of at least 16 bytes"),
        (&["--slow", "1", "--scenario", "echo"], "--slow requires --transport websockets"),
        (&["--slow", "100", "--scenario", "idle"], "leaves no client that reads"),
        (&["--slow", "200", "--scenario", "idle"], "leaves no client that reads"),
        (&["--rate", "4000000000", "--scenario", "group"], "--rate must be at most 1000000"),
        (&["--window", "18446744073709551615"], "--window must be at most 1048576"),
        (&["--payload", "18446744073709551615"], "--payload must be at most 268435456"),
        (&["--rate", "5", "--scenario", "idle"], "--rate applies to --scenario broadcast"),
        (&["--scenario", "reconnect"], "--scenario reconnect requires the --connection-string"),
        (&["--scenario", "membership"], "--scenario membership requires the --connection-string"),
        (&["--scenario", "membership", "--groups", "0"], "--groups must be at least 1"),
        (&["--rate", "0", "--scenario", "group"], "--rate must be at least 1"),
        (
            &["--connection-string", "x"],
            "applies to --scenario broadcast, group, reconnect and membership, not echo",
        ),
    ] {
        let (code, out, log) = output(&[&["load", url], arguments].concat()).await;

        assert_eq!((code, out.as_str()), (2, ""), "{log}");
        assert!(log.contains(part), "{part} is not in {log}");
    }
    let (code, _, log) = output(&["load", url, "--transport", "pigeons"]).await;
    assert_eq!(code, 2);
    assert!(log.contains("websockets, sse, longpolling"), "{log}");
    let (code, _, log) = output(&["load", "localhost:7071"]).await;
    assert_eq!(code, 2);
    assert!(log.contains("`localhost:7071` is not an http or https URL"), "{log}");
}

#[tokio::test]
async fn an_unreachable_server_is_an_error() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/bench", listener.local_addr().unwrap());
    drop(listener);

    let (code, out, log) = output(&["load", &url, "--clients", "2"]).await;

    assert_eq!((code, out.as_str()), (1, ""));
    assert!(log.contains("Connection refused"), "{log}");
}
