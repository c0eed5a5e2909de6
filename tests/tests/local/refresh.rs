//! `:refreshAuth`: new claims and a new expiry for an open connection.

use std::{sync::Arc, time::Duration};

use http::{Method, Request};
use http_body_util::Full;
use hub_core::names::encode_segment;
use serde_json::{Value, json};
use tokio::{sync::Notify, time::Instant};

use crate::{
    support::{App, Fixture, RestResponse, answer, eventually, message, signed, unix_now},
    wire::{EVENTS, Negotiated, Wire},
};

const HANDSHAKE: &str = r#"{"protocol":"json","version":1}"#;
const AUDIENCE: &str = "http://127.0.0.1:8888/client/?hub=chat";
const PATH: &str = "connections/:refreshAuth?api-version=2024-12-01";
const CLAIMS: &str = "x-asrs-user-claims";

fn token_with(claims: &Value) -> String {
    let mut all = json!({ "aud": AUDIENCE, "exp": unix_now() + 3600 });
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    signed(&all)
}

/// A WebSocket client that has negotiated with these claims, and finished its handshake.
async fn connected(fixture: &Fixture, claims: &Value) -> (Negotiated, Wire) {
    let client = Negotiated::with(fixture, token_with(claims), "").await;
    let mut socket = client.web_socket().await;
    socket.send_text(HANDSHAKE).await;
    assert_eq!(socket.recv_text().await, "{}");
    fixture.app.called("connected").await;
    (client, socket)
}

fn connection_token(client: &Negotiated) -> &Value {
    &client.answer["connectionToken"]
}

async fn refresh(fixture: &Fixture, body: &Value) -> RestResponse {
    fixture.post(PATH, &body.to_string()).await
}

fn claims(pairs: &[(&str, &str)]) -> Value {
    pairs.iter().map(|(name, value)| json!({ "type": name, "value": value })).collect()
}

async fn call(socket: &mut Wire, id: &str, method: &str) {
    let call = json!({ "type": 1, "invocationId": id, "target": method, "arguments": [] });
    socket.send_text(&call.to_string()).await;
}

