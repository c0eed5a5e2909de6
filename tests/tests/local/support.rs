//! An app that records, clients in memory, and REST calls without a socket.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hub_core::{Secret, names::encode_segment, token};
use hub_local::{Limits, LocalService, MemoryConnection, Upstream, UpstreamError};
use serde_json::{Value, json};
use tower_service::Service as _;

pub(crate) const KEY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";
pub(crate) const URL: &str = "http://127.0.0.1:8888";

/// One upstream call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) event: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| str::from_utf8(value.as_bytes()).unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The framed completion with this result.
    pub(crate) fn completion(&self, result: &Value) -> Response<Bytes> {
        let id = self.json()["invocationId"].clone();
        let completion = json!({ "type": 3, "invocationId": id, "result": result });
        answer(200, format!("{completion}\x1e"))
    }
}

pub(crate) fn answer(status: u16, body: impl Into<Bytes>) -> Response<Bytes> {
    Response::builder().status(status).body(body.into()).unwrap()
}

type Handler =
    dyn Fn(Call) -> BoxFuture<'static, Result<Response<Bytes>, UpstreamError>> + Send + Sync;

/// An app that remembers its calls and answers as it was told.
#[derive(Clone)]
pub(crate) struct App {
    calls: Arc<Mutex<Vec<Call>>>,
    handler: Arc<Handler>,
}

impl App {
    /// Answers every call with 200 and nothing.
    pub(crate) fn silent() -> Self {
        Self::new(|_| async { answer(200, "") })
    }

    pub(crate) fn new<F: Future<Output = Response<Bytes>> + Send + 'static>(
        handler: impl Fn(Call) -> F + Send + Sync + 'static,
    ) -> Self {
        Self::failing(move |call| {
            let answer = handler(call);
            async { Ok(answer.await) }
        })
    }

    pub(crate) fn failing<F>(handler: impl Fn(Call) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Response<Bytes>, UpstreamError>> + Send + 'static,
    {
        Self { calls: Arc::default(), handler: Arc::new(move |call| Box::pin(handler(call))) }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub(crate) fn events(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.event).collect()
    }

    /// Waits until this event was called.
    pub(crate) async fn called(&self, event: &str) -> Call {
        let found = || self.calls().into_iter().find(|call| call.event == event);
        eventually(|| found().is_some()).await;
        found().unwrap()
    }
}

#[async_trait]
impl Upstream for App {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, UpstreamError> {
        let (parts, body) = request.into_parts();
        let event = parts.headers.get("x-asrs-event").unwrap();
        let event = String::from_utf8(event.as_bytes().to_vec()).unwrap();
        let call = Call { event, headers: parts.headers, body };
        self.calls.lock().unwrap().push(call.clone());
        (self.handler)(call).await
    }
}

/// Waits for what another task does. With paused time this costs none.
pub(crate) async fn eventually(condition: impl Fn() -> bool) {
    for _ in 0..4000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not happen");
}

/// Lets every task that can run do so.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) fn signed(claims: &Value) -> String {
    token::sign(claims, &Secret::from(KEY)).unwrap()
}

/// What an app's negotiate hands out.
pub(crate) fn client_token(user: &str) -> String {
    let aud = format!("{URL}/client/?hub=chat");
    signed(&json!({ "aud": aud, "exp": unix_now() + 3600, "asrs.s.uid": user, "role": "r" }))
}

/// A service and what tests do with it.
#[derive(Clone)]
pub(crate) struct Fixture {
    pub(crate) service: LocalService,
    pub(crate) app: App,
}

impl Fixture {
    pub(crate) fn new(app: App) -> Self {
        Self::with(app, Limits::default())
    }

    pub(crate) fn with(app: App, limits: Limits) -> Self {
        tests::output::record();
        let builder = LocalService::builder().key(KEY).limits(limits).upstream(app.clone());
        Self { service: builder.build(), app }
    }

