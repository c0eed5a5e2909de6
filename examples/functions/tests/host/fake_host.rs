//! A fake Functions host that speaks the real protocol to a custom handler. The host starts the program, waits
//! for its first response, and calls it for each function of a folder: with forwarded requests, or with
//! SignalR triggers.

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
use serde_json::{Value, json};
use test_support::{
    free_address,
    http_client::{self, HttpResponse},
};
use tokio::net::TcpListener;

/// Key of the functions with the level `function` and of the SignalR extension, encoded for a URL.
pub(crate) const KEY: &str = "host%2Fkey%3D%3D";
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
    /// Names and bindings.
    all: Vec<(String, Value)>,
}

impl FakeHost {
    /// Starts the handler with the functions of `folder` and with `settings`.
    pub(crate) async fn start(folder: &Path, settings: &[(&str, &str)]) -> Self {
        let handler = free_address().await.port();
        let host: Value = read(&folder.join("host.json"));
        assert_eq!(host["customHandler"]["enableForwardingHttpRequest"], true);
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
        let functions = Arc::new(Functions { handler, all: functions(folder) });
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

fn functions(folder: &Path) -> Vec<(String, Value)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .filter(|entry| entry.path().join("function.json").exists())
        .map(|entry| {
            let bindings = read(&entry.path().join("function.json"))["bindings"].clone();
            (entry.file_name().into_string().unwrap(), bindings)
        })
        .collect()
}

/// Handles one request to the host.
async fn answer(State(functions): State<Arc<Functions>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let path = parts.uri.path().trim_matches('/').to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let has_key = query.split('&').any(|pair| pair.strip_prefix("code=") == Some(KEY));
    if path == "runtime/webhooks/signalr" {
        return if has_key { trigger(&functions, &parts.headers, &body).await } else { plain(401) };
    }
    let found = functions.all.iter().find(|(_, bindings)| {
        let trigger = &bindings[0];
        trigger["type"] == "httpTrigger"
            && trigger["route"].as_str().unwrap().eq_ignore_ascii_case(&path)
            && allows(trigger, &parts.method)
    });
    let Some((_, bindings)) = found else { return plain(404) };
    assert_eq!((bindings.as_array().unwrap().len(), &bindings[1]["type"]), (2, &json!("http")));
    if bindings[0]["authLevel"] == "function" && !has_key {
        return plain(401);
    }
    // The host forwards the request to the same path. It forwards a body only if the request has a length.
    let forwarded = parts.headers.contains_key("content-length").then_some(&body[..]);
    let target = parts.uri.path_and_query().unwrap().as_str();
    let method = parts.method.as_str();
    let forwarded = forwarded.unwrap_or_default();
    let answer = call(functions.handler, method, target, &parts.headers, forwarded).await.unwrap();
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
    asked.insert("x-azure-functions-invocationid", "c6c1f3b0".parse().unwrap());
    asked.insert("x-azure-functions-hostversion", "4.1037.0".parse().unwrap());
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
