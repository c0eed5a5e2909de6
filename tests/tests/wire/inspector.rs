//! The inspector of an app that embeds the service, and the page at `/`.

use http::{Request, header};
use http_body_util::Empty;
use hub_runtime::{Inspector, SignalR, prelude::*};
use serde_json::{Value, json};
use test_support::{AppResponse, Client, answer, http_client};

struct Chat;

/// A chat.
#[serverless_hub]
impl Chat {
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::user("ada").claim("name", "Bob, role: admin"))
    }

    /// Adds two numbers, and tells everyone.
    async fn add(&self, cx: &Context<Self>, left: i64, right: i64) -> HubResult<i64> {
        cx.clients().all().send("added", (left + right,)).await?;
        Ok(left + right)
    }
}

fn app(settings: &[(&str, &str)]) -> HubApp {
    let settings = [("HUB_LOCAL_PORT", "0")].iter().chain(settings).copied().collect();
    let signalr = SignalR::from_settings_or_local(settings).unwrap();
    HubApp::builder().signalr(signalr).hub(Chat).build().unwrap()
}

async fn get(app: &HubApp, path: &str, host: &str) -> AppResponse {
    let request = Request::get(path).header(header::HOST, host);
    answer(app, request.body(Empty::<bytes::Bytes>::new()).unwrap()).await
}

#[tokio::test]
async fn the_page_at_the_root_names_hubs_and_inspector_without_the_token() {
    let app = app(&[]);

    let page = get(&app, "/", "127.0.0.1:7071").await;

    assert_eq!(page.status, 200);
    assert!(page.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"));
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(page.body.contains("<li>chat</li>"), "{}", page.body);
    let address = format!("<code>{}/inspector</code>", app.client_url());
    assert!(page.body.contains(&address) && !page.body.contains('#'), "{}", page.body);
    for (path, host) in [("/", "10.0.0.1"), ("/", "app"), ("/other", "localhost")] {
        assert_eq!(get(&app, path, host).await.status, 404, "{path} {host}");
    }
}

#[tokio::test]
async fn without_the_embedded_service_the_root_is_not_found() {
    let text =
        "Endpoint=http://127.0.0.1:1;AccessKey=0123456789abcdef0123456789abcdef;Version=1.0;";
    let signalr = SignalR::from_connection_string(text).unwrap();
    let app = HubApp::builder().signalr(signalr).hub(Chat).build().unwrap();

    assert_eq!(get(&app, "/", "localhost").await.status, 404);
}

#[tokio::test]
async fn settings_and_code_turn_the_inspector_off() {
    let off = app(&[("HUB_LOCAL_INSPECTOR", "off")]);
    assert!(get(&off, "/", "localhost").await.body.contains("The inspector is off"));
    let public = app(&[("HUB_LOCAL_URL", "http://localhost:5000")]);
    assert!(get(&public, "/", "localhost").await.body.contains("The inspector is off"));
    let local = || HubApp::builder().signalr(SignalR::local()).hub(Chat);
    let by_code = local().without_inspector().build().unwrap();
    assert!(get(&by_code, "/", "localhost").await.body.contains("The inspector is off"));
}

#[tokio::test]
async fn invalid_settings_of_the_inspector_are_problems_at_start() {
    for (settings, problem) in [
        (&[("HUB_LOCAL_INSPECTOR", "maybe")][..], "HUB_LOCAL_INSPECTOR is neither on nor off"),
        (&[("HUB_LOCAL_INSPECTOR_TOKEN", "short")], "HUB_LOCAL_INSPECTOR_TOKEN has fewer than 16"),
        (
            &[("HUB_LOCAL_INSPECTOR", "on"), ("HUB_LOCAL_URL", "https://live.example")],
            "HUB_LOCAL_INSPECTOR needs HUB_LOCAL_INSPECTOR_TOKEN",
        ),
    ] {
        let settings = settings.iter().copied().collect();
        let error = SignalR::from_settings_or_local(settings).unwrap_err().to_string();
        assert!(error.contains(problem) && !error.contains("short"), "{error}");
    }
}

/// Sends a request to the inspector over a socket.
async fn inspector(app: &HubApp, path: &str, token: &str, body: Option<Value>) -> String {
    let address = app.client_url().trim_start_matches("http://");
    let method = if body.is_some() { "POST" } else { "GET" };
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let token = format!("Bearer {token}");
    let headers = [("Authorization", token.as_str()), ("Content-Type", "application/json")];
    let path = format!("/inspector/{path}");
    let response = http_client::send(address, method, &path, &headers, body.as_bytes()).await;
    assert_eq!(response.status, 200, "{}", response.text());
    response.text().to_owned()
}

#[tokio::test]
async fn a_call_of_the_app_is_seen_with_contract_claims_and_sends() {
    const TOKEN: &str = "a-token-of-the-operator";
    let signalr = SignalR::from_settings_or_local([("HUB_LOCAL_PORT", "0")].into_iter().collect());
    let inspector_settings = Inspector::new().token(TOKEN);
    let builder = HubApp::builder().signalr(signalr.unwrap()).hub(Chat);
    let app = builder.inspector(inspector_settings).build().unwrap();
    let given =
        json!({ "hub": "chat", "user": "eve", "claims": [{ "type": "role", "value": "a" }] });

    let given: Value =
        serde_json::from_str(&inspector(&app, "client", TOKEN, Some(given)).await).unwrap();
    let url = format!("{}/client/?hub=chat", app.client_url());
    let token = given["accessToken"].as_str().unwrap();
    let mut client = Client::web_socket(&url, token).await.unwrap();
    client.handshake().await;
    let (completion, _) = client.invoke_among_others("add", json!([1, 2])).await;
    assert_eq!(
        completion["result"], 3,
        "a hub with negotiate accepts the token of the test client"
    );

    let state: Value = serde_json::from_str(&inspector(&app, "state", TOKEN, None).await).unwrap();
    assert_eq!(state["service"]["mode"], "embedded");
    let hub = &state["hubs"][0];
    assert_eq!((&hub["name"], &hub["contract"]["docs"]), (&json!("chat"), &json!("A chat.")));
    assert_eq!(hub["contract"]["methods"][0]["name"], "add");
    assert_eq!(state["clients"][0]["transport"], "WebSockets");
    assert_eq!(state["clients"][0]["claims"][0], json!({ "type": "role", "value": "a" }));
    let lines = inspector(&app, "events?follow=0", TOKEN, None).await;
    let events: Vec<Value> = lines
        .lines()
        .filter_map(|it| serde_json::from_str(it).ok())
        .filter(Value::is_object)
        .collect();
    let of = |kind: &str| events.iter().find(|event| event["kind"] == kind).unwrap();
    let call = &of("invocation")["call"];
    assert_eq!((&of("send")["via"], &of("send")["recipients"]), (&json!("embedded"), &json!(1)));
    assert_eq!(of("send")["calls"], json!([call]));
    assert_eq!((&of("completion")["result"], &of("completion")["call"]), (&json!(3), call));
    assert!(!lines.contains(TOKEN) && !lines.contains(token));
}
