//! The upstream requests that an app receives.

use crate::support::{App, Client, Fixture, KEY, URL, signed, unix_now};
use hub_core::Secret;
use hub_local::LocalService;
use serde_json::json;

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

    client.send_text(r#" {"invocationId":"7","headers":{"k":"v"},"arguments":[ 1e2,"ü" ],"target":"größe X","streamIds":["s"],"type":1,"x":null} "#).await;
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
    let body = r#"{"type":1,"invocationId":"7","target":"größe X","arguments":[ 1e2,"ü" ],"streamIds":["s"]}"#;
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
