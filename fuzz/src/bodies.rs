//! Messages that clients post over long polling and Server-Sent Events. Bytes that are split into posts
//! must have the same effect as the same bytes in one piece on an in-memory connection.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hub_core::protocol::{Message, Protocol, frame::Frames, handshake};
use hub_local::{Body, LocalService};
use serde_json::Value;
use tower_service::Service;

use crate::{
    clients::{App, Told, URL, client_token, client_url, messages, service},
    pieces::{cut, first_line},
    world::{self, settle},
};

/// The time to wait, on the paused clock, before the client assumes that no more data arrives.
const MOMENT: Duration = Duration::from_millis(1);
/// The user of every client.
const USER: &str = "ada";

/// The messages that a client received, and the upstream calls for its connection.
#[derive(Debug)]
struct Life {
    heard: Vec<Message>,
    told: Vec<(String, Bytes)>,
}

/// The first line contains the mode, a space and the app's response. With mode `e` the client uses
/// Server-Sent Events, otherwise long polling; with mode `m` it polls in MessagePack. The next byte, modulo
/// 4, is the number of following bytes that define the lengths of the posts.
pub fn run(data: &[u8]) {
    let (how, rest) = first_line(data);
    let (how, answer) = match how.iter().position(|byte| *byte == b' ') {
        Some(blank) => (&how[..blank], &how[blank + 1..]),
        None => (how, &[][..]),
    };
    let Some((count, rest)) = rest.split_first() else { return };
    let Some((pattern, said)) = rest.split_at_checked(usize::from(*count % 4)) else { return };
    let events = how.contains(&b'e');
    let packed = !events && how.contains(&b'm');
    let protocol = if packed { Protocol::MessagePack } else { Protocol::Json };
    // The service forwards the app's response to the client unchanged.
    let answer = if is_answer(protocol, answer) { answer } else { &[] };
    world::run(async {
        let (memory, http) = (App::answering(answer), App::answering(answer));
        let memory = at_once(memory, protocol, said).await;
        let http = in_posts(http, protocol, events, cut(said, pattern)).await;
        assert_eq!(memory.told, http.told, "the app receives different messages");
        let closed = |life: &Life| life.heard.iter().any(|it| matches!(it, Message::Close { .. }));
        assert_eq!(closed(&memory), closed(&http));
        // A closed client does not receive responses that were pending.
        if !closed(&memory) {
            assert_eq!(memory.heard, http.heard, "the client receives different messages");
        }
    });
}

/// Whether these bytes are exactly one valid framed message.
fn is_answer(protocol: Protocol, answer: &[u8]) -> bool {
    let mut frames = Frames::new(answer.len());
    frames.switch_to(protocol);
    frames.push(answer);
    let frame = frames.next_frame().ok().flatten().filter(|_| frames.is_empty());
    frame.is_some_and(|frame| matches!(protocol.parse(&frame), Ok(Some(_))))
}

/// Sends all bytes in one piece on an in-memory connection.
async fn at_once(app: App, protocol: Protocol, said: &[u8]) -> Life {
    let service = service(app.clone());
    let mut client = service
        .connect_memory(&client_url(), &client_token(USER))
        .expect("the connection is accepted");
    client.send(handshake::request(protocol)).await.expect("the connection is open");
    assert_eq!(client.recv().await.expect("the service responds"), handshake::ACCEPTED);
    let mut heard = Vec::new();
    if !said.is_empty() {
        client.send(Bytes::copy_from_slice(said)).await.expect("the connection is open");
    }
    settle().await;
    while let Ok(Some(bytes)) = tokio::time::timeout(MOMENT, client.recv()).await {
        heard.extend(messages(protocol, &bytes));
    }
    client.close().await;
    end(service, &app, heard).await
}

/// A client over HTTP.
struct Client {
    service: LocalService,
    token: String,
    target: String,
    /// The body of the event stream, if the client uses events.
    events: Option<Body>,
}

