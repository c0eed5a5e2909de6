use hub_core::{
    Claims, Context, HubError, HubResult, Secret,
    seal::{self, Identity, SealKey},
    signature,
};
use hub_macros::serverless_hub;
use serde_json::{Value, json};

use super::*;
use crate::{
    HubAppBuilder, SignalR,
    config::{AccessToken, Retries, TokenSource, TokenSourceError},
};

const KEY: &str = "a-key-of-this-test-with-more-than-32-bytes";

struct Board;

#[serverless_hub(crate = crate)]
impl Board {
    async fn on_connected(&self) -> HubResult {
        Err(HubError::denied("Closed"))
    }

    async fn on_disconnected(&self, error: Option<String>) {
        assert_eq!(error.as_deref(), Some("gone"));
    }

    async fn add(&self, left: i64, right: Option<i64>) -> HubResult<i64> {
        Ok(left + right.unwrap_or(1))
    }

    async fn who(&self, ctx: &Context<Self>) -> HubResult<Vec<String>> {
        let role = ctx.claims().get("role").unwrap_or_default();
        Ok(vec![ctx.user_id().unwrap_or_default().to_owned(), role.to_owned()])
    }

    async fn nothing(&self) {}

    async fn refuse(&self) -> HubResult {
        Err(HubError::rejected("größer\r\nX-Evil: 1"))
    }
}

fn builder() -> HubAppBuilder {
    let text = format!("Endpoint=http://127.0.0.1:1;AccessKey={KEY};Version=1.0;");
    let signalr = SignalR::from_connection_string(&text).unwrap();
    HubApp::builder().signalr(signalr).hub(Board).retries(Retries::none())
}

fn app() -> HubApp {
    builder().keep_refused_connections().build().unwrap()
}

/// The headers of a genuine upstream request, as the host repeats them.
fn headers(category: &str, event: &str) -> Value {
    json!({
        "X-ASRS-Connection-Id": "conn-0001",
        "X-ASRS-Hub": "board",
        "X-ASRS-Category": category,
        "X-ASRS-Event": event,
        "X-ASRS-Signature": signature::sign(&Secret::from(KEY), "conn-0001"),
        "Content-Type": "application/x-msgpack",
        "Content-Length": "3",
    })
}

fn trigger(category: &str, event: &str, arguments: impl Into<Value>) -> Value {
    let arguments = arguments.into();
    json!({
        "Arguments": arguments, "Error": null, "Category": category, "Event": event, "Hub": "board",
        "ConnectionId": "conn-0001", "UserId": null, "Headers": headers(category, event),
        "Query": null, "Claims": null,
    })
}

/// The response of the app to the host: status, reason phrase, body.
async fn called(app: &HubApp, trigger: &Value) -> (u16, String, Value) {
    called_with(app, trigger, &[]).await
}

/// As [`called`], with more headers.
async fn called_with(
    app: &HubApp,
    trigger: &Value,
    headers: &[(&str, &str)],
) -> (u16, String, Value) {
    let body = json!({"Data": {"invocation": trigger}, "Metadata": {"sys": {}}});
    let request = http::Request::post("/board-add").header("X-Azure-Functions-InvocationId", "1");
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    app.functions_address(0);
    let answer = tower_service::Service::call(
        &mut app.service(),
        request.body(Full::<Bytes>::from(body.to_string())).unwrap(),
    );
    let Ok(answer) = answer.await;
    let reason = answer.extensions().get::<ReasonPhrase>();
    let reason = String::from_utf8(reason.map_or(Vec::new(), |r| r.as_bytes().to_vec())).unwrap();
    let status = answer.status().as_u16();
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
    (status, reason, serde_json::from_slice(&body).unwrap_or_default())
}

async fn invoked(event: &str, arguments: Value) -> (u16, String, Value) {
    called(&app(), &trigger("messages", event, arguments)).await
}

#[tokio::test]
async fn a_trigger_reaches_the_method_and_returns_its_result() {
    let (status, _, body) = invoked("add", json!([40, 2])).await;

    assert_eq!(status, 200);
    assert_eq!(body, json!({"Outputs": {}, "Logs": [], "ReturnValue": 42}));
}

#[tokio::test]
async fn a_double_encoded_value_is_the_same_call() {
    let once = Value::String(trigger("messages", "add", json!([40])).to_string());
    let twice = Value::String(once.to_string());

    assert_eq!(called(&app(), &once).await.2["ReturnValue"], 41);
    assert_eq!(called(&app(), &twice).await.2["ReturnValue"], 41);
}

#[tokio::test]
async fn a_method_without_a_result_returns_a_body() {
    let (status, _, body) = invoked("nothing", Value::Null).await;

    assert_eq!((status, body["ReturnValue"].is_null()), (200, true));
    assert!(body.is_object());
}

