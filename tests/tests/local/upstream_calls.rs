//! The upstream requests that an app receives.

use std::collections::BTreeSet;

use crate::support::{App, Client, Fixture, KEY, URL, eventually, signed, unix_now};
use hub_core::Secret;
use hub_local::LocalService;
use serde_json::json;
use test_support::logged;
use tracing_subscriber::filter::LevelFilter;

#[tokio::test(start_paused = true)]
async fn a_message_has_every_header_and_the_bytes_without_a_delimiter() {
    let app = App::silent();
    let service = LocalService::builder()
        .key(KEY)
        .secondary_key("secondary-key-for-tests-000000000000000000")
        .upstream(app.clone())
        .build();
    let aud = format!("{URL}/client/?hub=chat");
    let claims = json!({
        "aud": aud, "exp": unix_now() + 60, "asrs.s.uid": "Zoë", "asrs.s.dc": "true",
        "asrs.u.iss": "x", "role": ["a", "b"], "shub": "1.e30.AA"
    });
    let token = signed(&claims);
    let url = format!("{URL}/client/?hub=Chat&x=%20&access_token={token}");
    let mut client = Client::in_memory(service.connect_memory(&url, &token).unwrap());
    client.handshake().await;

    client.send_text(r#" {"invocationId":"7","headers":{"k":"v"},"arguments":[ 1e2,"ü" ],"target":"größe X","streamIds":[],"type":1,"x":null} "#).await;
    let call = app.called("größe X").await;

    let id = call.header("x-asrs-connection-id").unwrap();
    assert_eq!(id.len(), 22);
    assert_eq!(call.header("x-asrs-hub"), Some("chat"));
    assert_eq!(call.header("x-asrs-category"), Some("messages"));
    assert_eq!(call.header("x-asrs-event"), Some("größe X"));
    assert_eq!(call.header("x-asrs-user-id"), Some("Zoë"));
    assert_eq!(call.header("x-asrs-client-query"), Some("?hub=Chat&x=%20"));
    assert_eq!(call.header("content-type"), Some("application/json"));
    let claims = call.header("x-asrs-user-claims").unwrap();
    let seconds = claims.split("exp: ").nth(1).unwrap().split(',').next().unwrap();
    let expected = format!("iss: x, aud: {aud}, exp: {seconds}, role: a, role: b, shub: 1.e30.AA");
    assert_eq!(claims, expected);
    let signatures = [KEY, "secondary-key-for-tests-000000000000000000"]
        .map(|key| hub_core::signature::sign(&Secret::from(key), id));
    assert_eq!(call.header("x-asrs-signature"), Some(signatures.join(",").as_str()));
    let body = r#"{"type":1,"invocationId":"7","target":"größe X","arguments":[ 1e2,"ü" ]}"#;
    assert_eq!(call.body, body);
}

#[tokio::test(start_paused = true)]
async fn connection_events_have_their_bodies() {
    let fixture = Fixture::new(App::silent());
    let client = fixture.client("ada").await;
    client.send_text("{\"type\":7}").await;
    let disconnected = fixture.app.called("disconnected").await;

    let connected = &fixture.app.calls()[0];
    assert_eq!(connected.body, "{\"type\":10}");
    assert_eq!(connected.header("x-asrs-category"), Some("connections"));
    assert_eq!(connected.header("x-asrs-event"), Some("connected"));
    assert_eq!(connected.header("content-type"), Some("application/json"));
    assert_eq!(disconnected.header("x-asrs-category"), Some("connections"));
    assert_eq!(disconnected.body, "{\"Type\":11}");
}

#[tokio::test(start_paused = true)]
async fn an_anonymous_client_has_no_user_header() {
    let fixture = Fixture::new(App::silent());
    let url = format!("{URL}/client/?hub=chat");
    let token = signed(&json!({ "aud": url, "exp": unix_now() + 60 }));
    let mut client = Client::in_memory(fixture.service.connect_memory(&url, &token).unwrap());

    client.handshake().await;

    assert_eq!(fixture.app.called("connected").await.header("x-asrs-user-id"), None);
}

#[tokio::test(start_paused = true)]
async fn a_send_has_no_invocation_id() {
    let fixture = Fixture::new(App::silent());
    let client = fixture.client("ada").await;

    client.send_text(r#"{"type":1,"invocationId":"","target":"m","arguments":[]}"#).await;

    let body = fixture.app.called("m").await.body;
    assert_eq!(body, r#"{"type":1,"target":"m","arguments":[]}"#);
}

#[tokio::test(start_paused = true)]
async fn more_than_ten_arguments_are_forwarded() {
    let fixture = Fixture::new(App::silent());
    let client = fixture.client("ada").await;

    client.send_text(r#"{"type":1,"target":"m","arguments":[1,2,3,4,5,6,7,8,9,10,11,12]}"#).await;

    let body = fixture.app.called("m").await.json();
    assert_eq!(body["arguments"].as_array().unwrap().len(), 12);
}

#[tokio::test(start_paused = true)]
async fn the_connected_handler_can_send_to_its_client() {
    let cell: std::sync::Arc<std::sync::OnceLock<Fixture>> = std::sync::Arc::default();
    let inner = std::sync::Arc::clone(&cell);
    let app = App::new(move |call| {
        let inner = std::sync::Arc::clone(&inner);
        async move {
            let id = call.header("x-asrs-connection-id").unwrap();
            let fixture = inner.get().unwrap();
            fixture.send(&format!("connections/{id}/:send"), "welcome").await;
            crate::support::answer(200, "")
        }
    });
    let fixture = Fixture::new(app);
    cell.set(fixture.clone()).ok().unwrap();
    let mut client = fixture.open("ada");

    client.handshake().await;

    assert_eq!(client.recv_text().await, crate::support::message("welcome"));
}

#[tokio::test(start_paused = true)]
async fn every_request_has_an_id_of_its_own() {
    let fixture = Fixture::new(App::silent());
    let (ada, bob) = (fixture.client("ada").await, fixture.client("bob").await);
    for client in [&ada, &bob] {
        client.call("m").await;
        client.call_with_id("0", "m").await;
        client.send_text("{\"type\":7}").await;
    }
    eventually(|| fixture.app.events().iter().filter(|it| *it == "disconnected").count() == 2)
        .await;

    let calls = fixture.app.calls();
    let ids: BTreeSet<_> =
        calls.iter().map(|call| call.header("x-hub-request-id").unwrap()).collect();
    assert_eq!(calls.len(), 8, "{:?}", fixture.app.events());
    assert_eq!(ids.len(), calls.len(), "{ids:?}");
}

#[tokio::test(start_paused = true)]
async fn a_send_with_a_stream_is_dropped_with_one_warning_per_connection() {
    let fixture = Fixture::new(App::silent());

    let log = logged(LevelFilter::WARN, async {
        let client = fixture.client("ada").await;
        for _ in 0..2 {
            let with_stream = r#"{"type":1,"target":"upload","arguments":[],"streamIds":["1"]}"#;
            client.send_text(with_stream).await;
        }
        client.call("m").await;
        fixture.app.called("m").await;
    })
    .await;

    assert_eq!(fixture.app.events(), ["connected", "m"]);
    assert_eq!(log.matches("method=\"upload\"").count(), 1, "{log}");
    assert!(log.contains("serverless mode has no streams"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn a_reused_invocation_id_is_one_warning_per_connection_and_each_call_is_made() {
    let fixture = Fixture::new(App::silent());

    let log = logged(LevelFilter::WARN, async {
        let mut client = fixture.client("ada").await;
        for _ in 0..3 {
            client.call_with_id("0", "m").await;
            client.recv().await;
        }
    })
    .await;

    assert_eq!(fixture.app.events(), ["connected", "m", "m", "m"]);
    assert_eq!(log.matches("the client uses an invocation id again").count(), 1, "{log}");
}

#[tokio::test(start_paused = true)]
async fn a_completion_without_an_id_is_ignored_with_one_warning_per_connection() {
    let fixture = Fixture::new(App::silent());

    let log = logged(LevelFilter::WARN, async {
        let client = fixture.client("ada").await;
        for _ in 0..2 {
            client.send_text(r#"{"type":3,"invocationId":"","error":"no handler"}"#).await;
        }
        client.call("m").await;
        fixture.app.called("m").await;
    })
    .await;

    assert_eq!(log.matches("completes an invocation without an id").count(), 1, "{log}");
}
