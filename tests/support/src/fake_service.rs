//! An HTTP server on loopback that records its requests. It replaces the service in tests of apps,
//! and the app in tests of services.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinSet};

use crate::until;

/// A received request.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// The method.
    pub method: Method,
    /// The path and query.
    pub target: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl RecordedRequest {
    async fn read(request: Request<Incoming>) -> Self {
        let (parts, body) = request.into_parts();
        // A response before the end of the request body would break the connection.
        let body = body.collect().await.unwrap().to_bytes();
        Self { method: parts.method, target: parts.uri.to_string(), headers: parts.headers, body }
    }

    /// Returns method and target.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    /// Returns the target without its query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    /// Returns a header with a UTF-8 value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| str::from_utf8(value.as_bytes()).unwrap())
    }

    /// Returns the bearer token, or an empty string.
    #[must_use]
    pub fn token(&self) -> &str {
        self.header("authorization").unwrap_or_default().strip_prefix("Bearer ").unwrap_or_default()
    }

    /// Parses the body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Returns the event of an upstream call, or an empty string.
    #[must_use]
    pub fn event(&self) -> &str {
        self.header("x-asrs-event").unwrap_or_default()
    }

    /// Returns the framed completion of an upstream call with this result.
    #[must_use]
    pub fn completion(&self, result: &str) -> String {
        let id = &self.json()["invocationId"];
        let completion = serde_json::json!({ "type": 3, "invocationId": id, "result": result });
        format!("{completion}\u{1e}")
    }
}

/// The response of a fake.
pub type FakeResponse = Response<Full<Bytes>>;

/// Creates a response with this status, error code (unless empty) and body.
#[must_use]
pub fn response(status: u16, code: &str, body: impl Into<Bytes>) -> FakeResponse {
    let mut response = Response::builder().status(status);
    if !code.is_empty() {
        response = response.header("x-ms-error-code", code);
    }
    response.body(Full::new(body.into())).unwrap()
}

/// The server. It stops when the value is dropped.
#[derive(Debug)]
pub struct FakeService {
    /// `http://` and the address.
    pub base: String,
    requests: Arc<Mutex<Vec<RecordedRequest>>>,
    _server: JoinSet<()>,
}

impl FakeService {
    /// Starts a server with this handler. If the handler returns `None`, the request stays pending.
    pub async fn start<F, R>(respond: F) -> Self
    where
        F: Fn(&RecordedRequest) -> R + Send + Sync + 'static,
        R: Into<Option<FakeResponse>>,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (requests, respond) =
            (Arc::<Mutex<Vec<RecordedRequest>>>::default(), Arc::new(respond));
        let recorded = Arc::clone(&requests);
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (recorded, respond) = (Arc::clone(&recorded), Arc::clone(&respond));
                let service = service_fn(move |request: Request<Incoming>| {
                    let (recorded, respond) = (Arc::clone(&recorded), Arc::clone(&respond));
                    async move {
                        let request = RecordedRequest::read(request).await;
                        let response = respond(&request).into();
                        recorded.lock().unwrap().push(request);
                        match response {
                            Some(response) => Ok::<_, Infallible>(response),
                            None => std::future::pending().await,
                        }
                    }
                });
                connections.spawn(async move {
                    let io = TokioIo::new(stream);
                    let _ = http1::Builder::new().serve_connection(io, service).await;
                });
            }
        });
        Self { base, requests, _server: server }
    }

    /// Starts a service that accepts every request with 202.
    pub async fn accepting() -> Self {
        Self::start(|_| response(202, "", Bytes::new())).await
    }

    /// Starts an app that responds with 200 to every event, and completes every call with this
    /// text.
    pub async fn completing(result: &'static str) -> Self {
        Self::start(move |request| match request.header("x-asrs-category") {
            Some("messages") => response(200, "", request.completion(result)),
            _ => response(200, "", Bytes::new()),
        })
        .await
    }

    /// Returns the requests so far.
    pub fn requests(&self) -> MutexGuard<'_, Vec<RecordedRequest>> {
        self.requests.lock().unwrap()
    }

    /// Returns method and path of every request except health probes, in order.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let requests = self.requests();
        let requests = requests.iter().filter(|request| request.path() != "/api/health");
        requests.map(|request| format!("{} {}", request.method, request.path())).collect()
    }

    /// Returns the events of the upstream calls so far, in order.
    #[must_use]
    pub fn events(&self) -> Vec<String> {
        self.requests().iter().map(|request| request.event().to_owned()).collect()
    }

    /// Waits for the first upstream call with this event, and returns it.
    pub async fn called(&self, event: &str) -> RecordedRequest {
        let found = || self.requests().iter().find(|request| request.event() == event).cloned();
        until(event, || found().is_some()).await;
        found().unwrap()
    }

    /// Returns a connection string for this server.
    #[must_use]
    pub fn connection_string(&self, key: &str) -> String {
        format!("Endpoint={};AccessKey={key};Version=1.0;", self.base)
    }
}
