//! A fake Functions host that speaks the real protocol to a custom handler. The host starts the program, waits
//! for its first response, and calls it for each route in `host.json` as a proxy, or for each function of a folder: with
//! forwarded requests, or with SignalR triggers.

use std::{
    collections::HashMap,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode},
    response::Response,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use test_support::{
    free_address,
    http_client::{self, HttpResponse},
};
use tokio::net::{TcpListener, TcpStream};

/// Key of the functions with the level `function` and of the SignalR extension, encoded for a URL.
pub(crate) const KEY: &str = "host%2Fkey%3D%3D";
const INVOCATION: &str = "c6c1f3b0-7c1e-4f0e-9a57-2f6f1f0c2a44";
const READY_EVERY: Duration = Duration::from_millis(25);

/// A running host and its handler. Dropping it stops both.
pub(crate) struct FakeHost {
    pub(crate) origin: String,
    pub(crate) handler: u16,
    child: Child,
    serving: tokio::task::JoinHandle<()>,
}

/// Functions of the host.
struct Functions {
    handler: u16,
    /// Names and bindings, sorted by name. The first one that fits a request gets it.
    all: Vec<(String, Value)>,
    /// Whether requests are passed on as a stream.
    proxies: bool,
}

impl FakeHost {
    /// Starts the handler with the functions of `folder` and with `settings`.
    pub(crate) async fn start(folder: &Path, settings: &[(&str, &str)]) -> Self {
        let handler = free_address().await.port();
        let host: Value = read(&folder.join("host.json"));
        let custom = &host["customHandler"];
        let proxies = custom["enableProxyingHttpRequest"] == true;
        assert_ne!(proxies, custom["enableForwardingHttpRequest"] == true);
        assert_eq!(host["extensions"]["http"]["routePrefix"], "");
        let child = start_handler(
            &[
                ("FUNCTIONS_CUSTOMHANDLER_PORT", &handler.to_string()),
                ("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", "b1d7a3f6-0a38-4a4e-9d3e-3f9a1b2c4d5e"),
                ("FUNCTIONS_HTTPWORKER_PORT", &handler.to_string()),
                ("FUNCTIONS_APP_ROOT_PATH", &folder.display().to_string()),
                ("FUNCTIONS_WORKER_RUNTIME", "custom"),
                ("WEBSITE_INSTANCE_ID", "0"),
            ],
            settings,
        );
        let all = functions(folder, &custom["http"]);
        let functions = Arc::new(Functions { handler, all, proxies });
        while call(handler, "GET", "/", &HeaderMap::new(), b"").await.is_none() {
            tokio::time::sleep(READY_EVERY).await;
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(functions);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { origin, handler, child, serving }
    }
}

impl Drop for FakeHost {
    fn drop(&mut self) {
        self.serving.abort();
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the example with only these variables.
pub(crate) fn start_handler(variables: &[(&str, &str)], settings: &[(&str, &str)]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_functions"))
        .env_clear()
        .envs(variables.iter().chain(settings).copied())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The functions of the folder, or those that the host makes of the routes in `host.json`.
fn functions(folder: &Path, http: &Value) -> Vec<(String, Value)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut functions: Vec<_> = entries
        .filter(|entry| entry.path().join("function.json").exists())
        .map(|entry| {
            let bindings = read(&entry.path().join("function.json"))["bindings"].clone();
            (entry.file_name().into_string().unwrap(), bindings)
        })
        .collect();
    if let Some(routes) = http["routes"].as_array() {
        assert!(
            functions.is_empty(),
            "Detected both function.json files and custom handler HTTP route configuration"
        );
        let methods = ["get", "post", "put", "delete", "patch", "head", "options"];
        let function = |(index, route): (usize, &Value)| {
            let level =
                route.get("authorizationLevel").unwrap_or(&http["defaultAuthorizationLevel"]);
            let trigger = json!({
                "type": "httpTrigger", "authLevel": level, "methods": methods, "route": route["route"],
            });
            (format!("http-handler{}", index + 1), json!([trigger, {"type": "http"}]))
        };
        functions.extend(routes.iter().enumerate().map(function));
    }
    functions.sort_by_key(|(name, _)| name.to_ascii_lowercase());
    functions
}

/// Handles one request to the host.
async fn answer(State(functions): State<Arc<Functions>>, request: Request) -> Response {
    let path = request.uri().path().trim_matches('/').to_owned();
    let query = request.uri().query().unwrap_or_default();
    let has_key = query.split('&').any(|pair| pair.strip_prefix("code=") == Some(KEY));
    if path == "runtime/webhooks/signalr" {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        return if has_key { trigger(&functions, &parts.headers, &body).await } else { plain(401) };
    }
    let found = functions.all.iter().find(|(_, bindings)| {
        let trigger = &bindings[0];
        trigger["type"] == "httpTrigger"
            && fits(trigger["route"].as_str().unwrap(), &path)
            && allows(trigger, request.method())
    });
    let Some((_, bindings)) = found else { return plain(404) };
    assert_eq!((bindings.as_array().unwrap().len(), &bindings[1]["type"]), (2, &json!("http")));
    match bindings[0]["authLevel"].as_str() {
        Some("anonymous") => {}
        Some("function") if has_key => {}
        _ => return plain(401),
    }
    match functions.proxies {
        true => proxy(functions.handler, request).await,
        false => forward(functions.handler, request).await,
    }
}

/// Whether a route of the functions fits a path.
fn fits(route: &str, path: &str) -> bool {
    route.starts_with("{*") || route.eq_ignore_ascii_case(path)
}

/// Passes on a request and its response as they arrive, with the original `Host` and the headers of the host.
async fn proxy(port: u16, mut request: Request) -> Response {
    request.headers_mut().insert("x-ms-invocation-id", INVOCATION.parse().unwrap());
    mark(request.headers_mut());
    pass_on(port, request).await
}

/// Adds the headers that the host sets on every request to the handler.
fn mark(headers: &mut HeaderMap) {
    headers.insert("x-azure-functions-invocationid", INVOCATION.parse().unwrap());
    headers.insert("x-azure-functions-hostversion", "4.1037.0".parse().unwrap());
}

/// Passes on a request and its response as they arrive.
pub(crate) async fn pass_on(port: u16, mut request: Request) -> Response {
    let target = request.uri().path_and_query().unwrap().as_str().parse().unwrap();
    *request.uri_mut() = target;
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender.send_request(request).await.unwrap().map(Body::new)
}

/// Sends the request to the same path of the handler, and reads the response to its end. The host passes on a body only if
/// the request has a length.
async fn forward(port: u16, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    mark(&mut parts.headers);
    let forwarded = parts.headers.contains_key("content-length").then_some(&body[..]);
    let target = parts.uri.path_and_query().unwrap().as_str();
    let method = parts.method.as_str();
    let forwarded = forwarded.unwrap_or_default();
    let answer = call(port, method, target, &parts.headers, forwarded).await.unwrap();
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap();
    *response.headers_mut() = answer.headers;
    for by_hop in ["connection", "content-length", "date"] {
        response.headers_mut().remove(by_hop);
    }
    response
}

fn allows(trigger: &Value, method: &Method) -> bool {
    trigger["methods"]
        .as_array()
        .unwrap()
        .iter()
        .any(|allowed| allowed.as_str().unwrap().eq_ignore_ascii_case(method.as_str()))
}

fn plain(status: u16) -> Response {
    Response::builder().status(status).body(Body::empty()).unwrap()
}

/// The SignalR extension: parses the message, calls the function of the event, frames the completion.
async fn trigger(functions: &Functions, headers: &HeaderMap, body: &[u8]) -> Response {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let [hub, category, event] =
        ["x-asrs-hub", "x-asrs-category", "x-asrs-event"].map(|name| header(name).unwrap());
    let message: Value = serde_json::from_slice(body).unwrap();
    let fits = |trigger: &Value, key: &str, wanted: &str| {
        trigger[key].as_str().is_some_and(|held| held.eq_ignore_ascii_case(wanted))
    };
    let found = functions.all.iter().find(|(_, bindings)| {
        let trigger = &bindings[0];
        trigger["type"] == "signalRTrigger"
            && fits(trigger, "hubName", &hub)
            && fits(trigger, "category", &category)
            && fits(trigger, "event", &event)
    });
    let Some((name, bindings)) = found else { return plain(404) };
    let names = headers.keys().map(|name| (name.as_str(), header(name.as_str()).unwrap()));
    let context = json!({
        "Arguments": message["arguments"], "Error": message["Error"], "Category": category,
        "Event": event, "Hub": hub, "ConnectionId": header("x-asrs-connection-id"),
        "UserId": header("x-asrs-user-id"), "Headers": names.collect::<HashMap<_, _>>(),
        "Query": null, "Claims": null,
    });
    let invocation = json!({
        "Data": {bindings[0]["name"].as_str().unwrap(): context},
        "Metadata": {"sys": {"MethodName": name, "UtcNow": "\"2026-11-20T09:00:00Z\""}},
    });
    let mut asked = HeaderMap::new();
    asked.insert("content-type", "application/json; charset=utf-8".parse().unwrap());
    mark(&mut asked);
    asked.insert("user-agent", "Azure-Functions-Host/4.1037.0".parse().unwrap());
    let invocation = invocation.to_string();
    let path = format!("/{name}");
    let answer =
        call(functions.handler, "POST", &path, &asked, invocation.as_bytes()).await.unwrap();
    completion(&message, &answer)
}

fn completion(message: &Value, answer: &HttpResponse) -> Response {
    let Some(id) = message["invocationId"].as_str() else {
        let connected = message["type"] == 10;
        return plain(if connected && answer.status != 200 { 403 } else { 200 });
    };
    let completion = if (200..300).contains(&answer.status) {
        assert_eq!(answer.headers["content-type"], "application/json");
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert!(
            body.is_object(),
            "the host would wait forever, because the response is not an object"
        );
        json!({"type": 3, "invocationId": id, "result": body["ReturnValue"]})
    } else {
        let (status, reason) = (answer.status, &answer.reason);
        let text = format!("Response status code does not indicate success: {status} ({reason}).");
        json!({"type": 3, "invocationId": id, "error": text})
    };
    Response::new(Body::from(format!("{completion}\u{1e}")))
}

/// Sends one request to the handler. Returns `None` while nothing listens on the port.
pub(crate) async fn call(
    port: u16,
    method: &str,
    target: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Option<HttpResponse> {
    let per_connection = ["host", "connection", "content-length", "transfer-encoding"];
    let headers: Vec<_> = headers
        .iter()
        .filter(|(name, _)| !per_connection.contains(&name.as_str()))
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    http_client::try_send(("127.0.0.1", port), method, target, &headers, body).await
}
