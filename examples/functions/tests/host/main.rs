//! Tests of the example under a fake Functions host that speaks the real protocol, with a real service
//! and real clients. They cover forwarded requests, SignalR triggers, and running without a host.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod fake_host;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Command,
};

use axum::http::HeaderMap;
use hub_local::Template;
use serde_json::{Value, json};
use test_support::{Client, RunningService, free_address};

use crate::fake_host::{FakeHost, KEY, call, start_handler};

/// The example under a host, and a service that calls it by the rules in `azure/upstream.json`.
struct Deployment {
    service: RunningService,
    host: FakeHost,
}

impl Deployment {
    async fn start(folder: &Path) -> Self {
        let service = RunningService::start().await;
        let connection = service.connection_string();
        let settings = [("AzureSignalRConnectionString", connection.as_str())];
        let host = FakeHost::start(folder, &settings).await;
        service.set_upstream(templates(folder, &host.origin));
        Self { service, host }
    }

    /// Negotiates through the host like a client, and connects to the service.
    async fn connect(&self) -> Client {
        let mut headers = HeaderMap::new();
        headers.insert("x-ms-client-principal-id", "eve".parse().unwrap());
        let port = self.host.origin.rsplit(':').next().unwrap().parse().unwrap();
        let target = "/board/negotiate?negotiateVersion=1";
        let negotiated = call(port, "POST", target, &headers, b"").await.unwrap();
        assert_eq!(negotiated.status, 200);
        let mut client = self.service.connect(&negotiated.json());
        client.handshake().await;
        client
    }
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The rules in `azure/upstream.json`, with the address and key of the host filled in, as the deployment
/// template does.
fn templates(folder: &Path, origin: &str) -> Vec<Template> {
    let rules = fs::read_to_string(folder.join("azure/upstream.json")).unwrap();
    let rules: Vec<Value> = serde_json::from_str(&rules).unwrap();
    let rule = |rule: &Value| {
        let [url, hubs, categories, events] =
            ["urlTemplate", "hubPattern", "categoryPattern", "eventPattern"]
                .map(|name| rule[name].as_str().unwrap());
        let url = url.replace("{origin}", origin).replace("{key}", KEY);
        Template::new(url).unwrap().hubs(hubs).categories(categories).events(events)
    };
    rules.iter().map(rule).collect()
}

fn line() -> Value {
    json!({"colour": "red", "points": [[0.0, 0.5], [1.0, 0.5]]})
}

#[tokio::test]
async fn clients_draw_together_through_forwarded_requests() {
    let deployment = Deployment::start(&example()).await;
    let (mut ada, mut bob) = (deployment.connect().await, deployment.connect().await);
    for client in [&mut ada, &mut bob] {
        assert_eq!(client.invoke("join", json!(["one"])).await.get("error"), None);
    }

    let drawn = ada.invoke("draw", json!(["one", line()])).await;

    assert_eq!(drawn["result"], 2);
    let seen = bob.recv().await;
    assert_eq!((&seen["target"], &seen["arguments"]), (&json!("drawn"), &json!([line(), null])));
    // Outside App Service, `x-ms-client-principal-id` is ignored, so the client has no user id.
    let refused = bob.invoke("clear", json!(["one"])).await;
    assert!(refused["error"].as_str().unwrap().starts_with("403 Forbidden"), "{refused}");
}

#[tokio::test]
async fn clients_draw_together_through_signalr_triggers() {
    let folder = TemporaryFolder::new("triggers");
    let written = Command::new(env!("CARGO_BIN_EXE_functions"))
        .env_clear()
        .env("HUB_LOCAL_PORT", "0")
        .args(["deploy-files", "--signalr-triggers"])
        .arg(&folder.0)
        .output()
        .unwrap();
    assert!(written.status.success(), "{written:?}");
    let deployment = Deployment::start(&folder.0).await;
    let (mut ada, mut bob) = (deployment.connect().await, deployment.connect().await);
    for client in [&mut ada, &mut bob] {
        assert_eq!(client.invoke("join", json!(["one"])).await.get("error"), None);
    }

    let drawn = ada.invoke("draw", json!(["one", line()])).await;

    assert_eq!(drawn["result"], 2);
    assert_eq!(bob.recv().await["arguments"], json!([line(), null]));
    let refused = bob.invoke("draw", json!(["one"])).await;
    assert_eq!(
        refused["error"],
        "Response status code does not indicate success: 500 (argument 2 (`line`) is missing)."
    );
}

#[test]
fn the_arguments_of_deploy_files_are_explained_and_nothing_is_written() {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_functions"));
        command.env_clear().env("HUB_LOCAL_PORT", "0").args(arguments).output().unwrap()
    };

