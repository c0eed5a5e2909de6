//! Limits of stateful reconnect, and the ends of resumable connections.

use std::time::Duration;

use hub_local::Limits;
use tokio::time::Instant;

use super::{LOST, ack, call, connected, cut, is_gone, sent, sequence};
use crate::{
    support::{App, Fixture, client_token, eventually, settle},
    wire::UPGRADE,
};

#[tokio::test(start_paused = true)]
async fn a_gap_in_the_sequence_ends_the_connection() {
    let fixture = Fixture::new(App::silent());
    let (client, mut wire) = connected(&fixture).await;
    wire.send_text(&call("a")).await;
    fixture.app.called("a").await;

    cut(wire).await;
    let mut wire = client.web_socket().await;
    assert_eq!(wire.recv_text().await, sequence(1));
    wire.send_text(&sequence(3)).await;

    let close = r#"{"type":7,"error":"Connection closed with an error.","allowReconnect":true}"#;
    assert_eq!(wire.recv_text().await, close);
    wire.expect_close().await;
    let error = "Sequence ID greater than amount of messages we've received.";
    assert_eq!(fixture.app.called("disconnected").await.json()["Error"], error);
    assert!(is_gone(&client).await);
}

#[tokio::test(start_paused = true)]
async fn a_sequence_below_one_ends_the_connection_and_loses_no_message() {
    for id in ["0", "-1", "-9223372036854775808"] {
        let fixture = Fixture::new(App::silent());
        let (client, mut wire) = connected(&fixture).await;

        cut(wire).await;
        wire = client.web_socket().await;
        assert_eq!(wire.recv_text().await, sequence(1));
        wire.send_text(&format!("{{\"type\":9,\"sequenceId\":{id}}}")).await;
        wire.send_text(&call("a")).await;

        let close =
            r#"{"type":7,"error":"Connection closed with an error.","allowReconnect":true}"#;
        assert_eq!(wire.recv_text().await, close, "{id}");
        wire.expect_close().await;
        let error = "ProtocolError: invalid property 'sequenceId'";
        assert_eq!(fixture.app.called("disconnected").await.json()["Error"], error, "{id}");
        assert_eq!(fixture.app.events(), ["connected", "disconnected"], "{id}");
        assert!(is_gone(&client).await);
    }
}

#[tokio::test(start_paused = true)]
async fn the_connection_ends_after_thirty_seconds_without_a_resume() {
    let fixture = Fixture::new(App::silent());
    let (client, wire) = connected(&fixture).await;

    let start = Instant::now();
    cut(wire).await;
    tokio::time::sleep(Duration::from_secs(29)).await;
    assert_eq!(fixture.app.events(), ["connected"]);
    let body = fixture.app.called("disconnected").await.json();

    assert_eq!(start.elapsed().as_secs(), 30);
    assert_eq!(body["Error"], LOST);
    assert!(is_gone(&client).await);
    assert_eq!(fixture.app.events(), ["connected", "disconnected"]);
}

