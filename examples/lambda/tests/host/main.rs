//! Tests of the example program: under a fake Lambda that speaks the real protocol, with a real service and
//! clients, and as an HTTP server without Lambda.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod fake_lambda;

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use hub_local::Template;
use serde_json::json;
use test_support::{
    Client, RunningService, free_address,
    http_client::{self, HttpResponse},
};

use crate::fake_lambda::{FakeLambda, event, start};
use axum::http;

/// The function, and a service that calls its URL.
struct Deployment {
    service: RunningService,
    function: FakeLambda,
}

impl Deployment {
    async fn start() -> Self {
        let service = RunningService::start().await;
        let connection = service.connection_string();
        let function =
            FakeLambda::start(&[("AzureSignalRConnectionString", connection.as_str())]).await;
        let url = format!("{}/runtime/webhooks/signalr", function.url);
        service.set_upstream([Template::new(url).unwrap()]);
        Self { service, function }
    }

    /// Negotiates at the function URL like a client, and connects to the service.
    async fn connect(&self, protocol: &str) -> Client {
        let address = self.function.url.trim_start_matches("http://");
        let negotiated = post(address, "/talk/negotiate?negotiateVersion=1", "").await;
        assert_eq!(negotiated.status, 200);
        let mut client = self.service.connect(&negotiated.json());
        client.handshake_as(protocol).await;
        client
    }
}

/// Sends a request with the headers of an upstream call, but without a signature.
async fn post(address: &str, target: &str, body: &str) -> HttpResponse {
    let headers = [
        ("Content-Type", "application/json"),
        ("X-ASRS-Connection-Id", "c"),
        ("X-ASRS-Hub", "talk"),
        ("X-ASRS-Category", "messages"),
        ("X-ASRS-Event", "join"),
    ];
    http_client::send(address, "POST", target, &headers, body.as_bytes()).await
}

#[tokio::test]
async fn clients_react_through_function_url_events() {
    let deployment = Deployment::start().await;
    let (mut ada, mut bob) = (deployment.connect("json").await, deployment.connect("json").await);
    for client in [&mut ada, &mut bob] {
        assert_eq!(client.invoke_among_others("join", json!(["rust"])).await.0.get("error"), None);
    }

    let (answer, seen) = ada.invoke_among_others("react", json!(["rust", "👏"])).await;

    assert_eq!(answer.get("error"), None);
    assert_eq!((seen.len(), &seen[0]["arguments"]), (1, &json!(["👏"])));
    assert_eq!(bob.recv().await["target"], "reacted");
    let (refused, _) = bob.invoke_among_others("react", json!(["rust", 7])).await;
    assert!(refused["error"].as_str().unwrap().starts_with("argument 2 (`reaction`)"), "{refused}");
}

#[tokio::test]
async fn binary_bodies_work_in_both_directions() {
    let deployment = Deployment::start().await;
    let mut client = deployment.connect("messagepack").await;
    // [1, {}, "7", "join", ["rust"], []] and [3, {}, "7", 3, null], each with a length prefix.
    let call = b"\x11\x96\x01\x80\xa17\xa4join\x91\xa4rust\x90";

    client.memory().send(call.to_vec()).await.unwrap();

    let done = b"\x07\x95\x03\x80\xa17\x03\xc0";
    loop {
        let bytes = client.memory().recv().await.expect("the connection ended");
        // Skip pings.
        if bytes[..] != *b"\x02\x91\x06" {
            assert_eq!(bytes[..], done[..]);
            break;
        }
    }
}

#[tokio::test]
async fn a_call_that_the_service_did_not_sign_is_refused() {
    let deployment = Deployment::start().await;
    let address = deployment.function.url.trim_start_matches("http://").to_owned();
    let body = r#"{"type":1,"invocationId":"1","target":"join","arguments":["rust"]}"#;

    let answer = post(&address, "/runtime/webhooks/signalr", body).await;

    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn a_refresh_reaches_the_hub_which_has_none() {
    let deployment = Deployment::start().await;
    let address = deployment.function.url.trim_start_matches("http://").to_owned();

    let answer = post(&address, "/talk/refresh?negotiateVersion=1", "").await;

    assert_eq!((answer.status, &answer.json()["error"]), (404, &json!("refresh_disabled")));
}

#[tokio::test]
async fn the_stage_of_an_http_api_is_not_part_of_the_path() {
    let deployment = Deployment::start().await;
    let path = "/prod/talk/negotiate".parse().unwrap();
    let mut event = event(&http::Method::POST, &path, &http::HeaderMap::new(), b"");
    event["requestContext"]["stage"] = json!("prod");

    let answer = deployment.function.events.invoke(event).await.unwrap();

    assert_eq!(answer["statusCode"], 200, "{answer}");
}

#[tokio::test]
async fn events_of_other_kinds_get_an_answer_with_the_fix() {
    let deployment = Deployment::start().await;
    let version_1 = json!({ "version": "1.0", "httpMethod": "POST", "path": "/talk/negotiate",
        "requestContext": { "stage": "prod" } });
    let balancer = json!({ "httpMethod": "POST", "path": "/talk/negotiate",
        "requestContext": { "elb": { "targetGroupArn": "arn" } } });

    for (event, fix) in [
        (version_1, "set the payload format of the HTTP API to 2.0"),
        (balancer, "use a function URL"),
    ] {
        let answer = deployment.function.events.invoke(event).await.unwrap();

        assert_eq!(answer["statusCode"], 501);
        assert!(answer["body"].as_str().unwrap().contains(fix), "{answer}");
    }
}

#[tokio::test]
async fn without_its_setting_the_function_does_not_start() {
    let mut child = start(&[("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")], &[]);

    assert!(!child.wait().unwrap().success());
}

#[tokio::test]
async fn without_lambda_the_example_serves_http_with_the_local_service() {
    let port = free_address().await.port();
    let mut child = Command::new(env!("CARGO_BIN_EXE_bootstrap"))
        .env_clear()
        .envs([("PORT", port.to_string().as_str()), ("HUB_LOCAL_PORT", "0")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let started: Vec<_> = lines.take(2).collect();

    let negotiated = post(&format!("127.0.0.1:{port}"), "/talk/negotiate", "").await;

    child.kill().unwrap();
    child.wait().unwrap();
    assert!(started[0].starts_with("SignalR  http://127.0.0.1:"), "{started:?}");
    assert_eq!(negotiated.status, 200);
}
