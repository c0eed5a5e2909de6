//! `hub-local inspect`, and the contract that it shows.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::{
    app::{App, Response},
    client::Client,
    process::{Folder, Running, command, output, with_timeout},
};

/// The URL of the inspector with its token.
async fn inspector(service: &Running) -> String {
    let line = service.out.line("Inspect ").await;
    line.split_whitespace().last().unwrap().to_owned()
}

async fn failing() -> App {
    App::start(|request| {
        let is_message = request.header("X-ASRS-Category") == Some("messages");
        Some(match request.event() {
            "missing" => Response::new(404, "no such method"),
            _ if is_message => request.completion("done"),
            _ => Response::new(200, ""),
        })
    })
    .await
}

#[tokio::test]
async fn calls_answers_and_failures_are_shown_with_what_to_check() {
    let app = failing().await;
    let service = Running::start(&["--upstream", &app.url]).await;
    let url = inspector(&service).await;
    let mut client = Client::connect(service.port, "chat").await;
    for (id, method) in [("1", "say"), ("2", "missing")] {
        client.invoke(id, method).await;
        client.receive().await;
    }

    let (code, out, errors) = output(&["inspect", "--url", &url]).await;
    assert_eq!((code, &*errors), (0, ""), "{out}");
    for part in [
        "Clients   1: 1 WebSockets",
        "connected over WebSockets, json",
        "invoke say []",
        "<- answered 200",
        "<- FAILED 404",
        "check the path of the URL, and that the app has this hub and event",
    ] {
        assert!(out.contains(part), "{part} is not in\n{out}");
    }

    let (_, out, _) = output(&["inspect", "--url", &url, "--failures", "--json"]).await;
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["kind"], &lines[0]["version"]), (&"state".into(), &1.into()));
    assert!(lines.len() > 1);
    assert!(lines[1..].iter().any(|event| event["cause"] == "not_found"), "{out}");
    assert!(!out.contains("\"say\""), "{out}");
    let (_, of_another, _) = output(&["inspect", "--url", &url, "--json", "--hub", "other"]).await;
    assert_eq!(of_another.lines().count(), 1);
}

#[tokio::test]
async fn a_followed_service_shows_new_events() {
    let app = failing().await;
    let service = Running::start(&["--upstream", &app.url]).await;
    let url = inspector(&service).await;
    let (base, token) = url.split_once("/inspector#").unwrap();
    let mut following = command()
        .args(["inspect", "--url", base, "--follow"])
        .env("HUB_LOCAL_INSPECTOR_TOKEN", token)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut line = async |part: &str| {
        with_timeout(part, async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.contains(part) {
                    return;
                }
            }
            panic!("no line with {part}");
        })
        .await;
    };
    line("Service   ").await;

    let mut client = Client::connect(service.port, "chat").await;
    client.invoke("1", "later").await;

    line("invoke later []").await;
    following.kill().await.unwrap();
}

#[tokio::test]
async fn a_missing_or_wrong_token_and_a_service_that_does_not_run_have_clear_texts() {
    let service = Running::start(&[]).await;
    let url = format!("http://127.0.0.1:{}", service.port);

    let (code, _, errors) = output(&["inspect", "--url", &url]).await;
    assert!(code == 2 && errors.contains("HUB_LOCAL_INSPECTOR_TOKEN"), "{errors}");
    let wrong = "0123456789abcdef0123456789abcdef";
    let (code, _, errors) = output(&["inspect", "--url", &url, "--token", wrong]).await;
    assert!(code == 1 && errors.contains("status 401") && !errors.contains(wrong), "{errors}");
    let (code, _, errors) =
        output(&["inspect", "--url", "http://127.0.0.1:9", "--token", wrong]).await;
    assert!(code == 1 && errors.contains("http://127.0.0.1:9 cannot be reached"), "{errors}");
    let off = Running::start(&["--inspector", "off"]).await;
    let url = format!("http://127.0.0.1:{}", off.port);
    let (code, _, errors) = output(&["inspect", "--url", &url, "--token", wrong]).await;
    assert!(code == 1 && errors.contains("has no inspector"), "{errors}");
}

#[tokio::test]
async fn a_contract_file_names_the_methods_of_the_hubs() {
    let folder = Folder::new("contract");
    let file = folder.path().join("contract.json");
    let contract = r#"{"version":1,"hubs":[{"name":"Chat","methods":[{"name":"say","arguments":[]}]}],"schemas":{}}"#;
    std::fs::write(&file, contract).unwrap();
    let service = Running::start(&["--contract", file.to_str().unwrap()]).await;
    let (base, token) = inspector(&service)
        .await
        .split_once("/inspector#")
        .map(|(base, token)| (base.to_owned(), token.to_owned()))
        .unwrap();
    let port = service.port;

    let state = state(port, &base, &token).await;

    assert_eq!(state["hubs"][0]["contract"]["methods"][0]["name"], "say", "{state}");
    std::fs::write(&file, "{}").unwrap();
    let (code, _, errors) =
        output(&["start", "--port", "0", "--contract", file.to_str().unwrap()]).await;
    assert!(code == 1 && errors.contains("is neither an AsyncAPI document"), "{errors}");
}

async fn state(port: u16, base: &str, token: &str) -> Value {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let host = base.trim_start_matches("http://");
    let request = format!(
        "GET /inspector/state HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    with_timeout("a response", stream.read_to_string(&mut response)).await.unwrap();
    serde_json::from_str(response.split_once("\r\n\r\n").unwrap().1).unwrap()
}