    let help = run(&["deploy-files", "--help"]);
    let wrong = run(&["deploy-files", "--triggers"]);

    let usage = "Usage: functions deploy-files [FOLDER] [--signalr-triggers]\n\nWrites the files";
    assert!(help.status.success() && help.stdout.starts_with(usage.as_bytes()), "{help:?}");
    assert_eq!(wrong.status.code(), Some(2));
    let error = String::from_utf8(wrong.stderr).unwrap();
    assert!(error.contains("error: unexpected argument `--triggers`\n\nUsage:"), "{error}");
}

#[tokio::test]
async fn both_forms_refuse_calls_without_a_signature() {
    let deployment = Deployment::start(&example()).await;
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("x-asrs-connection-id", "conn-0001"),
        ("x-asrs-hub", "board"),
        ("x-asrs-category", "messages"),
        ("x-asrs-event", "join"),
        ("x-asrs-signature", "sha256=00"),
        ("content-type", "application/json"),
        ("x-azure-functions-invocationid", "1"),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
    let body = br#"{"type":1,"invocationId":"1","target":"join","arguments":["one"]}"#;
    let trigger = json!({"Data": {"invocation": {
        "Arguments": ["one"], "Category": "messages", "Event": "join", "Hub": "board",
        "ConnectionId": "conn-0001", "Headers": {
            "X-ASRS-Connection-Id": "conn-0001", "X-ASRS-Hub": "board",
            "X-ASRS-Category": "messages", "X-ASRS-Event": "join",
        },
    }}, "Metadata": {}})
    .to_string();

    let forwarded =
        call(deployment.host.handler, "POST", "/api/signalr", &headers, body).await.unwrap();
    let called = call(deployment.host.handler, "POST", "/board-join", &headers, trigger.as_bytes());

    assert_eq!(forwarded.status, 401);
    assert_eq!(called.await.unwrap().status, 401);
}

#[tokio::test]
async fn without_a_host_the_example_serves_http_with_the_local_service() {
    let port = free_address().await.port();
    let mut child = start_handler(&[("PORT", &port.to_string()), ("HUB_LOCAL_PORT", "0")], &[]);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let started: Vec<_> = lines.take(2).collect();

    let negotiated = call(port, "POST", "/board/negotiate", &HeaderMap::new(), b"").await.unwrap();
    let trigger = call(port, "POST", "/board-join", &HeaderMap::new(), b"{}").await.unwrap();

    child.kill().unwrap();
    child.wait().unwrap();
    assert!(started[0].starts_with("SignalR  http://127.0.0.1:"), "{started:?}");
    assert_eq!(started[1], format!("App      http://127.0.0.1:{port}"));
    assert_eq!((negotiated.status, trigger.status), (200, 404));
}

#[tokio::test]
async fn in_the_cloud_the_example_does_not_start_without_its_setting() {
    let variables = [("FUNCTIONS_CUSTOMHANDLER_PORT", "0"), ("FUNCTIONS_WORKER_RUNTIME", "custom")];

    let mut child = start_handler(&variables, &[]);

    assert!(!child.wait().unwrap().success());
}

/// A temporary folder, deleted on drop.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        // An earlier run may have left the folder behind.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
