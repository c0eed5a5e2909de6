//! Stateful reconnect: how it is negotiated. These tests write each frame themselves.

mod endings;
mod resuming;

use std::time::Duration;

use hub_local::LocalService;
use serde_json::json;

use crate::{
    support::{App, Fixture, KEY, client_token, message, settle},
    wire::{Negotiated, UPGRADE, Wire},
};

const ASKS: &str = "&useStatefulReconnect=true";
const HANDSHAKE: &str = r#"{"protocol":"json","version":2}"#;
const LOST: &str = "the client's transport was lost without a close handshake";

fn sequence(id: u64) -> String {
    format!("{{\"type\":9,\"sequenceId\":{id}}}")
}

fn ack(id: u64) -> String {
    format!("{{\"type\":8,\"sequenceId\":{id}}}")
}

fn call(target: &str) -> String {
    json!({ "type": 1, "target": target, "arguments": [] }).to_string()
}

fn sent(text: &str) -> String {
    message(text).trim_end_matches('\x1e').to_owned()
}

async fn negotiated(fixture: &Fixture) -> Negotiated {
    Negotiated::with(fixture, client_token("ada"), ASKS).await
}

async fn connected(fixture: &Fixture) -> (Negotiated, Wire) {
    let client = negotiated(fixture).await;
    let mut wire = client.web_socket().await;
    wire.send_text(HANDSHAKE).await;
    assert_eq!(wire.recv_text().await, "{}");
    fixture.app.called("connected").await;
    (client, wire)
}

/// Drops the socket and waits until the service has noticed.
async fn cut(wire: Wire) {
    drop(wire);
    settle().await;
}

async fn is_gone(client: &Negotiated) -> bool {
    client.ask("GET", UPGRADE, b"").await.status == 404
}

#[tokio::test(start_paused = true)]
async fn stateful_reconnect_is_negotiated_if_requested_and_enabled() {
    let allowing = Fixture::new(App::silent());
    let app = App::silent();
    let builder = LocalService::builder().key(KEY).upstream(app.clone());
    let forbidding = Fixture { service: builder.stateful_reconnect(false).build(), app };
    let agreed = async |fixture, more| {
        let client = Negotiated::with(fixture, client_token("ada"), more).await;
        client.answer.get("useStatefulReconnect").cloned()
    };

    assert_eq!(agreed(&allowing, ASKS).await, Some(json!(true)));
    assert_eq!(agreed(&allowing, "&UseStatefulReconnect=True").await, Some(json!(true)));
    assert_eq!(agreed(&allowing, "&useStatefulReconnect=false").await, None);
    assert_eq!(agreed(&allowing, "").await, None);
    assert_eq!(agreed(&forbidding, ASKS).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_version_1_handshake_disables_stateful_reconnect() {
    let fixture = Fixture::new(App::silent());
    let client = negotiated(&fixture).await;
    let mut wire = client.web_socket().await;
    assert_eq!(client.ask("GET", UPGRADE, b"").await.plain(), (409, "text/plain", ""));
    wire.send_text(r#"{"protocol":"json","version":1}"#).await;
    assert_eq!(wire.recv_text().await, "{}");

    assert_eq!(client.ask("GET", UPGRADE, b"").await.status, 204);
    wire.send_text(&call("a")).await;
    fixture.app.called("a").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    fixture.send(":send", "x").await;
    assert_eq!(wire.recv_text().await, sent("x"));
    cut(wire).await;

    assert_eq!(fixture.app.called("disconnected").await.json()["Error"], LOST);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_did_not_request_stateful_reconnect_cannot_resume() {
    let fixture = Fixture::new(App::silent());
    let client = Negotiated::new(&fixture).await;
    let mut wire = client.web_socket().await;
    wire.send_text(HANDSHAKE).await;
    assert_eq!(wire.recv_text().await, "{}");

    wire.send_text(&ack(7)).await;
    wire.send_text(&sequence(7)).await;
    wire.send_text(&call("a")).await;
    fixture.app.called("a").await;
    assert_eq!(client.ask("GET", UPGRADE, b"").await.status, 409);
    cut(wire).await;

    fixture.app.called("disconnected").await;
    assert!(is_gone(&client).await);
}