    /// A transport that is open; the handshake is the test's.
    pub(crate) fn open(&self, user: &str) -> Client {
        let url = format!("{URL}/client/?hub=chat");
        Client(self.service.connect_memory(&url, &client_token(user)).unwrap())
    }

    /// A client whose `connected` was answered.
    pub(crate) async fn client(&self, user: &str) -> Client {
        let before = self.app.calls().len();
        let mut client = self.open(user);
        client.handshake().await;
        eventually(|| self.app.calls().len() > before).await;
        client
    }

    /// The id of the client that called last.
    pub(crate) fn last_id(&self) -> String {
        let calls = self.app.calls();
        calls.last().unwrap().header("x-asrs-connection-id").unwrap().to_owned()
    }

    /// A client and its connection id.
    pub(crate) async fn client_and_id(&self, user: &str) -> (Client, String) {
        let client = self.client(user).await;
        (client, self.last_id())
    }

    /// A REST call below `/api/hubs/chat` with a good token.
    pub(crate) async fn rest(&self, method: Method, below: &str, body: &str) -> Rest {
        let path = format!("/api/hubs/chat/{below}");
        let audience = format!("{URL}{}", path.split('?').next().unwrap());
        let token = signed(&json!({ "aud": audience, "exp": unix_now() + 3600 }));
        let mut request = Request::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap();
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        self.request(request).await
    }

    pub(crate) async fn post(&self, below: &str, body: &str) -> Rest {
        self.rest(Method::POST, below, body).await
    }

    pub(crate) async fn status(&self, method: Method, below: &str) -> u16 {
        self.rest(method, below, "").await.status
    }

    pub(crate) async fn request(&self, request: Request<Full<Bytes>>) -> Rest {
        let response = self.service.clone().call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let code = parts.headers.get("x-ms-error-code").map(|it| it.to_str().unwrap().to_owned());
        let body = body.collect().await.unwrap().to_bytes();
        Rest { status: parts.status.as_u16(), code, headers: parts.headers, body }
    }

    /// Sends `{"target":"m","arguments":[text]}` and expects 202.
    pub(crate) async fn send(&self, below: &str, text: &str) {
        let body = json!({ "target": "m", "arguments": [text] }).to_string();
        let answer = self.post(below, &body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED.as_u16(), "{:?}", answer.body);
    }
}

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Rest {
    pub(crate) status: u16,
    pub(crate) code: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Rest {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn outcome(&self) -> (u16, Option<&str>) {
        (self.status, self.code.as_deref())
    }
}

pub(crate) fn segment(text: &str) -> String {
    encode_segment(text).into_owned()
}

/// The frame that [`Fixture::send`] sends.
pub(crate) fn message(text: &str) -> String {
    format!("{{\"type\":1,\"target\":\"m\",\"arguments\":[\"{text}\"]}}\x1e")
}

/// A client in memory.
pub(crate) struct Client(pub(crate) MemoryConnection);

impl Client {
    pub(crate) async fn handshake(&mut self) {
        self.say(r#"{"protocol":"json","version":1}"#).await;
        assert_eq!(self.hear().await, "{}\x1e");
    }

    /// Sends one record.
    pub(crate) async fn say(&self, record: &str) {
        self.0.send(format!("{record}\x1e")).await.unwrap();
    }

    /// The next bytes, pings left out; empty at the end.
    pub(crate) async fn hear(&mut self) -> String {
        loop {
            let bytes = self.0.recv().await.unwrap_or_default();
            if bytes != "{\"type\":6}\x1e" {
                return String::from_utf8(bytes.to_vec()).unwrap();
            }
        }
    }

    pub(crate) async fn invoke(&self, id: &str, target: &str) {
        let record = json!({ "type": 1, "invocationId": id, "target": target, "arguments": [] });
        self.say(&record.to_string()).await;
    }

    pub(crate) async fn call(&self, target: &str) {
        self.say(&json!({ "type": 1, "target": target, "arguments": [] }).to_string()).await;
    }
}