async fn in_posts(
    app: App,
    protocol: Protocol,
    events: bool,
    posts: impl Iterator<Item = &[u8]>,
) -> Life {
    let service = service(app.clone());
    let mut client = Client::open(service.clone(), events).await;
    assert_eq!(client.post(&handshake::request(protocol)).await, StatusCode::OK);
    settle().await;
    let accepted = client.hear().await;
    assert_eq!(accepted, handshake::ACCEPTED);
    for post in posts {
        let status = client.post(post).await;
        assert!(matches!(status, StatusCode::OK | StatusCode::NOT_FOUND), "{status}");
    }
    settle().await;
    let heard = messages(protocol, &client.hear().await);
    client.leave().await;
    end(service, &app, heard).await
}

/// Waits for the `disconnected` call, and returns the record of the client.
async fn end(service: LocalService, app: &App, heard: Vec<Message>) -> Life {
    settle().await;
    service.shutdown().await;
    let told = app.told().into_iter().map(|Told { event, body, .. }| (event, body)).collect();
    Life { heard, told }
}

impl Client {
    async fn open(service: LocalService, events: bool) -> Self {
        let mut client =
            Self { service, token: client_token(USER), target: String::new(), events: None };
        let negotiate = format!("{URL}/client/negotiate?hub=chat&negotiateVersion=1");
        let answer = client.call(Method::POST, &negotiate, "", b"").await;
        let body = answer.collect().await.expect("the body is read").to_bytes();
        let ticket: Value = serde_json::from_slice(&body).expect("negotiate has a JSON response");
        let id = ticket["connectionToken"].as_str().expect("the response has an id");
        client.target = format!("{}&id={id}", client_url());
        let target = client.target.clone();
        let accept = if events { "text/event-stream" } else { "*/*" };
        let answer = client.call(Method::GET, &target, accept, b"").await;
        assert_eq!(answer.status(), StatusCode::OK);
        client.events = events.then(|| answer.into_body());
        client
    }

    async fn call(
        &mut self,
        method: Method,
        to: &str,
        accept: &str,
        body: &[u8],
    ) -> Response<Body> {
        let request = Request::builder()
            .method(method)
            .uri(to)
            .header("accept", accept)
            .header("authorization", format!("Bearer {}", self.token))
            .body(Full::new(Bytes::copy_from_slice(body)));
        let Ok(answer) = self.service.call(request.expect("the request is valid")).await;
        answer
    }

    async fn post(&mut self, body: &[u8]) -> StatusCode {
        let target = self.target.clone();
        self.call(Method::POST, &target, "*/*", body).await.status()
    }

    /// Reads all available data.
    async fn hear(&mut self) -> Bytes {
        let mut heard = Vec::new();
        while let Ok(Some(bytes)) = tokio::time::timeout(MOMENT, self.next()).await {
            heard.extend(bytes);
        }
        heard.into()
    }

    async fn next(&mut self) -> Option<Vec<u8>> {
        if let Some(events) = &mut self.events {
            let frame = events
                .frame()
                .await?
                .expect("the frame is read")
                .into_data()
                .expect("the frame has data");
            return Some(payload(&frame));
        }
        let target = self.target.clone();
        let answer = self.call(Method::GET, &target, "*/*", b"").await;
        if answer.status() != StatusCode::OK {
            return None;
        }
        Some(answer.collect().await.expect("the body is read").to_bytes().to_vec())
    }

    async fn leave(mut self) {
        if self.events.take().is_none() {
            let target = self.target.clone();
            let status = self.call(Method::DELETE, &target, "*/*", b"").await.status();
            assert!(matches!(status, StatusCode::ACCEPTED | StatusCode::NOT_FOUND), "{status}");
        }
    }
}

/// Returns the payload of the `data` lines. The comment at the start of the stream has no such line.
fn payload(event: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(event).expect("events are UTF-8");
    let lines = text.split("\r\n").filter_map(|line| line.strip_prefix("data: "));
    let lines: Vec<&str> = lines.collect();
    assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "a line end is not CRLF");
    lines.join("\n").into_bytes()
}
