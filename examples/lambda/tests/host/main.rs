//! The example program under a fake Lambda that speaks the real protocol, with a real service and clients;
//! and without Lambda.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod fake_lambda;

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use hub_local::{HttpUpstream, LocalService, MemoryConnection, Template};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::fake_lambda::{FakeLambda, start};

/// The function, and a service that calls its URL.
struct World {
    service: LocalService,
    function: FakeLambda,
    serving: JoinHandle<()>,
}

impl World {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = HttpUpstream::with_templates([]);
        let service = LocalService::builder()
            .upstream(upstream.clone())
            .public_url(format!("http://{}", listener.local_addr().unwrap()))
            .build();
        let serve = service.serve(listener);
        let serving = tokio::spawn(async move { serve.await.unwrap() });
        let connection = service.connection_string();
        let function =
            FakeLambda::start(&[("AzureSignalRConnectionString", connection.expose())]).await;
        let url = format!("{}/runtime/webhooks/signalr", function.url);
        upstream.replace([Template::new(url).unwrap()]);
        Self { service, function, serving }
    }

    /// Negotiates at the function URL like a client, and connects to the service.
    async fn connect(&self, protocol: &str) -> Client {
        let address = self.function.url.trim_start_matches("http://");
        let negotiated = post(address, "/talk/negotiate?negotiateVersion=1", "").await;
        let (head, body) = negotiated.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{negotiated}");
        let info: Value = serde_json::from_str(body).unwrap();
        let [url, token] = ["url", "accessToken"].map(|name| info[name].as_str().unwrap());
        let connection = self.service.connect_memory(url, token).unwrap();
        let mut client = Client(connection, VecDeque::new(), 0);
        client.write(&json!({"protocol": protocol, "version": 1})).await;
        assert_eq!(client.read().await, json!({}));
        client
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A client, buffered messages, and the number of calls it has made.
struct Client(MemoryConnection, VecDeque<Value>, u32);

impl Client {
    async fn write(&mut self, message: &Value) {
        self.0.send(format!("{message}\u{1e}")).await.unwrap();
    }

    /// The next message that is not a ping.
    async fn read(&mut self) -> Value {
        loop {
            while let Some(message) = self.1.pop_front() {
                if message["type"] != 6 {
                    return message;
                }
            }
            let bytes = self.0.recv().await.expect("the connection ended");
            let records = std::str::from_utf8(&bytes).unwrap().split_terminator('\u{1e}');
            self.1.extend(records.map(|record| serde_json::from_str::<Value>(record).unwrap()));
        }
    }

    /// Calls a method. Returns the response, and the messages that came before it.
    async fn invoke(&mut self, method: &str, arguments: Value) -> (Value, Vec<Value>) {
        self.2 += 1;
        let id = self.2.to_string();
        let call = json!({"type": 1, "invocationId": id, "target": method, "arguments": arguments});
        self.write(&call).await;
        let mut before = Vec::new();
        loop {
            let message = self.read().await;
            if message["type"] == 3 {
                return (message, before);
            }
            before.push(message);
        }
    }
}

/// One request. Returns the whole response as text.
async fn post(address: &str, target: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let request = format!(
        "POST {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\nX-ASRS-Connection-Id: c\r\nX-ASRS-Hub: talk\r\nX-ASRS-Category: messages\r\nX-ASRS-Event: join\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn an_audience_reacts_through_events_of_a_function_url() {
    let world = World::start().await;
    let (mut ada, mut bob) = (world.connect("json").await, world.connect("json").await);
    for client in [&mut ada, &mut bob] {
        assert_eq!(client.invoke("join", json!(["rust"])).await.0.get("error"), None);
    }

    let (answer, seen) = ada.invoke("react", json!(["rust", "👏"])).await;

    assert_eq!(answer.get("error"), None);
    assert_eq!((seen.len(), &seen[0]["arguments"]), (1, &json!(["👏"])));
    assert_eq!(bob.read().await["target"], "reacted");
    let (refused, _) = bob.invoke("react", json!(["rust", 7])).await;
    assert!(refused["error"].as_str().unwrap().starts_with("argument 2 (`reaction`)"), "{refused}");
}

#[tokio::test]
async fn binary_bodies_pass_both_ways() {
    let world = World::start().await;
    let mut client = world.connect("messagepack").await;
    // [1, {}, "7", "join", ["rust"], []] and [3, {}, "7", 3, null], each with a length prefix.
    let call = b"\x11\x96\x01\x80\xa17\xa4join\x91\xa4rust\x90";

    client.0.send(call.to_vec()).await.unwrap();

    let done = b"\x07\x95\x03\x80\xa17\x03\xc0";
    loop {
        let bytes = client.0.recv().await.expect("the connection ended");
        // Skip pings.
        if bytes[..] != *b"\x02\x91\x06" {
            assert_eq!(bytes[..], done[..]);
            break;
        }
    }
}

#[tokio::test]
async fn a_call_that_the_service_did_not_sign_is_refused() {
    let world = World::start().await;
    let address = world.function.url.trim_start_matches("http://").to_owned();
    let body = r#"{"type":1,"invocationId":"1","target":"join","arguments":["rust"]}"#;

    let answer = post(&address, "/runtime/webhooks/signalr", body).await;

    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

#[tokio::test]
async fn without_its_setting_the_function_does_not_start() {
    let mut child = start(&[("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")], &[]);

    assert!(!child.wait().unwrap().success());
}

#[tokio::test]
async fn without_lambda_the_example_serves_http_with_the_local_service() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
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
    assert!(negotiated.starts_with("HTTP/1.1 200"), "{negotiated}");
}
