//! Tests of the example under a fake Functions host that speaks the real protocol, with a real service
//! and real clients. They cover a host that is a proxy, forwarded requests, SignalR triggers, and running without a host.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod fake_host;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::HeaderMap,
};
use hub_local::Template;
use serde_json::{Value, json};
use test_support::{Client, RunningService, free_address, within};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::fake_host::{FakeHost, KEY, call, pass_on, start_handler};

/// The example under a host, and a service that calls it by the rules in `azure/upstream.json`.
struct Deployment {
    service: RunningService,
    host: FakeHost,
}

impl Deployment {
    async fn start(folder: &Path) -> Self {
        Self::with(folder, &[]).await
    }

    /// Starts the example with more settings.
    async fn with(folder: &Path, settings: &[(&str, &str)]) -> Self {
        let service = RunningService::start().await;
        let connection = service.connection_string();
        let settings =
            [&[("AzureSignalRConnectionString", connection.as_str())], settings].concat();
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

/// The files that `deploy-files` writes with an option.
fn deployed(option: &str) -> TemporaryFolder {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let folder = TemporaryFolder::new(&COUNT.fetch_add(1, Ordering::Relaxed).to_string());
    let written = Command::new(env!("CARGO_BIN_EXE_functions"))
        .env_clear()
        .env("HUB_LOCAL_PORT", "0")
        .args(["deploy-files", option])
        .arg(&folder.0)
        .output()
        .unwrap();
    assert!(written.status.success(), "{written:?}");
    folder
}

#[tokio::test]
async fn clients_draw_together_through_a_host_that_is_a_proxy() {
    draw_together(&Deployment::start(&example()).await).await;
}

#[tokio::test]
async fn clients_draw_together_through_forwarded_requests() {
    let folder = deployed("--function-json");

    draw_together(&Deployment::start(&folder.0).await).await;
}

async fn draw_together(deployment: &Deployment) {
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
    let folder = deployed("--signalr-triggers");
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

/// A hop between service and host that sends bodies in two chunks, without a length. Returns its origin.
async fn chunking(host: &FakeHost) -> String {
    let port = host.origin.rsplit(':').next().unwrap().parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let hop = move |request: Request| async move {
        let (mut parts, body) = request.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        parts.headers.remove("content-length");
        let (first, second) = (body.slice(..1), body.slice(1..));
        let chunks = [first, second].map(Ok::<_, std::io::Error>);
        let body = Body::from_stream(futures_util::stream::iter(chunks));
        pass_on(port, Request::from_parts(parts, body)).await
    };
    let router = Router::new().fallback(hop);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    origin
}

#[tokio::test]
async fn the_proxy_passes_on_calls_without_a_length_and_the_old_form_drops_their_bodies() {
    let folder = deployed("--function-json");
    for (files, joins) in [(example(), true), (folder.0.clone(), false)] {
        let deployment = Deployment::start(&files).await;
        let origin = chunking(&deployment.host).await;
        deployment.service.set_upstream(templates(&files, &origin));
        let mut ada = deployment.connect().await;

        let joined = ada.invoke("join", json!(["one"])).await;

        assert_eq!(joined.get("error").is_none(), joins, "{joined}");
    }
}

#[tokio::test]
async fn the_app_verifies_the_key_of_the_upstream_function_as_its_code() {
    for (code, error) in [("host/key==", None), ("another key", Some("401"))] {
        let deployment = Deployment::with(&example(), &[("HUB_UPSTREAM_CODE", code)]).await;
        let mut ada = deployment.connect().await;

        let joined = ada.invoke("join", json!(["one"])).await;

        let refused = joined.get("error").and_then(Value::as_str);
        assert_eq!(refused.map(|text| text.contains("401")), error.map(|_| true), "{joined}");
    }
}

#[tokio::test]
async fn the_proxy_passes_on_a_refusal_before_the_body_has_ended() {
    let deployment = Deployment::start(&example()).await;
    let host = deployment.host.origin.strip_prefix("http://").unwrap();
    let mut caller = TcpStream::connect(host).await.unwrap();
    let head = format!(
        "POST /api/signalr?code={KEY} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n"
    );

    caller.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    within("a response", caller.read_exact(&mut answer)).await.unwrap();

    assert_eq!(str::from_utf8(&answer).unwrap(), "HTTP/1.1 401");
}

#[tokio::test]
async fn only_the_upstream_route_needs_the_key_and_the_app_answers_all_other_paths() {
    let deployment = Deployment::start(&example()).await;
    let port = deployment.host.origin.rsplit(':').next().unwrap().parse().unwrap();
    let status = async |method: &str, target: &str| {
        call(port, method, target, &HeaderMap::new(), b"").await.unwrap().status
    };

    let with_key = format!("/API/SignalR?code={KEY}");

    // 404 and 405 are responses of the app. The host knows no path that it could refuse so.
    for (method, target, expected) in [
        ("POST", "/api/signalr", 401),
        ("POST", &with_key, 401),
        ("POST", "/board/negotiate", 200),
        ("POST", "/api/negotiate", 200),
        ("GET", "/board/negotiate", 405),
        ("GET", "/health", 200),
        ("GET", "/elsewhere", 404),
    ] {
        assert_eq!(status(method, target).await, expected, "{method} {target}");
    }
    let refused = call(port, "POST", "/api/signalr", &HeaderMap::new(), b"").await.unwrap();
    let of_app = call(port, "POST", &with_key, &HeaderMap::new(), b"").await.unwrap();
    assert_eq!((refused.body.len(), of_app.body.is_empty()), (0, false));
}

#[tokio::test]
async fn the_body_of_a_trigger_is_no_call_if_it_arrives_through_the_proxy() {
    let deployment = Deployment::start(&example()).await;
    let port = deployment.host.origin.rsplit(':').next().unwrap().parse().unwrap();
    let body = trigger().to_string();

    let called = call(port, "POST", "/board-join", &HeaderMap::new(), body.as_bytes()).await;

    // As for every other unknown path: the app has not read the body as a call of the host.
    assert_eq!(called.unwrap().status, 404);
}

#[tokio::test]
async fn the_example_refuses_functions_of_an_earlier_deployment() {
    let folder = deployed("--function-json");

    let mut command = Command::new(env!("CARGO_BIN_EXE_functions"));
    let refused = command.env_clear().env("HUB_LOCAL_PORT", "0").arg("deploy-files");
    let refused = refused.arg(&folder.0).output().unwrap();

    assert!(!refused.status.success());
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(error.contains("delete their folders, or add --function-json"), "{error}");
}

#[test]
fn the_arguments_of_deploy_files_are_explained_and_nothing_is_written() {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_functions"));
        command.env_clear().env("HUB_LOCAL_PORT", "0").args(arguments).output().unwrap()
    };

    let help = run(&["deploy-files", "--help"]);
    let wrong = run(&["deploy-files", "--triggers"]);

    let usage = "Usage: functions deploy-files [FOLDER] [--container-apps | --function-json | --signalr-triggers]\n\nWrites the files";
    assert!(help.status.success() && help.stdout.starts_with(usage.as_bytes()), "{help:?}");
    assert_eq!(wrong.status.code(), Some(2));
    let error = String::from_utf8(wrong.stderr).unwrap();
    assert!(error.contains("error: unexpected argument `--triggers`\n\nUsage:"), "{error}");
}

/// The body of a call for a `signalRTrigger`, without a signature.
fn trigger() -> Value {
    json!({"Data": {"invocation": {
        "Arguments": ["one"], "Category": "messages", "Event": "join", "Hub": "board",
        "ConnectionId": "conn-0001", "Headers": {
            "X-ASRS-Connection-Id": "conn-0001", "X-ASRS-Hub": "board",
            "X-ASRS-Category": "messages", "X-ASRS-Event": "join",
        },
    }}, "Metadata": {}})
}

#[tokio::test]
async fn every_form_refuses_calls_without_a_signature() {
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
    let trigger = trigger().to_string();

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
    let started: Vec<_> = lines.take(3).collect();

    let negotiated = call(port, "POST", "/board/negotiate", &HeaderMap::new(), b"").await.unwrap();
    let trigger = call(port, "POST", "/board-join", &HeaderMap::new(), b"{}").await.unwrap();

    child.kill().unwrap();
    child.wait().unwrap();
    assert!(started[0].starts_with("SignalR  http://127.0.0.1:"), "{started:?}");
    assert!(started[1].starts_with("Inspect  http://127.0.0.1:"), "{started:?}");
    assert_eq!(started[2], format!("App      http://127.0.0.1:{port}"));
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
