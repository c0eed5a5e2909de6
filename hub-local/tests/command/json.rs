//! `--json` and `--stop-with-stdin`, for programs that start the service.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdout},
};

use crate::{
    app::App,
    client::Client,
    process::{KEY, Running, command, output, with_timeout},
};

const FOR_PROGRAMS: [&str; 5] = ["start", "--port", "0", "--json", "--stop-with-stdin"];

/// A service that a program has started.
struct Started {
    child: Child,
    out: BufReader<ChildStdout>,
    line: Value,
    port: u16,
}

impl Started {
    async fn with(arguments: &[&str]) -> Self {
        let mut command = command();
        command.args(FOR_PROGRAMS).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        // The line contains the key, so the test does not print it.
        let mut line = String::new();
        with_timeout("the line", out.read_line(&mut line)).await.unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        let port = line["port"].as_u64().unwrap().try_into().unwrap();
        Self { child, out, line, port }
    }

    /// Waits for the end; returns the exit code and what was printed after the line.
    async fn ended(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        with_timeout("the end", self.out.read_to_string(&mut rest)).await.unwrap();
        let status = with_timeout("the end", self.child.wait()).await.unwrap();
        (status.code(), rest)
    }
}

#[tokio::test]
async fn a_program_gets_one_line_with_the_addresses_and_the_key() {
    let service = Started::with(&["--key", "a-key-for-programs"]).await;
    let port = service.port;

    assert_eq!(service.line["url"], format!("http://127.0.0.1:{port}"));
    let expected =
        format!("Endpoint=http://127.0.0.1;Port={port};AccessKey=a-key-for-programs;Version=1.0;");
    assert!(service.line["connectionString"] == expected, "another connection string");
    let page = format!("http://127.0.0.1:{port}/inspector#");
    assert!(service.line["inspector"].as_str().unwrap().starts_with(&page));
    assert!(Client::try_connect(port, "chat", "a-key-for-programs").await.is_ok());

    let id = service.child.id().unwrap().to_string();
    assert!(
        std::process::Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success()
    );
    assert_eq!(service.ended().await, (Some(0), String::new()));
}

#[tokio::test]
async fn an_inspector_that_is_off_is_null_and_a_public_url_is_kept() {
    let service = Started::with(&["--inspector", "off", "--url", "http://localhost:1234"]).await;

    let connection_string =
        format!("Endpoint=http://localhost;Port=1234;AccessKey={KEY};Version=1.0;");
    assert_eq!(service.line["url"], "http://localhost:1234");
    assert!(service.line["connectionString"] == connection_string);
    assert_eq!(service.line.get("inspector"), Some(&Value::Null));
    assert!(Client::try_connect(service.port, "chat", KEY).await.is_ok());
}

#[tokio::test]
async fn the_end_of_standard_input_stops_the_service_as_a_signal_does() {
    let app = App::named("x").await;
    let mut service = Started::with(&["--upstream", &app.url]).await;
    let mut client = Client::connect(service.port, "chat").await;
    app.called("connected").await;

    let mut input = service.child.stdin.take().unwrap();
    input.write_all(b"input without an end\n").await.unwrap();
    client.invoke("7", "m").await;
    assert_eq!(client.receive().await["result"], "x");
    drop(input);

    assert_eq!(client.receive().await, json!({ "type": 7, "allowReconnect": true }));
    assert_eq!(client.receive().await, json!(null));
    drop(client);
    assert_eq!(service.ended().await, (Some(0), String::new()));
    assert_eq!(app.events(), ["connected", "m", "disconnected"]);
}

#[tokio::test]
async fn without_the_option_the_end_of_standard_input_is_ignored() {
    // The tests start it with an empty standard input.
    let service = Running::start(&[]).await;

    assert!(Client::try_connect(service.port, "chat", KEY).await.is_ok());
}

#[tokio::test]
async fn a_failed_start_prints_no_line() {
    let service = Running::start(&[]).await;
    let port = service.port.to_string();

    for (line, code, part) in [
        (["start", "--json", "--port", &port], 1, "cannot listen on 127.0.0.1"),
        (["start", "--json", "--key", ""], 2, "is empty"),
    ] {
        let (found, out, errors) = output(&line).await;

        assert_eq!((found, out.as_str()), (code, ""), "{errors}");
        assert!(errors.contains(part), "{errors}");
    }
}
