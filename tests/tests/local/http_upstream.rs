//! Upstream calls over real HTTP: good and bad responses of apps, and the resulting completions.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hub_local::{HttpUpstream, Limits, LocalService, Template};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::support::{Client, KEY, URL, client_token};

/// The reaction of an app to a message that it has read.
#[derive(Clone, Copy)]
enum Does {
    /// Writes these pieces one after the other, and keeps the connection open.
    Writes(&'static [&'static str]),
    /// Writes these bytes and closes the connection.
    Breaks(&'static str),
    /// Writes nothing.
    Waits,
}

/// Starts an app on a socket. Returns its URL and the counter of its messages. The app responds to all other
/// events with 200.
async fn app(does: Does) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let messages = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&messages);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, does, Arc::clone(&counted)));
        }
    });
    (url, messages)
}

async fn serve(mut stream: TcpStream, does: Does, messages: Arc<AtomicUsize>) {
    while let Some(head) = head(&mut stream).await {
        let parts: &[&str] = if head.contains("x-asrs-category: messages") {
            messages.fetch_add(1, Ordering::SeqCst);
            match does {
                Does::Writes(parts) => parts,
                Does::Breaks(part) => {
                    stream.write_all(part.as_bytes()).await.unwrap();
                    return;
                }
                Does::Waits => return std::future::pending().await,
            }
        } else {
            &["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"]
        };
        for part in parts {
            stream.write_all(part.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
    }
}

/// Reads one complete request. Returns its head in lower case.
pub(crate) async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.split("content-length: ").nth(1)?.split("\r\n").next()?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(head)
}

/// Starts a service that calls this upstream, and connects a client.
pub(crate) async fn client(upstream: HttpUpstream) -> (LocalService, Client) {
    let service = LocalService::builder().key(KEY).upstream(upstream).build();
    let url = format!("{URL}/client/?hub=chat");
    let mut client = Client::in_memory(service.connect_memory(&url, &client_token("ada")).unwrap());
    client.handshake().await;
    (service, client)
}

async fn answered(does: Does) -> String {
    let (url, messages) = app(does).await;
    let (_service, mut client) = client(HttpUpstream::new(url).unwrap()).await;
    client.call_with_id("7", "m").await;
    let heard = client.recv_text().await;
    assert_eq!(messages.load(Ordering::SeqCst), 1, "nothing is called twice");
    heard
}

/// The completion of invocation 7 with this error.
pub(crate) fn error(text: &str) -> String {
    format!("{{\"type\":3,\"invocationId\":\"7\",\"error\":\"{text}\"}}\x1e")
}

#[tokio::test]
async fn a_slow_chunked_body_is_complete() {
    let answer = answered(Does::Writes(&[
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{\"t",
        "\r\n",
        "1B\r\nype\":3,\"invocationId\":\"7\"}\x1e\r\n",
        "0\r\n\r\n",
    ]));
    assert_eq!(answer.await, "{\"type\":3,\"invocationId\":\"7\"}\x1e");
}

#[tokio::test]
async fn a_response_with_a_large_declared_length_is_refused() {
    let answer = answered(Does::Writes(&["HTTP/1.1 200 OK\r\ncontent-length: 16777217\r\n\r\nx"]));
    assert_eq!(answer.await, error("Invocation failed, response too large."));
}

#[tokio::test]
async fn a_truncated_response_is_an_error() {
    let heard = answered(Does::Breaks("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")).await;
    assert!(heard.contains("\"error\":\"Invocation failed, error: "), "{heard}");
}

#[tokio::test]
async fn a_connection_closed_without_a_response_is_a_500_and_is_not_retried() {
    assert_eq!(answered(Does::Breaks("")).await, error("Invocation failed, status code 500"));
}

#[tokio::test]
async fn a_response_that_is_not_http_is_a_500() {
    let answer = answered(Does::Breaks("220 mail.example ESMTP\r\n"));
    assert_eq!(answer.await, error("Invocation failed, status code 500"));
}

#[tokio::test]
async fn an_app_that_does_not_respond_is_a_500_after_the_timeout() {
    let (url, messages) = app(Does::Waits).await;
    let upstream = HttpUpstream::new(url).unwrap().timeout(Duration::from_secs(2));
    let (_service, mut client) = client(upstream).await;

    client.call_with_id("7", "m").await;

    assert_eq!(client.recv_text().await, error("Invocation failed, status code 500"));
    assert_eq!(messages.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn only_the_first_matching_template_is_called() {
    const VOID: &[&str] = &["HTTP/1.1 204 No Content\r\n\r\n"];
    let (first, first_messages) = app(Does::Writes(VOID)).await;
    let (second, second_messages) = app(Does::Writes(VOID)).await;
    let upstream = HttpUpstream::with_templates([
        Template::new(first).unwrap().events("a, b").categories("messages"),
        Template::new(second).unwrap(),
    ]);
    let (_service, mut client) = client(upstream).await;

    for event in ["a", "b", "c"] {
        client.call_with_id("7", event).await;
        assert_eq!(client.recv_text().await, "{\"type\":3,\"invocationId\":\"7\"}\x1e");
    }

    assert_eq!(first_messages.load(Ordering::SeqCst), 2);
    assert_eq!(second_messages.load(Ordering::SeqCst), 1);
}

/// An app that refuses a call by its head, and closes while the service still writes the body.
#[tokio::test]
async fn a_refusal_is_read_while_the_body_of_the_call_is_still_being_written() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut start = [0; 100];
            stream.read_exact(&mut start).await.unwrap();
            let refusal = b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(refusal).await.unwrap();
        }
    });
    let limits = Limits::default().max_message_bytes(8 << 20);
    let builder = LocalService::builder().key(KEY).limits(limits);
    let service = builder.upstream(HttpUpstream::new(url).unwrap()).build();
    let url = format!("{URL}/client/?hub=chat");
    let mut client = Client::in_memory(service.connect_memory(&url, &client_token("ada")).unwrap());
    client.handshake().await;

    client.begin("7", "m", serde_json::json!(["x".repeat(4 << 20)])).await;

    assert_eq!(client.recv_text().await, error("Invocation failed, status code 413"));
}

#[tokio::test]
async fn the_url_of_an_upstream_may_have_a_query_and_no_path() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}?code=k", listener.local_addr().unwrap());
    let (requested, mut requests) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        while let Some(head) = head(&mut stream).await {
            requested.send(head).unwrap();
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        }
    });
    let (_service, _client) = client(HttpUpstream::new(url).unwrap()).await;

    let head = requests.recv().await.unwrap();

    assert!(head.starts_with("post /?code=k http/1.1\r\n"), "{head}");
}
