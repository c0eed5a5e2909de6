//! A fake of Lambda for programs with a custom runtime: the runtime API that provides events, and a
//! function URL that turns requests into events.

use std::{
    collections::HashMap,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, Method, Response, StatusCode, Uri},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{Mutex as AsyncMutex, mpsc, oneshot},
    task::JoinSet,
};

/// Required variables, with the values that Lambda sets.
const VARIABLES: [(&str, &str); 6] = [
    ("AWS_LAMBDA_FUNCTION_NAME", "talk"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_REGION", "eu-central-1"),
    ("_HANDLER", "bootstrap"),
    ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
];

/// A function with a URL. Dropping it stops the program and the fake servers.
pub(crate) struct FakeLambda {
    pub(crate) url: String,
    pub(crate) events: FunctionUrl,
    child: Child,
    _servers: JoinSet<()>,
}

type Waiting = Arc<Mutex<HashMap<String, oneshot::Sender<Result<Value, Value>>>>>;

#[derive(Clone)]
struct Runtime {
    events: Arc<AsyncMutex<mpsc::Receiver<(String, Value)>>>,
    waiting: Waiting,
}

#[derive(Clone)]
pub(crate) struct FunctionUrl {
    events: mpsc::Sender<(String, Value)>,
    waiting: Waiting,
    count: Arc<AtomicU64>,
}

impl FakeLambda {
    /// Starts the program with these settings as variables.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        let (events, received) = mpsc::channel(16);
        let waiting = Waiting::default();
        let runtime =
            Runtime { events: Arc::new(AsyncMutex::new(received)), waiting: waiting.clone() };
        let function = FunctionUrl { events, waiting, count: Arc::default() };
        let mut servers = JoinSet::new();
        let api = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(answered))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(failed))
            .with_state(runtime);
        let api = serve(&mut servers, api).await;
        let url =
            serve(&mut servers, Router::new().fallback(request).with_state(function.clone())).await;
        let child = start(&[("AWS_LAMBDA_RUNTIME_API", &api)], settings);
        Self { url: format!("http://{url}"), events: function, child, _servers: servers }
    }
}

impl Drop for FakeLambda {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the example with only these variables and the variables that Lambda sets.
pub(crate) fn start(variables: &[(&str, &str)], settings: &[(&str, &str)]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_bootstrap"))
        .env_clear()
        .envs(VARIABLES.iter().chain(variables).chain(settings).copied())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

async fn serve(servers: &mut JoinSet<()>, router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    servers.spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// Waits for the next event and returns it.
async fn next(State(runtime): State<Runtime>) -> Response<Body> {
    let next = runtime.events.lock().await.recv().await;
    let Some((id, event)) = next else { return status(410) };
    Response::builder()
        .header("Lambda-Runtime-Aws-Request-Id", id)
        .header("Lambda-Runtime-Deadline-Ms", "4102444800000")
        .header(
            "Lambda-Runtime-Invoked-Function-Arn",
            "arn:aws:lambda:eu-central-1:1:function:talk",
        )
        .header("Lambda-Runtime-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793")
        .header("Content-Type", "application/json")
        .body(Body::from(event.to_string()))
        .unwrap()
}

async fn answered(
    State(runtime): State<Runtime>,
    Path(id): Path<String>,
    body: Bytes,
) -> StatusCode {
    finish(&runtime, &id, Ok(serde_json::from_slice(&body).unwrap()))
}

async fn failed(State(runtime): State<Runtime>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    finish(&runtime, &id, Err(serde_json::from_slice(&body).unwrap_or_default()))
}

fn finish(runtime: &Runtime, id: &str, outcome: Result<Value, Value>) -> StatusCode {
    let waiting = runtime.waiting.lock().unwrap().remove(id);
    // The client of the request may have disconnected.
    let _ = waiting.expect("an invocation of this id").send(outcome);
    StatusCode::ACCEPTED
}

impl FunctionUrl {
    /// Sends an event to the function, and returns its answer.
    pub(crate) async fn invoke(&self, event: Value) -> Result<Value, Value> {
        let id = format!("id-{}", self.count.fetch_add(1, Ordering::SeqCst));
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id.clone(), answer);
        self.events.send((id, event)).await.unwrap();
        answered.await.unwrap()
    }
}

/// Turns a request to the function URL into an event of version 2.0, and returns its response.
async fn request(
    State(function): State<FunctionUrl>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    match function.invoke(event(&method, &uri, &headers, &body)).await {
        Ok(answer) => response(&answer),
        Err(_) => status(502),
    }
}

pub(crate) fn event(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Value {
    let joined = |name: &axum::http::HeaderName| {
        let values = headers.get_all(name).iter().map(|value| value.to_str().unwrap());
        (name.as_str().to_owned(), values.collect::<Vec<_>>().join(","))
    };
    let content_type = headers.get("content-type").map(|value| value.to_str().unwrap());
    let is_text =
        content_type.is_none_or(|kind| kind.starts_with("text/") || kind.contains("json"));
    let text = is_text.then(|| String::from_utf8(body.to_vec()).unwrap());
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": uri.path(),
        "rawQueryString": uri.query().unwrap_or_default(),
        "headers": headers.keys().map(joined).collect::<HashMap<_, _>>(),
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "url-id",
            "domainName": "url-id.lambda-url.eu-central-1.on.aws",
            "domainPrefix": "url-id",
            "http": {
                "method": method.as_str(),
                "path": uri.path(),
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "test",
            },
            "requestId": "e1506fd5-9e7b-434f-bd42-4f8fa224b599",
            "routeKey": "$default",
            "stage": "$default",
            "time": "20/Nov/2026:09:00:00 +0000",
            "timeEpoch": 1_795_165_200_000_u64,
        },
        "body": text.clone().unwrap_or_else(|| STANDARD.encode(body)),
        "isBase64Encoded": text.is_none(),
    })
}

fn response(answer: &Value) -> Response<Body> {
    let mut response = Response::builder().status(answer["statusCode"].as_u64().unwrap() as u16);
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        response = response.header(name, value.as_str().unwrap());
    }
    let body = answer["body"].as_str().unwrap_or_default();
    let body = match answer["isBase64Encoded"].as_bool() {
        Some(true) => STANDARD.decode(body).unwrap(),
        _ => body.as_bytes().to_vec(),
    };
    response.body(Body::from(body)).unwrap()
}

fn status(status: u16) -> Response<Body> {
    Response::builder().status(status).body(Body::empty()).unwrap()
}
