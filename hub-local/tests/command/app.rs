//! An app on a real socket, with handwritten HTTP.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use crate::process::with_timeout;

/// A received request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(str::from_utf8(&found.1).unwrap())
    }

    pub(crate) fn event(&self) -> &str {
        self.header("X-ASRS-Event").unwrap_or_default()
    }

    /// Returns the completion of an `invoke` with this result.
    pub(crate) fn completion(&self, result: &str) -> Response {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        let id = &body["invocationId"];
        let text = format!("{{\"type\":3,\"invocationId\":{id},\"result\":\"{result}\"}}\u{1e}");
        Response { status: 200, body: text }
    }
}

pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn new(status: u16, body: &str) -> Self {
        Self { status, body: body.to_owned() }
    }
}

type Handler = dyn Fn(&Request) -> Option<Response> + Send + Sync;

/// An app that records its requests. A handler that returns `None` leaves the request pending.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    more: Arc<Notify>,
}

impl App {
    /// Completes every `invoke` with a text.
    pub(crate) async fn named(name: &'static str) -> Self {
        Self::start(move |request| {
            let is_message = request.header("X-ASRS-Category") == Some("messages");
            Some(if is_message { request.completion(name) } else { Response::new(200, "") })
        })
        .await
    }

    pub(crate) async fn start(
        handler: impl Fn(&Request) -> Option<Response> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Self { url, requests: Arc::default(), more: Arc::default() };
        let (inner, handler) = (app.clone(), Arc::new(handler) as Arc<Handler>);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(inner.clone().serve(stream, Arc::clone(&handler)));
            }
        });
        app
    }

    async fn serve(self, mut stream: TcpStream, handler: Arc<Handler>) {
        while let Some(request) = read(&mut stream).await {
            let response = handler(&request);
            self.requests.lock().unwrap().push(request);
            self.more.notify_waiters();
            let Some(Response { status, body }) = response else {
                return std::future::pending().await;
            };
            let length = body.len();
            let text = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}");
            if stream.write_all(text.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    pub(crate) fn events(&self) -> Vec<String> {
        self.requests.lock().unwrap().iter().map(|it| it.event().to_owned()).collect()
    }

    /// Waits for the first request of an event.
    pub(crate) async fn called(&self, event: &str) -> Request {
        with_timeout(event, async {
            loop {
                let more = self.more.notified();
                let mut more = std::pin::pin!(more);
                more.as_mut().enable();
                let found =
                    self.requests.lock().unwrap().iter().find(|it| it.event() == event).cloned();
                if let Some(request) = found {
                    return request;
                }
                more.await;
            }
        })
        .await
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.trim_ascii());
    let line = String::from_utf8(lines.next()?.to_vec()).unwrap();
    let headers: Vec<_> = lines
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = String::from_utf8(line[..colon].to_vec()).unwrap();
            Some((name, line[colon + 1..].trim_ascii().to_vec()))
        })
        .collect();
    let mut request = Request { line, headers, body: Vec::new() };
    let length = request.header("Content-Length").map_or(0, |length| length.parse().unwrap());
    request.body = vec![0; length];
    stream.read_exact(&mut request.body).await.ok()?;
    Some(request)
}