#[tokio::test]
async fn a_failure_is_a_status_with_the_text_in_the_status_line() {
    let (status, reason, _) = invoked("refuse", json!([])).await;
    assert_eq!((status, reason.as_str()), (500, "gr??er??X-Evil: 1"));

    let (status, reason, _) = invoked("add", json!(["x"])).await;
    assert_eq!(status, 500);
    assert!(reason.starts_with("argument 1 (`left`)"), "{reason}");
}

#[tokio::test]
async fn connection_events_get_the_same_statuses_as_over_http() {
    let connected = trigger("connections", "connected", Value::Null);
    assert_eq!(called(&app(), &connected).await.0, 403);

    let mut disconnected = trigger("connections", "disconnected", Value::Null);
    disconnected["Error"] = "gone".into();
    assert_eq!(called(&app(), &disconnected).await.0, 200);
}

#[tokio::test]
async fn the_calls_of_a_refused_connection_are_refused() {
    let app = builder().build().unwrap();
    assert_eq!(called(&app, &trigger("connections", "connected", Value::Null)).await.0, 403);

    let (status, reason, _) = called(&app, &trigger("messages", "add", json!([1]))).await;

    assert_eq!((status, &*reason), (500, "403 Forbidden: the connection was refused"));
}

#[tokio::test]
async fn a_call_without_a_genuine_signature_is_refused() {
    let genuine = trigger("messages", "add", json!([1]));
    let mut unsigned = genuine.clone();
    unsigned["Headers"].as_object_mut().unwrap().remove("X-ASRS-Signature");
    let mut another = genuine.clone();
    another["Headers"]["X-ASRS-Connection-Id"] = "conn-0002".into();
    let mut without_headers = genuine.clone();
    without_headers["Headers"] = Value::Null;

    assert_eq!(called(&app(), &genuine).await.0, 200);
    for forged in [unsigned, another, without_headers] {
        assert_eq!(called(&app(), &forged).await.0, 401, "{forged}");
    }
}

#[tokio::test]
async fn a_request_that_the_host_passes_on_as_a_proxy_is_no_call_of_a_function() {
    let genuine = trigger("messages", "add", json!([1]));
    let proxied = [("X-MS-Invocation-Id", "1")];

    let (status, reason, _) = called_with(&app(), &genuine, &proxied).await;

    assert_eq!((status, &*reason), (404, ""));
    assert_eq!(called(&app(), &genuine).await.0, 200);
}

#[tokio::test]
async fn an_app_with_an_upstream_code_refuses_triggers_which_contain_no_code() {
    let app = builder().upstream_code("a-code-of-this-test").build().unwrap();

    let genuine = trigger("messages", "add", json!([1]));
    let (status, reason, _) = called(&app, &genuine).await;

    assert_eq!((status, &*reason), (401, "the call has no upstream code"));
}

struct Source;

#[async_trait::async_trait]
impl TokenSource for Source {
    async fn token(&self, _: &str) -> Result<AccessToken, TokenSourceError> {
        Err(TokenSourceError::new("none here"))
    }
}

#[tokio::test]
async fn without_an_access_key_a_trigger_is_refused_even_with_a_code() {
    let signalr = SignalR::from_endpoint("http://127.0.0.1:1", Source).unwrap();
    let app = HubApp::builder().signalr(signalr).hub(Board).upstream_code("c0de").build().unwrap();

    let (status, _, _) = called(&app, &trigger("messages", "add", json!([1]))).await;

    assert_eq!(status, 401);
}

#[tokio::test]
async fn the_caller_comes_from_the_seal_not_from_the_host() {
    let claims: Claims = [("role".to_owned(), "member".to_owned())].into_iter().collect();
    let identity =
        Identity { hub: "board".to_owned(), user_id: Some("ada".to_owned()), issued_at: 1, claims };
    let sealed = seal::seal(&identity, &SealKey::derive(&Secret::from(KEY)));
    let mut trigger = trigger("messages", "who", json!([]));
    trigger["Headers"]["X-ASRS-User-Id"] = "ada".into();
    trigger["Headers"]["X-ASRS-User-Claims"] =
        format!("{}: {sealed}, role: admin", seal::CLAIM).into();
    trigger["UserId"] = "eve".into();
    trigger["Claims"] = json!({"role": "admin"});

    let (status, _, body) = called(&app(), &trigger).await;

    assert_eq!((status, &body["ReturnValue"]), (200, &json!(["ada", "member"])));
    trigger["Headers"]["X-ASRS-User-Id"] = "eve".into();
    assert_eq!(called(&app(), &trigger).await.0, 401);
}

#[tokio::test]
async fn without_the_functions_host_function_paths_are_not_found() {
    let body = json!({"Data": {"invocation": trigger("messages", "add", json!([1]))}}).to_string();
    let request = http::Request::post("/board-add").header("X-Azure-Functions-InvocationId", "1");

    let answer = tower_service::Service::call(
        &mut app().service(),
        request.body(Full::<Bytes>::from(body)).unwrap(),
    );

    let Ok(answer) = answer.await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_call_for_a_function_of_another_kind_is_not_found() {
    let timer = json!({"IsPastDue": false});

    assert_eq!(called(&app(), &timer).await.0, 404);
}