#[tokio::test(start_paused = true)]
async fn messages_wait_above_the_limit_of_unacknowledged_bytes() {
    let limits = Limits::default().max_resume_bytes(200);
    let fixture = Fixture::with(App::silent(), limits);
    let (_client, mut wire) = connected(&fixture).await;
    for number in 0..10 {
        fixture.send(":send", &format!("{number:050}")).await;
    }

    // Each message takes 90 bytes plus a frame header of 2 bytes.
    for number in 0..3 {
        assert_eq!(wire.recv_text().await, sent(&format!("{number:050}")));
    }
    // The service sends acknowledgements even while the full buffer holds messages back.
    wire.send_text(&call("a")).await;
    assert_eq!(wire.recv_text().await, ack(1));
    wire.send_text(&ack(2)).await;
    for number in 3..5 {
        assert_eq!(wire.recv_text().await, sent(&format!("{number:050}")));
    }
    wire.send_text(&ack(5)).await;
    for number in 5..8 {
        assert_eq!(wire.recv_text().await, sent(&format!("{number:050}")));
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_messages_are_sent_before_a_close() {
    let limits = Limits::default().max_resume_bytes(100);
    let fixture = Fixture::with(App::silent(), limits);
    let (_client, mut wire) = connected(&fixture).await;
    for number in 0..5 {
        fixture.send(":send", &format!("{number:050}")).await;
    }
    settle().await;

    let below = format!("connections/{}?reason=bye", fixture.last_id());
    assert_eq!(fixture.status(http::Method::DELETE, &below).await, 200);

    for number in 0..5 {
        assert_eq!(wire.recv_text().await, sent(&format!("{number:050}")));
    }
    assert_eq!(wire.recv_text().await, r#"{"type":7,"error":"bye"}"#);
    wire.expect_close().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_client_with_too_many_pending_messages_is_closed_with_a_reason() {
    let limits = Limits::default().max_outbox_messages(50).max_resume_bytes(1000);
    let fixture = Fixture::with(App::silent(), limits);
    let (client, wire) = connected(&fixture).await;

    cut(wire).await;
    for _ in 0..100 {
        fixture.send(":send", "x").await;
        settle().await;
    }

    assert_eq!(fixture.service.counters().slow_clients, 1);
    assert_eq!(fixture.service.counters().connections, 0);
    assert_eq!(fixture.app.called("disconnected").await.json()["Error"], "slow client");
    assert!(is_gone(&client).await);
}

#[tokio::test(start_paused = true)]
async fn a_close_by_either_side_ends_the_connection() {
    let fixture = Fixture::new(App::silent());

    let (client, mut wire) = connected(&fixture).await;
    wire.send_text(r#"{"type":7}"#).await;
    assert_eq!(wire.recv_text().await, r#"{"type":7}"#);
    wire.expect_close().await;
    eventually(|| fixture.app.events() == ["connected", "disconnected"]).await;
    assert!(is_gone(&client).await);

    let (client, mut wire) = connected(&fixture).await;
    wire.frame(0x88, &[3, 232]).await;
    wire.expect_close().await;
    eventually(|| fixture.app.events().len() == 4).await;
    assert_eq!(fixture.app.calls()[3].body, "{\"Type\":11}");
    assert!(is_gone(&client).await);

    let (client, mut wire) = connected(&fixture).await;
    let below = format!("connections/{}", client.answer["connectionId"].as_str().unwrap());
    assert_eq!(fixture.status(http::Method::DELETE, &below).await, 200);
    assert_eq!(wire.recv_text().await, r#"{"type":7}"#);
    wire.expect_close().await;
    eventually(|| fixture.app.events().len() == 6).await;
    assert!(is_gone(&client).await);
}

#[tokio::test(start_paused = true)]
async fn shutdown_does_not_wait_for_lost_clients() {
    let fixture = Fixture::new(App::silent());
    let (_client, wire) = connected(&fixture).await;
    cut(wire).await;
    let start = Instant::now();

    fixture.service.shutdown().await;

    assert_eq!(start.elapsed().as_secs(), 0);
    assert_eq!(fixture.app.events(), ["connected", "disconnected"]);
}

#[tokio::test(start_paused = true)]
async fn silent_and_invalid_clients_are_closed() {
    let fixture = Fixture::new(App::silent());
    let close = r#"{"type":7,"error":"Connection closed with an error.","allowReconnect":true}"#;

    let (client, mut wire) = connected(&fixture).await;
    wire.send_text(r#"{"type":6}"#).await;
    assert_eq!(wire.recv_text().await, close);
    wire.expect_close().await;
    eventually(|| fixture.app.events().len() == 2).await;
    assert!(is_gone(&client).await);

    let (client, mut wire) = connected(&fixture).await;
    // This frame is not masked.
    wire.write(b"\x81\x0b{\"type\":6}\x1e").await;
    wire.expect_close_with(1002).await;
    eventually(|| fixture.app.events().len() == 4).await;
    drop(wire);
    settle().await;
    assert!(is_gone(&client).await);
}

#[tokio::test(start_paused = true)]
async fn only_the_same_user_may_resume() {
    let fixture = Fixture::new(App::silent());
    let (client, _wire) = connected(&fixture).await;
    let mut thief = client.clone();

    thief.token = client_token("eve");
    assert_eq!(thief.ask("GET", UPGRADE, b"").await.status, 403);
    thief.token = "bad".to_owned();
    assert_eq!(thief.ask("GET", UPGRADE, b"").await.status, 401);

    fixture.send(":send", "x").await;
    let mut wire = client.web_socket().await;
    assert_eq!(wire.recv_text().await, sequence(1));
}

#[tokio::test(start_paused = true)]
async fn a_resume_does_not_make_a_connection_younger() {
    let limits = Limits::default().max_connection_lifetime(Some(Duration::from_secs(100)));
    let fixture = Fixture::with(App::silent(), limits);
    let start = Instant::now();
    let (client, wire) = connected(&fixture).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    cut(wire).await;

    let mut wire = client.web_socket().await;

    assert_eq!(wire.recv_text().await, sequence(1));
    assert_eq!(wire.recv_text().await, r#"{"type":7,"allowReconnect":true}"#);
    assert!((90..=100).contains(&start.elapsed().as_secs()));
    wire.expect_close().await;
    assert_eq!(fixture.app.called("disconnected").await.body, "{\"Type\":11}");
    assert!(is_gone(&client).await, "the client starts a new connection");
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_socket_ends_at_its_age_too() {
    let limits = Limits::default().max_connection_lifetime(Some(Duration::from_secs(100)));
    let fixture = Fixture::with(App::silent(), limits);
    let (client, wire) = connected(&fixture).await;
    tokio::time::sleep(Duration::from_secs(89)).await;
    cut(wire).await;

    let start = Instant::now();
    let ended = fixture.app.called("disconnected").await;

    assert!(start.elapsed().as_secs() <= 11);
    assert_eq!(ended.body, "{\"Type\":11}");
    assert!(is_gone(&client).await);
}