#[tokio::test(start_paused = true)]
async fn later_calls_have_the_new_claims_and_all_else_stays() {
    let fixture = Fixture::new(App::silent());
    let (client, mut socket) =
        connected(&fixture, &json!({ "asrs.s.uid": "ada", "role": "reader" })).await;
    call(&mut socket, "1", "before").await;
    let before = fixture.app.called("before").await;
    assert!(before.header(CLAIMS).unwrap().ends_with("role: reader"));

    let new = claims(&[("asrs.s.uid", "ada"), ("role", "a"), ("role", "b"), ("shub", "1.x.y")]);
    let body = json!({ "connectionToken": connection_token(&client), "claims": new });
    let refreshed = refresh(&fixture, &body).await;

    assert_eq!(refreshed.status, 200);
    let id = &client.answer["connectionId"];
    assert_eq!(refreshed.json(), json!({ "connectionId": id, "claims": new }));
    call(&mut socket, "2", "after").await;
    let after = fixture.app.called("after").await;
    assert_eq!(after.header(CLAIMS), Some("role: a, role: b, shub: 1.x.y"));
    for same in
        ["x-asrs-connection-id", "x-asrs-user-id", "x-asrs-signature", "x-asrs-client-query"]
    {
        assert_eq!(after.header(same), before.header(same), "{same}");
    }
    fixture.send("users/ada/:send", "hi").await;
    let completions = ["1", "2"].map(|id| format!("{{\"type\":3,\"invocationId\":\"{id}\"}}"));
    for expected in completions.into_iter().chain([message("hi").replace('\x1e', "")]) {
        assert_eq!(socket.recv_text().await, expected);
    }
    socket.send_text(r#"{"type":7}"#).await;
    let ended = fixture.app.called("disconnected").await;
    assert_eq!(ended.header(CLAIMS), after.header(CLAIMS));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_runs_keeps_its_claims_and_a_call_that_waits_gets_the_new_ones() {
    let (go, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (started, opened) = (Arc::clone(&go), Arc::clone(&gate));
    let app = App::new(move |call| {
        let (started, opened) = (Arc::clone(&started), Arc::clone(&opened));
        async move {
            if call.event == "first" {
                started.notify_one();
                opened.notified().await;
            }
            answer(200, "")
        }
    });
    let fixture = Fixture::new(app);
    let (client, mut socket) = connected(&fixture, &json!({ "sub": "ada", "role": "old" })).await;
    call(&mut socket, "1", "first").await;
    call(&mut socket, "2", "second").await;
    go.notified().await;

    let new = claims(&[("sub", "ada"), ("role", "new")]);
    let body = json!({ "connectionToken": connection_token(&client), "claims": new });
    assert_eq!(refresh(&fixture, &body).await.status, 200);
    gate.notify_one();

    let second = fixture.app.called("second").await;
    let first = fixture.app.called("first").await;
    assert!(first.header(CLAIMS).unwrap().ends_with("role: old, sub: ada"));
    assert_eq!(second.header(CLAIMS), Some("role: new, sub: ada"));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_cannot_change_the_user() {
    let fixture = Fixture::new(App::silent());
    let (ada, mut of_ada) = connected(&fixture, &json!({ "sub": "ada", "role": "r" })).await;
    let (nobody, _open) = connected(&fixture, &json!({ "role": "r" })).await;
    let refused = async |client: &Negotiated, new: &[(&str, &str)]| {
        let body = json!({ "connectionToken": connection_token(client), "claims": claims(new) });
        let refused = refresh(&fixture, &body).await;
        (refused.status, refused.code.unwrap_or_default())
    };
    let code = "Error.Connection.PermissionChangeRejected".to_owned();

    for new in [&[("sub", "bob")][..], &[("sub", "Ada")], &[("role", "r")], &[]] {
        assert_eq!(refused(&ada, new).await, (403, code.clone()), "{new:?}");
    }
    assert_eq!(refused(&nobody, &[("sub", "bob")]).await, (403, code));

    call(&mut of_ada, "1", "still").await;
    assert!(
        fixture.app.called("still").await.header(CLAIMS).unwrap().ends_with("role: r, sub: ada")
    );
    assert_eq!(refused(&nobody, &[("role", "s")]).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn each_invalid_call_has_its_status_and_code() {
    let fixture = Fixture::new(App::silent());
    let (client, mut socket) = connected(&fixture, &json!({ "sub": "ada" })).await;
    let pending = Negotiated::new(&fixture).await;
    let token = connection_token(&client).as_str().unwrap();
    let outcome = async |body: String| {
        let answer = fixture.post(PATH, &body).await;
        let target = answer.json()["target"].as_str().unwrap_or_default().to_owned();
        (answer.status, answer.code.unwrap_or_default(), target)
    };
    let invalid = |target: &str| (400, "Error.Request.Invalid".to_owned(), target.to_owned());
    let gone = (404, "Warning.Connection.NotExisted".to_owned(), String::new());

    for body in ["", "[]", "{", r#"{"connectionToken":5}"#, r#"{"claims":[{"type":"a"}]}"#] {
        assert_eq!(outcome(body.to_owned()).await, invalid("body"), "{body}");
    }
    for body in ["{}", r#"{"connectionToken":null}"#, r#"{"connectionToken":""}"#] {
        assert_eq!(outcome(body.to_owned()).await, invalid("connectionToken"), "{body}");
    }
    for expiry in ["\"soon\"", "\"2027-01-15T08:00:00\""] {
        let body = format!(r#"{{"connectionToken":"{token}","expireTime":{expiry}}}"#);
        assert_eq!(outcome(body).await, invalid("expireTime"), "{expiry}");
    }
    let large = json!({ "connectionToken": token, "claims": claims(&[("sub", "ada"), ("x", &"x".repeat(9000))]) });
    assert_eq!(outcome(large.to_string()).await, invalid("claims"));
    let id = client.answer["connectionId"].as_str().unwrap();
    let unopened = connection_token(&pending).as_str().unwrap();
    for unknown in ["x", "AAAAAAAAAAAAAAAAAAAAAA", id, unopened, &format!("{token}A")] {
        let body = json!({ "connectionToken": unknown }).to_string();
        assert_eq!(outcome(body).await, gone, "{unknown}");
    }
    assert_eq!(fixture.status(Method::PUT, PATH).await, 405);

    call(&mut socket, "1", "still").await;
    assert!(fixture.app.called("still").await.header(CLAIMS).unwrap().ends_with("sub: ada"));
    socket.send_text(r#"{"type":7}"#).await;
    fixture.app.called("disconnected").await;
    assert_eq!(outcome(json!({ "connectionToken": token }).to_string()).await, gone);
}

#[tokio::test(start_paused = true)]
async fn the_expiry_moves_and_the_claims_stay_without_new_ones() {
    let fixture = Fixture::new(App::silent());
    let soon = unix_now() + 100;
    let first = json!({ "sub": "ada", "asrs.s.coae": "true", "asrs.s.aeo": soon });
    let (client, mut socket) = connected(&fixture, &first).await;
    let started = Instant::now();
    let token = connection_token(&client);
    let until = |seconds: u64| json!({ "connectionToken": token, "expireTime": seconds });

    assert_eq!(refresh(&fixture, &until(soon + 900)).await.status, 200);
    tokio::time::sleep(Duration::from_secs(200)).await;
    call(&mut socket, "1", "alive").await;
    assert!(fixture.app.called("alive").await.header(CLAIMS).unwrap().ends_with("sub: ada"));
    assert_eq!(socket.recv_text().await, r#"{"type":3,"invocationId":"1"}"#);
    // Earlier than before.
    assert_eq!(refresh(&fixture, &until(soon + 300)).await.status, 200);

    assert_eq!(socket.recv_text().await, r#"{"type":7,"allowReconnect":true}"#);
    assert!((398..=402).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    assert_eq!(fixture.app.called("disconnected").await.body, "{\"Type\":11}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_closes_on_expiry_if_the_new_claims_say_so() {
    let fixture = Fixture::new(App::silent());
    let closing = json!({ "sub": "ada", "asrs.s.coae": "true", "asrs.s.aeo": unix_now() + 60 });
    let (stays, mut stay) = connected(&fixture, &closing).await;
    let (closes, mut close) = connected(&fixture, &json!({ "sub": "ada" })).await;
    let date = hub_core::values::rfc3339(unix_now() + 30).unwrap();
    let with = |client: &Negotiated, closes: &str| {
        let new = claims(&[("sub", "ada"), ("asrs.s.coae", closes)]);
        json!({ "ConnectionToken": connection_token(client), "ExpireTime": date, "Claims": new })
    };

    assert_eq!(refresh(&fixture, &with(&stays, "false")).await.status, 200);
    assert_eq!(refresh(&fixture, &with(&closes, "true")).await.status, 200);

    assert_eq!(close.recv_text().await, r#"{"type":7,"allowReconnect":true}"#);
    tokio::time::sleep(Duration::from_mins(5)).await;
    call(&mut stay, "1", "alive").await;
    assert_eq!(stay.recv_text().await, r#"{"type":3,"invocationId":"1"}"#);
}

#[tokio::test(start_paused = true)]
async fn a_past_expiry_closes_the_connection_at_once() {
    let fixture = Fixture::new(App::silent());
    let (client, mut socket) = connected(&fixture, &json!({ "sub": "ada" })).await;

    let new = claims(&[("sub", "ada"), ("asrs.s.coae", "true")]);
    let token = connection_token(&client);
    let body = json!({ "connectionToken": token, "expireTime": 1, "claims": new });
    refresh(&fixture, &body).await;

    assert_eq!(socket.recv_text().await, r#"{"type":7,"allowReconnect":true}"#);
}

#[tokio::test(start_paused = true)]
async fn polls_and_posts_accept_the_new_token_of_the_same_user_only() {
    for headers in ["", EVENTS] {
        let fixture = Fixture::new(App::silent());
        let mut client = Negotiated::with(&fixture, token_with(&json!({ "sub": "ada" })), "").await;
        let mut stream = client.send("GET", headers, b"").await;
        assert_eq!(stream.head().await.status, 200);
        client.post(HANDSHAKE).await;
        fixture.app.called("connected").await;
        let new = claims(&[("sub", "ada"), ("role", "new")]);
        let body = json!({ "connectionToken": connection_token(&client), "claims": new });
        assert_eq!(refresh(&fixture, &body).await.status, 200);

        client.token = token_with(&json!({ "sub": "ada", "role": "new" }));
        client.post(r#"{"type":1,"target":"after","arguments":[]}"#).await;

        assert_eq!(fixture.app.called("after").await.header(CLAIMS), Some("role: new, sub: ada"));
        client.token = token_with(&json!({ "sub": "bob" }));
        assert_eq!(client.ask("POST", "", b"x").await.status, 403);
    }
}

#[tokio::test(start_paused = true)]
async fn an_app_refreshes_any_connection_by_its_id() {
    let fixture = Fixture::new(App::silent());
    // Without a negotiation, so without a connection token.
    let (client, id) = fixture.client_and_id("ada").await;
    let new = json!({ "claims": claims(&[("sub", "ada"), ("role", "new")]) }).to_string();
    let path = format!("connections/{}/:refreshAuth", encode_segment(&id));

    assert_eq!(fixture.post(&path, &new).await.status, 200);
    assert_eq!(fixture.post("connections/c1/:refreshAuth", &new).await.status, 404);
    assert_eq!(fixture.status(Method::GET, &path).await, 405);

    client.call("after").await;
    assert_eq!(fixture.app.called("after").await.header(CLAIMS), Some("role: new, sub: ada"));
}

#[tokio::test(start_paused = true)]
async fn a_refreshed_connection_frees_its_timer_when_it_ends() {
    let fixture = Fixture::new(App::silent());
    let (client, mut socket) = connected(&fixture, &json!({ "sub": "ada" })).await;
    let new = claims(&[("sub", "ada"), ("asrs.s.coae", "true")]);
    let until = unix_now() + 3_600_000;
    let token = connection_token(&client);
    let body = json!({ "connectionToken": token, "expireTime": until, "claims": new });
    for _ in 0..3 {
        assert_eq!(refresh(&fixture, &body).await.status, 200);
    }
    socket.send_text(r#"{"type":7}"#).await;
    fixture.app.called("disconnected").await;
    eventually(|| fixture.service.counters().connections == 0).await;
    let started = Instant::now();

    fixture.service.shutdown().await;

    assert!(started.elapsed() < Duration::from_mins(1), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn without_its_client_a_connection_does_not_live_longer() {
    let fixture = Fixture::new(App::silent());
    let soon = unix_now() + 100;
    let closing = json!({ "sub": "ada", "asrs.s.coae": "true", "asrs.s.aeo": soon });
    let (client, mut socket) = connected(&fixture, &closing).await;
    let (other, _open) = connected(&fixture, &json!({ "sub": "ada" })).await;
    let started = Instant::now();
    let id = |client: &Negotiated| client.answer["connectionId"].as_str().unwrap().to_owned();
    let by_id = async |client: &Negotiated, body: Value| {
        fixture.post(&format!("connections/{}/:refreshAuth", id(client)), &body.to_string()).await
    };
    let new = claims(&[("sub", "ada"), ("asrs.s.coae", "true")]);

    let later = by_id(&client, json!({ "claims": new, "expireTime": soon + 900 })).await;
    let kept = by_id(&client, json!({ "claims": claims(&[("sub", "ada")]) })).await;
    let never = by_id(&other, json!({ "claims": new })).await;

    assert_eq!((later.status, kept.status), (200, 200));
    assert_eq!((never.status, &never.json()["target"]), (400, &json!("expireTime")));
    assert_eq!(socket.recv_text().await, r#"{"type":7,"allowReconnect":true}"#);
    assert!((98..=102).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_id_that_is_its_own_token_and_a_token_of_another_hub_prove_nothing() {
    let fixture = Fixture::new(App::silent());
    let token = token_with(&json!({ "sub": "ada" }));
    let request = Request::post("/client/negotiate?hub=chat");
    let request = request.header("authorization", format!("Bearer {token}"));
    let old = fixture.request(request.body(Full::default()).unwrap()).await.json();
    let query = format!("id={}", old["connectionId"].as_str().unwrap());
    let service = fixture.service.clone();
    let old = Negotiated { service, answer: old, query, token };
    let mut socket = old.web_socket().await;
    socket.send_text(HANDSHAKE).await;
    assert_eq!(socket.recv_text().await, "{}");
    fixture.app.called("connected").await;
    let body = json!({ "connectionToken": old.answer["connectionId"], "claims": claims(&[("sub", "ada")]) });
    assert_eq!(refresh(&fixture, &body).await.status, 404);

    let (client, _open) = connected(&fixture, &json!({ "sub": "ada" })).await;
    let body = json!({ "connectionToken": connection_token(&client), "claims": claims(&[("sub", "ada")]) });
    let path = "/api/hubs/other/connections/:refreshAuth";
    let token = signed(&json!({ "aud": format!("http://s{path}"), "exp": unix_now() + 60 }));
    let request = Request::post(path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json");
    let other = fixture.request(request.body(Full::from(body.to_string())).unwrap()).await;
    assert_eq!(other.outcome(), (404, Some("Warning.Connection.NotExisted")));
    assert_eq!(refresh(&fixture, &body).await.status, 200);
}
