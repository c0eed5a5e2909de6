//! The endpoints of the inspector: files, state, events, actions, and who may use them.

mod acting;
mod events;
mod secrets;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hub_local::{Inspector, LocalService};
use serde_json::{Value, json};
use test_support::Client;
use tower_service::Service as _;

use crate::support::{App, Fixture, KEY, RestResponse, URL, answer, client_token, request_to};

const HOST: &str = "127.0.0.1:8888";

/// A service with an inspector, and an app that completes each call with the sum 3.
pub(crate) struct Inspected {
    pub(crate) fixture: Fixture,
    pub(crate) token: String,
}

impl Inspected {
    pub(crate) fn new(settings: Inspector) -> Self {
        Self::with(settings, App::new(|call| async move { sum(&call) }))
    }

    pub(crate) fn with(settings: Inspector, app: App) -> Self {
        test_support::output::record();
        let builder = LocalService::builder().key(KEY).upstream(app.clone()).inspector(settings);
        let service = builder.build();
        let url = service.inspector_url().unwrap();
        let (page, token) = url.expose().split_once('#').unwrap();
        assert_eq!(page, format!("{URL}/inspector"));
        let token = token.to_owned();
        Self { fixture: Fixture { service, app }, token }
    }

    fn request(&self, method: Method, path: &str, body: &str) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap();
        let headers = request.headers_mut();
        headers.insert(header::HOST, HOST.parse().unwrap());
        headers.insert(header::AUTHORIZATION, format!("Bearer {}", self.token).parse().unwrap());
        headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        request
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> RestResponse {
        request_to(&self.fixture.service, request).await
    }

