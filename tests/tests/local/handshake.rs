//! Handshake requests and their responses.

use std::time::Duration;

use hub_local::{Limits, LocalService};
use tokio::time::Instant;

use crate::support::{App, Client, Fixture, KEY, URL, client_token};

/// Everything that a client receives until the end of the connection after it has sent these bytes.
async fn hears(fixture: &Fixture, bytes: impl Into<bytes::Bytes>) -> String {
    let mut client = fixture.open("ada");
    client.memory().send(bytes).await.unwrap();
    let heard = client.recv_text().await;
    assert_eq!(client.recv_text().await, "", "the connection ends");
    heard
}

#[tokio::test(start_paused = true)]
async fn data_after_a_valid_handshake_is_processed() {
    let fixture = Fixture::new(App::silent());
    let mut client = fixture.open("ada");

    let joined = "{\"protocol\":\"JSON\",\"version\":2}\x1e{\"type\":1,\"target\":\"a\",\"arguments\":[]}\x1e";
    client.memory().send(joined).await.unwrap();

    assert_eq!(client.recv_text().await, "{}\x1e");
    fixture.app.called("a").await;
    assert_eq!(fixture.app.events(), ["connected", "a"]);
}

#[tokio::test(start_paused = true)]
async fn refusals_have_the_texts_of_the_reference() {
    let fixture = Fixture::new(App::silent());
    let unexpected =
        "{\"error\":\"An unexpected error occurred during connection handshake.\"}\x1e";

    assert_eq!(
        hears(&fixture, "{\"protocol\":\"xml\",\"version\":1}\x1e").await,
        "{\"error\":\"The protocol 'xml' is not supported.\"}\x1e"
    );
    assert_eq!(
        hears(&fixture, "{\"protocol\":\"json\",\"version\":3}\x1e").await,
        "{\"error\":\"The server does not support version 3 of the 'json' protocol.\"}\x1e"
    );
    for malformed in ["\x1e", "nonsense\x1e", "{\"protocol\":\"json\"}\x1e", "{\"version\":1}\x1e"]
    {
        assert_eq!(hears(&fixture, malformed).await, unexpected);
    }
    assert!(fixture.app.events().is_empty(), "no client was connected");
}

#[tokio::test(start_paused = true)]
async fn a_missing_handshake_times_out() {
    let fixture = Fixture::new(App::silent());
    let started = Instant::now();
    let mut client = fixture.open("ada");

    let heard = client.recv_text().await;

    assert_eq!(heard, "{\"error\":\"Handshake was canceled.\"}\x1e");
    assert_eq!(started.elapsed().as_secs(), 15);
    assert_eq!(client.recv_text().await, "");
}

#[tokio::test(start_paused = true)]
async fn an_endless_handshake_ends_at_the_size_limit() {
    let limits = Limits::default().max_message_bytes(100);
    let fixture = Fixture::with(App::silent(), limits);

    let heard = hears(&fixture, vec![b' '; 101]).await;

    assert_eq!(heard, "{\"error\":\"Handshake was canceled.\"}\x1e");
}

#[tokio::test(start_paused = true)]
async fn detailed_errors_contain_the_handshake_problem() {
    let service =
        LocalService::builder().key(KEY).detailed_errors(true).upstream(App::silent()).build();
    let url = format!("{URL}/client/?hub=chat");
    let mut client = Client::in_memory(service.connect_memory(&url, &client_token("ada")).unwrap());

    client.send_text("{}").await;

    assert!(client.recv_text().await.contains("missing field `protocol`"));
}

#[tokio::test(start_paused = true)]
async fn a_client_without_a_handshake_is_never_reported() {
    let fixture = Fixture::new(App::silent());

    drop(fixture.open("ada"));
    tokio::time::sleep(Duration::from_secs(60)).await;

    assert!(fixture.app.events().is_empty());
    assert_eq!(fixture.service.counters().connections, 0);
}
