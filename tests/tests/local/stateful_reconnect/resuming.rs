//! Counting, acknowledging and resending messages.

use std::time::Duration;

use hub_local::Limits;
use serde_json::json;
use tokio::time::Instant;

use super::{ack, call, connected, cut, negotiated, sent, sequence};
use crate::support::{App, Fixture, answer, settle};

#[tokio::test(start_paused = true)]
async fn received_messages_are_acknowledged_once_after_a_second() {
    let fixture = Fixture::new(App::silent());
    let (_client, mut wire) = connected(&fixture).await;
    let start = Instant::now();

    wire.send_text(&call("a")).await;
    wire.send_text(r#"{"type":6}"#).await;
    wire.send_text(r#"{"type":3,"invocationId":"unknown"}"#).await;
    wire.send_text(r#"{"type":99}"#).await;
    wire.send_text(r#"{"type":5,"invocationId":"unknown"}"#).await;

    assert_eq!(wire.recv_text().await, ack(3));
    assert_eq!(start.elapsed().as_millis(), 1000);
    tokio::time::sleep(Duration::from_secs(5)).await;
    wire.send_text(&call("b")).await;
    assert_eq!(wire.recv_text().await, ack(4));
}

#[tokio::test(start_paused = true)]
async fn unacknowledged_messages_are_sent_again_after_a_resume() {
    let fixture = Fixture::new(App::silent());
    let (client, mut wire) = connected(&fixture).await;
    for text in ["1", "2", "3"] {
        fixture.send(":send", text).await;
        assert_eq!(wire.recv_text().await, sent(text));
    }
    wire.send_text(&ack(1)).await;
    settle().await;

    cut(wire).await;
    fixture.send(":send", "4").await;
    let mut wire = client.web_socket().await;

    assert_eq!(wire.recv_text().await, sequence(2));
    for text in ["2", "3", "4"] {
        assert_eq!(wire.recv_text().await, sent(text));
    }
    fixture.send(":send", "5").await;
    assert_eq!(wire.recv_text().await, sent("5"));
    assert_eq!(fixture.app.events(), ["connected"]);
}

#[tokio::test(start_paused = true)]
async fn without_unacknowledged_messages_the_sequence_is_that_of_the_next_message() {
    let fixture = Fixture::new(App::silent());
    let (client, mut wire) = connected(&fixture).await;
    fixture.send(":send", "1").await;
    assert_eq!(wire.recv_text().await, sent("1"));
    wire.send_text(&ack(1)).await;
    settle().await;

    cut(wire).await;
    let mut wire = client.web_socket().await;

    assert_eq!(wire.recv_text().await, sequence(2));
    fixture.send(":send", "2").await;
    assert_eq!(wire.recv_text().await, sent("2"));
}

#[tokio::test(start_paused = true)]
async fn repeated_messages_are_handled_once_and_acknowledged() {
    let fixture = Fixture::new(App::silent());
    let (client, mut wire) = connected(&fixture).await;
    wire.send_text(&call("a")).await;
    wire.send_text(&call("b")).await;
    fixture.app.called("b").await;

    cut(wire).await;
    let mut wire = client.web_socket().await;
    assert_eq!(wire.recv_text().await, sequence(1));
    wire.send_text(&sequence(1)).await;
    for target in ["a", "b", "c"] {
        wire.send_text(&call(target)).await;
    }

    assert_eq!(wire.recv_text().await, ack(3));
    assert_eq!(fixture.app.events(), ["connected", "a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_acknowledgement_is_repeated() {
    let fixture = Fixture::new(App::silent());
    let (client, mut wire) = connected(&fixture).await;
    wire.send_text(&call("a")).await;
    assert_eq!(wire.recv_text().await, ack(1));

    cut(wire).await;
    let mut wire = client.web_socket().await;

    assert_eq!(wire.recv_text().await, sequence(1));
    assert_eq!(wire.recv_text().await, ack(1));
}

#[tokio::test(start_paused = true)]
async fn a_truncated_message_is_discarded_after_a_resume() {
    let fixture = Fixture::new(App::silent());
    let (client, mut wire) = connected(&fixture).await;
    let (whole, half) = (call("whole"), &call("half")[..9]);
    wire.frame(0x81, format!("{whole}\x1e{half}").as_bytes()).await;
    fixture.app.called("whole").await;

    cut(wire).await;
    let mut wire = client.web_socket().await;
    assert_eq!(wire.recv_text().await, sequence(1));
    wire.send_text(&sequence(2)).await;
    wire.send_text(&call("half")).await;

    fixture.app.called("half").await;
    assert_eq!(fixture.app.events(), ["connected", "whole", "half"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_resumes_within_thirty_seconds_keeps_its_identity_and_groups() {
    let fixture = Fixture::new(App::silent());
    let (client, mut wire) = connected(&fixture).await;
    let id = fixture.last_id();
    assert_eq!(client.answer["connectionId"], id);
    // The ping activates the client timeout.
    wire.send_text(r#"{"type":6}"#).await;
    assert_eq!(fixture.status(http::Method::PUT, &format!("groups/g/connections/{id}")).await, 200);
    tokio::time::sleep(Duration::from_secs(10)).await;

    cut(wire).await;
    tokio::time::sleep(Duration::from_secs(29)).await;
    assert_eq!(fixture.service.counters().connections, 1);
    fixture.send("groups/g/:send", "x").await;
    let mut wire = client.web_socket().await;

    assert_eq!(wire.recv_text().await, sequence(1));
    assert_eq!(wire.recv_text().await, sent("x"));
    wire.send_text(&call("a")).await;
    assert_eq!(fixture.app.called("a").await.header("x-asrs-connection-id"), Some(id.as_str()));
    assert_eq!(fixture.app.events(), ["connected", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_new_socket_replaces_one_that_is_still_open() {
    let fixture = Fixture::new(App::silent());
    let (client, mut old) = connected(&fixture).await;
    fixture.send(":send", "1").await;
    assert_eq!(old.recv_text().await, sent("1"));

    let mut new = client.web_socket().await;

    assert_eq!(new.recv_text().await, sequence(1));
    assert_eq!(new.recv_text().await, sent("1"));
    assert!(old.is_closed().await);
    new.send_text(&call("a")).await;
    fixture.app.called("a").await;
    assert_eq!(fixture.app.events(), ["connected", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_new_socket_replaces_a_stalled_one() {
    let limits = Limits::default().max_resume_bytes(1_000_000);
    let fixture = Fixture::with(App::silent(), limits);
    let (client, stuck) = connected(&fixture).await;
    for number in 0..100 {
        fixture.send(":send", &format!("{number:01000}")).await;
    }
    settle().await;

    let mut wire = client.web_socket().await;

    assert_eq!(wire.recv_text().await, sequence(1));
    for number in 0..100 {
        assert_eq!(wire.recv_text().await, sent(&format!("{number:01000}")));
    }
    drop(stuck);
}

#[tokio::test(start_paused = true)]
async fn a_socket_may_break_in_every_phase_and_repeatedly() {
    let fixture = Fixture::new(App::silent());
    let (client, mut wire) = connected(&fixture).await;
    fixture.send(":send", "1").await;
    assert_eq!(wire.recv_text().await, sent("1"));
    wire.send_text(&call("a")).await;
    fixture.app.called("a").await;
    cut(wire).await;

    // The socket breaks before the first message.
    cut(client.web_socket().await).await;
    // The socket breaks after the sequence messages of both sides.
    let mut wire = client.web_socket().await;
    assert_eq!(wire.recv_text().await, sequence(1));
    wire.send_text(&sequence(1)).await;
    settle().await;
    cut(wire).await;
    fixture.send(":send", "2").await;
    // The socket breaks while messages are being resent.
    let mut wire = client.web_socket().await;
    assert_eq!(wire.recv_text().await, sequence(1));
    assert_eq!(wire.recv_text().await, sent("1"));
    wire.send_text(&sequence(1)).await;
    wire.send_text(&call("a")).await;
    settle().await;
    cut(wire).await;

    let mut wire = client.web_socket().await;
    assert_eq!(wire.recv_text().await, sequence(1));
    assert_eq!(wire.recv_text().await, sent("1"));
    assert_eq!(wire.recv_text().await, sent("2"));
    wire.send_text(&sequence(1)).await;
    wire.send_text(&call("a")).await;
    wire.send_text(&call("b")).await;
    assert_eq!(wire.recv_text().await, ack(2));
    assert_eq!(fixture.app.events(), ["connected", "a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn several_messages_in_one_answer_count_one_by_one() {
    let completion = |id| format!("{{\"type\":3,\"invocationId\":\"{id}\"}}\x1e");
    let body = completion(1) + "{\"type\":6}\x1e" + &completion(2);
    let app = App::new(move |call| {
        let body = if call.event == "both" { body.clone() } else { String::new() };
        async move { answer(200, body) }
    });
    let fixture = Fixture::new(app);
    let (client, mut wire) = connected(&fixture).await;
    wire.send_text(r#"{"type":1,"invocationId":"1","target":"both","arguments":[]}"#).await;
    assert!(wire.recv_text().await.contains("\"2\""));
    fixture.send(":send", "x").await;
    while wire.recv_text().await != sent("x") {}
    wire.send_text(&ack(2)).await;
    settle().await;

    cut(wire).await;
    let mut wire = client.web_socket().await;

    assert_eq!(wire.recv_text().await, sequence(3));
    assert_eq!(wire.recv_text().await, sent("x"));
}

#[tokio::test(start_paused = true)]
async fn message_pack_counts_the_same() {
    let fixture = Fixture::new(App::silent());
    let client = negotiated(&fixture).await;
    let mut wire = client.web_socket().await;
    wire.send_text(r#"{"protocol":"messagepack","version":2}"#).await;
    assert_eq!(wire.recv_frame().await, Some((0x82, b"{}\x1e".to_vec())));
    fixture.app.called("connected").await;
    let x = b"\x0a\x96\x01\x80\xc0\xa1\x6d\x91\xa1\x78\x90".to_vec();
    fixture.send(":send", "x").await;
    assert_eq!(wire.recv_frame().await, Some((0x82, x.clone())));
    let call = b"\x09\x95\x01\x80\xc0\xa1\x61\x91\xa1\x61";
    wire.frame(0x82, call).await;
    fixture.app.called("a").await;

    cut(wire).await;
    let mut wire = client.web_socket().await;

    assert_eq!(wire.recv_frame().await, Some((0x82, b"\x03\x92\x09\x01".to_vec())));
    assert_eq!(wire.recv_frame().await, Some((0x82, x)));
    wire.frame(0x82, b"\x03\x92\x09\x01").await;
    wire.frame(0x82, call).await;
    assert_eq!(wire.recv_frame().await, Some((0x82, b"\x03\x92\x08\x01".to_vec())));
    wire.frame(0x82, b"\x03\x92\x08\x01").await;
    settle().await;
    cut(wire).await;
    let mut wire = client.web_socket().await;
    assert_eq!(wire.recv_frame().await, Some((0x82, b"\x03\x92\x09\x02".to_vec())));
    assert_eq!(fixture.app.events(), ["connected", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_result_survives_a_resume() {
    let fixture = Fixture::new(App::silent());
    let (client, wire) = connected(&fixture).await;
    let id = fixture.last_id();
    cut(wire).await;

    let asking = tokio::spawn({
        let fixture = fixture.clone();
        async move {
            let below = format!("connections/{id}/:invoke?api-version=2024-12-01");
            fixture.post(&below, r#"{"target":"q","arguments":[]}"#).await
        }
    });
    settle().await;
    let mut wire = client.web_socket().await;
    assert_eq!(wire.recv_text().await, sequence(1));
    let question: serde_json::Value = serde_json::from_str(&wire.recv_text().await).unwrap();
    let completion = json!({ "type": 3, "invocationId": question["invocationId"], "result": 7 });
    wire.send_text(&completion.to_string()).await;

    assert_eq!(asking.await.unwrap().status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_second_break_continues_after_the_acknowledged_messages() {
    let fixture = Fixture::new(App::silent());
    let (client, mut wire) = connected(&fixture).await;
    wire.send_text(&call("a")).await;
    fixture.app.called("a").await;
    cut(wire).await;
    let mut wire = client.web_socket().await;
    assert_eq!(wire.recv_text().await, sequence(1));
    wire.send_text(&sequence(1)).await;
    assert_eq!(wire.recv_text().await, ack(1));

    cut(wire).await;
    let mut wire = client.web_socket().await;
    assert_eq!(wire.recv_text().await, sequence(1));
    wire.send_text(&sequence(2)).await;
    wire.send_text(&call("b")).await;

    fixture.app.called("b").await;
    assert_eq!(wire.recv_text().await, ack(2));
    assert_eq!(fixture.app.events(), ["connected", "a", "b"]);
}