    pub(crate) async fn get(&self, path: &str) -> RestResponse {
        self.send(self.request(Method::GET, path, "")).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> RestResponse {
        self.send(self.request(Method::POST, path, &body.to_string())).await
    }

    /// All events that are kept.
    pub(crate) async fn events(&self) -> Vec<Value> {
        let answer = self.get("/inspector/events?follow=0").await;
        assert_eq!(answer.status, 200);
        let text = str::from_utf8(&answer.body).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The events of this kind.
    pub(crate) async fn events_of(&self, kind: &str) -> Vec<Value> {
        self.events().await.into_iter().filter(|event| event["kind"] == kind).collect()
    }

    pub(crate) async fn state(&self) -> Value {
        self.get("/inspector/state").await.json()
    }
}

/// The completion with the result 3; an empty response to events.
pub(crate) fn sum(call: &crate::support::Call) -> http::Response<Bytes> {
    match call.header("x-asrs-category") {
        Some("messages") if call.json()["invocationId"].is_string() => call.completion(&json!(3)),
        _ => answer(200, ""),
    }
}

/// Calls a method and waits for the completion.
pub(crate) async fn invoke(client: &mut Client, id: &str, method: &str, arguments: Value) -> Value {
    let message =
        json!({ "type": 1, "invocationId": id, "target": method, "arguments": arguments });
    client.send(&message).await;
    client.recv().await
}

#[tokio::test]
async fn files_need_no_token_and_contain_no_data() {
    let inspected = Inspected::new(Inspector::new());

    for path in ["/inspector", "/inspector/", "/inspector/index.html", "/inspector/app.js"] {
        let mut request = inspected.request(Method::GET, path, "");
        request.headers_mut().remove(header::AUTHORIZATION);
        let answer = inspected.send(request).await;
        assert_eq!(answer.status, 200, "{path}");
        let header = |name: &str| answer.headers.get(name).unwrap().to_str().unwrap();
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(
            !policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("x-frame-options"), "DENY");
        let body = String::from_utf8_lossy(&answer.body);
        assert!(!body.contains(&inspected.token) && !body.contains(KEY));
    }
    let posted = inspected.send(inspected.request(Method::POST, "/inspector", "")).await;
    assert_eq!(
        (posted.status, posted.headers[header::ALLOW].to_str().unwrap()),
        (405, "GET, HEAD")
    );
}

#[tokio::test]
async fn without_an_inspector_its_paths_do_not_exist() {
    let service = LocalService::builder().key(KEY).build();

    assert!(service.inspector_url().is_none());
    for path in ["/inspector", "/inspector/state", "/inspector/app.js"] {
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = path.parse().unwrap();
        assert_eq!(request_to(&service, request).await.status, 404, "{path}");
    }
}

/// A refusal has JSON with the problem and what to do.
fn refusal(answer: &RestResponse, status: u16) -> String {
    assert_eq!(answer.status, status, "{:?}", answer.body);
    let json = answer.json();
    assert!(!json["fix"].as_str().unwrap().is_empty());
    assert!(answer.headers.get("access-control-allow-origin").is_none());
    json["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn data_needs_the_token_of_this_start() {
    let inspected = Inspected::new(Inspector::new());
    let other = Inspected::new(Inspector::new());

    for path in ["/inspector/state", "/inspector/events", "/inspector/act", "/inspector/client"] {
        for token in [None, Some(""), Some("wrong"), Some(other.token.as_str())] {
            let method = if path.ends_with("act") { Method::POST } else { Method::GET };
            let mut request = inspected.request(method, path, "{}");
            request.headers_mut().remove(header::AUTHORIZATION);
            if let Some(token) = token {
                let value = format!("Bearer {token}").parse().unwrap();
                request.headers_mut().insert(header::AUTHORIZATION, value);
            }
            let answer = inspected.send(request).await;
            assert!(refusal(&answer, 401).contains("token"), "{path}");
            assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer");
        }
    }
    let in_query = format!("/inspector/state?token={}&access_token={0}", inspected.token);
    let mut request = inspected.request(Method::GET, &in_query, "");
    request.headers_mut().remove(header::AUTHORIZATION);
    refusal(&inspected.send(request).await, 401);
    assert_eq!(inspected.get("/inspector/state").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn many_wrong_tokens_get_429_and_the_right_one_passes() {
    let inspected = Inspected::new(Inspector::new());
    let wrong = || {
        let mut request = inspected.request(Method::GET, "/inspector/state", "");
        request.headers_mut().insert(header::AUTHORIZATION, "Bearer wrong".parse().unwrap());
        inspected.send(request)
    };

    for _ in 0..20 {
        assert_eq!(wrong().await.status, 401);
    }
    let refused = wrong().await;
    refusal(&refused, 429);
    assert_eq!(refused.headers[header::RETRY_AFTER], "10");
    assert_eq!(inspected.get("/inspector/state").await.status, 200);
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused() {
    let inspected = Inspected::new(Inspector::new());
    let with = |name: header::HeaderName, value: &str| {
        let mut request = inspected.request(Method::GET, "/inspector/state", "");
        request.headers_mut().insert(name, value.parse().unwrap());
        inspected.send(request)
    };

    for host in ["evil.example", "10.0.0.1", "localhost.evil.example:8888", "a@localhost"] {
        refusal(&with(header::HOST, host).await, 403);
    }
    for host in ["localhost", "127.0.0.1:1", "[::1]:8888", "LOCALHOST:8888"] {
        assert_eq!(with(header::HOST, host).await.status, 200, "{host}");
    }
    for origin in [
        "http://evil.example",
        "null",
        "http://localhost:8888",
        "http://127.0.0.1:8889",
        "http://127.0.0.1",
        "file://127.0.0.1:8888",
    ] {
        refusal(&with(header::ORIGIN, origin).await, 403);
    }
    assert_eq!(with(header::ORIGIN, "http://127.0.0.1:8888").await.status, 200);
    let site = header::HeaderName::from_static("sec-fetch-site");
    for foreign in ["cross-site", "same-site"] {
        refusal(&with(site.clone(), foreign).await, 403);
    }
    assert_eq!(with(site, "same-origin").await.status, 200);
    let mut page = inspected.request(Method::GET, "/inspector", "");
    page.headers_mut().insert(header::HOST, "evil.example".parse().unwrap());
    refusal(&inspected.send(page).await, 403);
}

#[tokio::test]
async fn requests_through_a_proxy_need_a_token_of_the_operator() {
    let through_a_proxy = async |inspector, path, name: &'static str| {
        let inspected = Inspected::new(inspector);
        let mut request = inspected.request(Method::GET, path, "");
        let name = header::HeaderName::from_static(name);
        request.headers_mut().insert(name, "for=192.0.2.1".parse().unwrap());
        inspected.send(request).await
    };

    for name in ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"] {
        for path in ["/inspector", "/inspector/state"] {
            let refused = refusal(&through_a_proxy(Inspector::new(), path, name).await, 403);
            assert!(refused.contains("a proxy has passed on"), "{refused}");
        }
    }
    let given = Inspector::new().token("a-token-of-the-operator");
    let served = through_a_proxy(given, "/inspector", "x-forwarded-for").await;
    assert_eq!(served.status, 200);
}

#[tokio::test]
async fn beyond_loopback_the_inspector_needs_a_token_of_the_operator() {
    const TOKEN: &str = "a-token-of-the-operator";
    let service = |inspector| {
        let builder = LocalService::builder().key(KEY).public(true).inspector(inspector);
        builder.build()
    };
    let (random, given) = (service(Inspector::new()), service(Inspector::new().token(TOKEN)));

    random.set_public_url("https://live.example").unwrap();
    given.set_public_url("https://live.example").unwrap();

    assert!(random.inspector_url().is_none());
    assert_eq!(
        given.inspector_url().unwrap().expose(),
        format!("https://live.example/inspector#{TOKEN}")
    );
    let get = async |service: &LocalService, host: &str| {
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = "/inspector/state".parse().unwrap();
        let headers = request.headers_mut();
        headers.insert(header::HOST, host.parse().unwrap());
        headers.insert(header::AUTHORIZATION, format!("Bearer {TOKEN}").parse().unwrap());
        request_to(service, request).await.status
    };
    assert_eq!(get(&random, "live.example").await, 404);
    assert_eq!(get(&given, "live.example").await, 200);
    assert_eq!(get(&given, "localhost").await, 200);
    assert_eq!(get(&given, "other.example").await, 403);
}

#[tokio::test]
async fn a_listener_beyond_loopback_ends_an_inspector_with_a_random_token() {
    let key = "a-key-that-is-long-enough";
    let service = LocalService::builder().key(key).inspector(Inspector::new()).build();
    let listener = hub_local::listen(([0, 0, 0, 0], 0).into()).unwrap();

    let serving = tokio::spawn(service.serve(listener));

    test_support::eventually(|| service.inspector_url().is_none()).await;
    service.shutdown().await;
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_state_has_stations_hubs_clients_groups_and_users() {
    let inspected = Inspected::new(Inspector::new().mask(["password"]));
    let (mut client, id) = inspected.fixture.client_and_id("ada").await;
    let group = |path: &str| format!("groups/room{path}");
    for below in [group(&format!("/connections/{id}")), "users/ada/groups/team?ttl=60".to_owned()] {
        assert!(inspected.fixture.status(Method::PUT, &below).await < 300);
    }
    invoke(&mut client, "1", "add", json!([1, 2])).await;

    let state = inspected.state().await;

    assert_eq!(state["version"], 1);
    assert_eq!(state["service"]["url"], URL);
    assert_eq!(
        (&state["service"]["payloads"], &state["service"]["masked"]),
        (&json!(true), &json!(["password"]))
    );
    assert_eq!(state["stations"]["clients"]["count"], 1);
    assert_eq!(state["stations"]["clients"]["by_transport"], json!({ "Memory": 1 }));
    assert_eq!(state["stations"]["clients"]["by_protocol"], json!({ "json": 1 }));
    assert_eq!(state["stations"]["apps"][0]["reachable"], true);
    assert!(state["stations"]["service"]["calls_per_second"].as_f64().unwrap() > 0.0);
    assert_eq!(state["hubs"], json!([{ "name": "chat", "clients": 1, "contract": null }]));
    let shown = &state["clients"][0];
    assert_eq!((&shown["connection"], &shown["user"]), (&json!(id), &json!("ada")));
    assert_eq!(
        (&shown["transport"], &shown["groups"]),
        (&json!("Memory"), &json!(["room", "team"]))
    );
    assert!(shown["since"].as_str().unwrap() <= shown["last_seen"].as_str().unwrap());
    let group = |name: &str| json!({ "hub": "chat", "name": name, "members": 1 });
    assert_eq!(state["groups"], json!([group("room"), group("team")]));
    assert_eq!(state["users"][0]["groups"][0]["name"], "team");
    assert!((55..=60).contains(&state["users"][0]["groups"][0]["ttl_seconds"].as_u64().unwrap()));
    assert_eq!(state["events"]["left_out"], 0);
    assert_eq!(state["events"]["kept"], state["events"]["last"]);
}

#[tokio::test]
async fn the_lists_of_the_state_are_cut_and_searched() {
    let inspected = Inspected::new(Inspector::new());
    let mut clients = Vec::new();
    for user in ["ada", "bob", "beatrix"] {
        clients.push(inspected.fixture.client(user).await);
    }
    let get = async |query: &str| {
        let state = inspected.get(&format!("/inspector/state?{query}")).await.json();
        let users = state["clients"].as_array().unwrap().clone();
        let users: Vec<_> =
            users.iter().map(|it| it["user"].as_str().unwrap().to_owned()).collect();
        (users, state["clients_total"].as_u64().unwrap(), state["users_total"].as_u64().unwrap())
    };

    let owned = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    assert_eq!(get("").await, (owned(&["ada", "bob", "beatrix"]), 3, 3));
    assert_eq!(get("clients=1&offset=1").await, (owned(&["bob"]), 3, 3));
    assert_eq!(get("clients=0").await, (owned(&[]), 3, 3));
    assert_eq!(get("find=BEATRIX").await, (owned(&["beatrix"]), 1, 1));
}

#[tokio::test]
async fn methods_and_content_types_are_checked() {
    let inspected = Inspected::new(Inspector::new());

    for (method, path, allow) in [
        (Method::POST, "/inspector/state", "GET"),
        (Method::DELETE, "/inspector/events", "GET"),
        (Method::GET, "/inspector/act", "POST"),
        (Method::PUT, "/inspector/client", "POST"),
    ] {
        let answer = inspected.send(inspected.request(method, path, "{}")).await;
        refusal(&answer, 405);
        assert_eq!(answer.headers[header::ALLOW], allow);
    }
    refusal(&inspected.get("/inspector/nothing").await, 404);
    let mut form = inspected.request(Method::POST, "/inspector/act", "{\"action\":\"clear\"}");
    form.headers_mut().insert(header::CONTENT_TYPE, "text/plain".parse().unwrap());
    refusal(&inspected.send(form).await, 415);
    for body in ["", "[]", "{\"action\":\"dance\"}", "{\"action\":\"send\",\"hub\":\"chat\"}"] {
        let answer = inspected.send(inspected.request(Method::POST, "/inspector/act", body)).await;
        refusal(&answer, 400);
    }
    let long = format!("{{\"action\":\"clear\",\"x\":\"{}\"}}", "x".repeat(1024 * 1024));
    let answer = inspected.send(inspected.request(Method::POST, "/inspector/act", &long)).await;
    refusal(&answer, 413);
}

/// Reads the body of a response until it contains a text.
async fn read_until(
    body: &mut (impl http_body::Body<Data = Bytes, Error: std::fmt::Debug> + Unpin),
    text: &str,
) -> String {
    let mut read = String::new();
    while !read.contains(text) {
        let frame = test_support::within("a frame", body.frame()).await.unwrap().unwrap();
        read.push_str(str::from_utf8(&frame.into_data().unwrap()).unwrap());
    }
    read
}

/// Opens a stream of events.
async fn follow(inspected: &Inspected, path: &str) -> (HeaderMap, hub_local::Body) {
    let mut service = inspected.fixture.service.clone();
    let request = inspected.request(Method::GET, path, "");
    let response = service.call(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let (parts, body) = response.into_parts();
    (parts.headers, body)
}

/// Connects a client with this token.
fn connect(inspected: &Inspected) -> Client {
    let url = format!("{URL}/client/?hub=chat");
    let connected = inspected.fixture.service.connect_memory(&url, &client_token("ada"));
    Client::in_memory(connected.unwrap())
}
