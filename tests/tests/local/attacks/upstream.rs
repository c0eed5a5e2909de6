//! Upstream URLs that must not be called, and upstreams with malicious responses.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hub_local::{HttpUpstream, Settings, Template, TemplateError};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
};

use crate::{
    http_upstream::{client, error, head},
    support::eventually,
};

#[test]
fn link_local_and_metadata_addresses_are_refused_in_any_spelling() {
    for host in [
        "169.254.169.254",
        "169.254.170.2",
        "169.254.169.254.",
        "2852039166",
        "0xA9FEA9FE",
        "0xa9.0xfe.0xa9.0xfe",
        "0251.0376.0251.0376",
        "025177524776",
        "169.254.43518",
        "169.16689662",
        "[fe80::1]",
        "[febf:ffff::1]",
        "[fd00:ec2::254]",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[::169.254.169.254]",
        "[64:ff9b::169.254.169.254]",
        "[2002:a9fe:a9fe::]",
        "100.100.100.200",
        "168.63.129.16",
        "metadata.google.internal",
        "METADATA.google.internal.",
    ] {
        for url in
            [format!("http://{host}/"), format!("http://{host}:80/latest/meta-data?x={{event}}")]
        {
            assert_eq!(Template::new(&url), Err(TemplateError::Address), "{url}");
            assert_eq!(HttpUpstream::new(&url).unwrap_err(), TemplateError::Address, "{url}");
            let settings = serde_json::json!({
                "UpstreamSettings": { "Templates": [{ "UrlTemplate": url }] }
            });
            let error = Settings::parse("settings.json", &settings.to_string()).unwrap_err();
            assert!(error.to_string().contains("link-local or metadata address"), "{error}");
        }
    }
    for fine in ["127.0.0.1", "[::1]", "localhost", "10.1.2.3", "app", "2130706433", "example.com"]
    {
        assert!(Template::new(format!("http://{fine}:7071/")).is_ok(), "{fine}");
    }
}

/// Starts an app that accepts every event and responds to each method with another bad response.
async fn app(answers: fn(&str) -> Answer) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answers, Arc::clone(&counted)));
        }
    });
    (url, calls)
}

enum Answer {
    /// Sends these bytes, and keeps the connection open.
    Bytes(Vec<u8>),
    /// Sends the first bytes, and then repeats the second ones forever.
    Endless(Vec<u8>, Vec<u8>),
}

