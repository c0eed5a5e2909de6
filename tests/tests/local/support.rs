//! Test support: an app that records its calls, and a service with this app. Clients connect in memory, and
//! REST calls use no socket.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hub_core::names::encode_segment;
use hub_local::{Limits, LocalService, Upstream, UpstreamError};
use serde_json::{Value, json};
pub(crate) use test_support::{Client, KEY, eventually, sign as signed, unix_now, user_token};
use tower_service::Service as _;

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

    /// A response with the framed completion for this result.
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

/// An app that records its calls and responds with a function.
#[derive(Clone)]
pub(crate) struct App {
    calls: Arc<Mutex<Vec<Call>>>,
    handler: Arc<Handler>,
}

impl App {
    /// An app that responds to every call with 200 and an empty body.
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

    /// Waits for the first upstream call of this event.
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

/// Lets all tasks run that can make progress.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// A client token like the one in an app's negotiate response.
pub(crate) fn client_token(user: &str) -> String {
    user_token(KEY, &format!("{URL}/client/?hub=chat"), user)
}

/// A service and its app.
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
        test_support::output::record();
        let builder = LocalService::builder().key(KEY).public(true);
        let builder = builder.limits(limits).upstream(app.clone());
        Self { service: builder.build(), app }
    }

    /// Opens a transport. The test sends the handshake.
    pub(crate) fn open(&self, user: &str) -> Client {
        let url = format!("{URL}/client/?hub=chat");
        Client::in_memory(self.service.connect_memory(&url, &client_token(user)).unwrap())
    }

    /// Connects a client and waits for its `connected` call.
    pub(crate) async fn client(&self, user: &str) -> Client {
        let before = self.app.calls().len();
        let mut client = self.open(user);
        client.handshake().await;
        eventually(|| self.app.calls().len() > before).await;
        client
    }

    /// The connection id of the last upstream call.
    pub(crate) fn last_id(&self) -> String {
        let calls = self.app.calls();
        calls.last().unwrap().header("x-asrs-connection-id").unwrap().to_owned()
    }

    /// Connects a client. Returns the client and its connection id.
    pub(crate) async fn client_and_id(&self, user: &str) -> (Client, String) {
        let client = self.client(user).await;
        (client, self.last_id())
    }

    /// Sends a REST request below `/api/hubs/chat` with a valid token.
    pub(crate) async fn rest(&self, method: Method, below: &str, body: &str) -> RestResponse {
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

    pub(crate) async fn post(&self, below: &str, body: &str) -> RestResponse {
        self.rest(Method::POST, below, body).await
    }

    pub(crate) async fn status(&self, method: Method, below: &str) -> u16 {
        self.rest(method, below, "").await.status
    }

    pub(crate) async fn request(&self, request: Request<Full<Bytes>>) -> RestResponse {
        request_to(&self.service, request).await
    }

    /// Sends `{"target":"m","arguments":[text]}` and expects 202.
    pub(crate) async fn send(&self, below: &str, text: &str) {
        let body = json!({ "target": "m", "arguments": [text] }).to_string();
        let answer = self.post(below, &body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED.as_u16(), "{:?}", answer.body);
    }
}

/// Sends a request to the service without a socket.
pub(crate) async fn request_to(
    service: &LocalService,
    request: Request<Full<Bytes>>,
) -> RestResponse {
    let response = service.clone().call(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let code = parts.headers.get("x-ms-error-code").map(|it| it.to_str().unwrap().to_owned());
    let body = body.collect().await.unwrap().to_bytes();
    RestResponse { status: parts.status.as_u16(), code, headers: parts.headers, body }
}

/// The response to a request.
#[derive(Debug)]
pub(crate) struct RestResponse {
    pub(crate) status: u16,
    pub(crate) code: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl RestResponse {
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

/// The frame that clients receive after [`Fixture::send`].
pub(crate) fn message(text: &str) -> String {
    format!("{{\"type\":1,\"target\":\"m\",\"arguments\":[\"{text}\"]}}\x1e")
}