async fn serve(mut stream: TcpStream, answers: fn(&str) -> Answer, calls: Arc<AtomicUsize>) {
    while let Some(event) = event(&mut stream).await {
        calls.fetch_add(1, Ordering::SeqCst);
        match answers(&event) {
            Answer::Bytes(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Answer::Endless(start, more) => {
                let _ = stream.write_all(&start).await;
                while stream.write_all(&more).await.is_ok() {}
                return;
            }
        }
    }
}

/// Reads one complete request. Returns its event.
async fn event(stream: &mut TcpStream) -> Option<String> {
    let head = head(stream).await?;
    head.split("x-asrs-event: ").nth(1)?.split("\r\n").next().map(str::to_owned)
}

const FINE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn a_redirect_of_an_upstream_is_not_followed() {
    static TARGET: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let (target, reached) = app(|_| Answer::Bytes(FINE.to_vec())).await;
    TARGET.set(target).unwrap();
    let (url, called) = app(|event| {
        if event == "connected" {
            return Answer::Bytes(FINE.to_vec());
        }
        let location = match event {
            "r300" => "http://169.254.169.254/latest/meta-data".to_owned(),
            "r303" => "/elsewhere".to_owned(),
            _ => TARGET.get().unwrap().clone(),
        };
        let status = event.trim_start_matches('r');
        let answer = format!(
            "HTTP/1.1 {status} Go There\r\nlocation: {location}\r\nrefresh: 0; url={location}\r\n\
             content-length: 0\r\n\r\n"
        );
        Answer::Bytes(answer.into_bytes())
    })
    .await;
    let (_service, mut client) = client(HttpUpstream::new(url).unwrap()).await;

    for status in [300, 301, 302, 303, 304, 307, 308] {
        client.call_with_id("7", &format!("r{status}")).await;
        assert_eq!(
            client.recv_text().await,
            error(&format!("Invocation failed, status code {status}"))
        );
    }

    assert_eq!(called.load(Ordering::SeqCst), 1 + 7, "each event once");
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

/// The bad response for each method name.
fn bad(event: &str) -> Answer {
    let ok = |rest: &str| format!("HTTP/1.1 200 OK\r\n{rest}").into_bytes();
    match event {
        "endless head" => {
            Answer::Endless(ok(""), b"x-filler: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n".repeat(100))
        }
        "giant header" => Answer::Endless(ok("x: "), vec![b'x'; 65_536]),
        "many headers" => {
            Answer::Bytes(ok(&format!("{}content-length: 0\r\n\r\n", "x: y\r\n".repeat(10_000))))
        }
        "endless body" => {
            let chunk = [&b"10000\r\n"[..], &vec![b'x'; 0x10000], b"\r\n"].concat();
            Answer::Endless(ok("transfer-encoding: chunked\r\n\r\n"), chunk)
        }
        "body until close" => Answer::Endless(ok("connection: close\r\n\r\n"), vec![b'x'; 0x10000]),
        "declared" => Answer::Bytes(ok("content-length: 9223372036854775807\r\n\r\nx")),
        "bad length" => Answer::Bytes(ok("content-length: 99999999999999999999999\r\n\r\nx")),
        "two lengths" => Answer::Bytes(ok("content-length: 1\r\ncontent-length: 2\r\n\r\nxx")),
        "bad chunk" => Answer::Bytes(ok("transfer-encoding: chunked\r\n\r\nzz\r\nx\r\n")),
        "huge chunk" => {
            Answer::Bytes(ok("transfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\nx\r\n"))
        }
        "endless 1xx" => {
            Answer::Endless(Vec::new(), b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100))
        }
        "nothing" => Answer::Bytes(Vec::new()),
        "half" => Answer::Bytes(ok("content-length: 10\r\n\r\nhalf")),
        "noise" => Answer::Endless(Vec::new(), vec![0; 4096]),
        "switch" => Answer::Bytes(
            b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_vec(),
        ),
        _ => Answer::Bytes(FINE.to_vec()),
    }
}

/// Calls each of these methods. After each one, calls a method with a good response.
async fn check(timeout: Duration, methods: &[(&str, &str)]) {
    let (url, _) = app(bad).await;
    let upstream = HttpUpstream::new(url).unwrap().timeout(timeout);
    let before = super::tasks();
    let (service, mut client) = client(upstream).await;

    for (event, told) in methods {
        client.call_with_id("7", event).await;
        let heard = client.recv_text().await;
        assert!(heard.contains(&format!("Invocation failed, {told}")), "{event}: {heard}");

        client.call_with_id("8", "fine").await;
        assert_eq!(
            client.recv_text().await,
            "{\"type\":3,\"invocationId\":\"8\"}\x1e",
            "after {event}"
        );
    }

    assert_eq!(service.counters().connections, 1);
    drop(client);
    drop(service);
    // The pooled upstream connection has tasks of its own at both ends.
    eventually(|| super::tasks() <= before + 3).await;
}

#[tokio::test]
async fn upstream_responses_are_limited_and_the_next_call_works() {
    let methods = [
        ("endless head", "status code 500"),
        ("giant header", "status code 500"),
        ("many headers", "status code 500"),
        ("endless body", "response too large."),
        ("body until close", "response too large."),
        ("declared", "response too large."),
        ("bad length", "status code 500"),
        ("two lengths", "status code 500"),
        ("bad chunk", "error: "),
        ("huge chunk", "error: "),
        ("noise", "status code 500"),
        ("switch", "status code 101"),
    ];
    check(super::PATIENCE, &methods).await;
}

#[tokio::test]
async fn an_endless_upstream_response_times_out_and_the_next_call_works() {
    let methods = [
        ("nothing", "status code 500"),
        ("half", "status code 500"),
        ("endless 1xx", "status code 500"),
    ];
    check(Duration::from_secs(1), &methods).await;
}
