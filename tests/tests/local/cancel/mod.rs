//! Calls that their client cancels, with an app in the same process. Its methods run to their end.

mod http;
mod race;

use std::{
    fmt::Write as _,
    sync::{Arc, OnceLock},
};

use hub_local::Limits;
use serde_json::json;
use tokio::{sync::Semaphore, time::Instant};

use crate::support::{App, Client, Fixture, answer, eventually, settle};

/// The completion of a cancelled call.
fn cancelled(id: &str) -> String {
    let text = "The invocation was canceled.";
    format!("{{\"type\":3,\"invocationId\":\"{id}\",\"error\":\"{text}\"}}\x1e")
}

fn completed(id: &str) -> String {
    format!("{{\"type\":3,\"invocationId\":\"{id}\"}}\x1e")
}

async fn cancel(client: &Client, id: &str) {
    client.send_text(&format!("{{\"type\":5,\"invocationId\":\"{id}\"}}")).await;
}

/// An app whose method `held` waits for a permit.
fn holding(limits: Limits) -> (Fixture, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let app = App::new(move |call| {
        let gate = Arc::clone(&held);
        async move {
            if call.event == "held" {
                gate.acquire().await.unwrap().forget();
            }
            answer(200, "")
        }
    });
    (Fixture::with(app, limits), gate)
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_that_waits_never_runs_and_completes_at_once() {
    let (fixture, gate) = holding(Limits::default());
    let mut client = fixture.client("ada").await;
    client.call_with_id("0", "held").await;
    client.call_with_id("1", "never").await;
    client.call_with_id("2", "next").await;
    fixture.app.called("held").await;

    cancel(&client, "1").await;
    assert_eq!(client.recv_text().await, cancelled("1"));
    gate.add_permits(1);

    assert_eq!(client.recv_text().await, completed("0"));
    assert_eq!(client.recv_text().await, completed("2"));
    assert_eq!(fixture.app.events(), ["connected", "held", "next"]);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_that_runs_completes_at_once_and_only_once() {
    let (fixture, gate) = holding(Limits::default());
    let mut client = fixture.client("ada").await;
    client.call_with_id("0", "held").await;
    client.call_with_id("1", "next").await;
    fixture.app.called("held").await;

    cancel(&client, "0").await;
    assert_eq!(client.recv_text().await, cancelled("0"));
    settle().await;
    assert_eq!(fixture.app.events(), ["connected", "held"], "the next call waits for the method");
    gate.add_permits(1);

    assert_eq!(client.recv_text().await, completed("1"));
    client.call_with_id("2", "last").await;
    assert_eq!(client.recv_text().await, completed("2"));
    assert_eq!(fixture.app.events(), ["connected", "held", "next", "last"]);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_of_no_running_or_waiting_invoke_is_ignored() {
    let (fixture, gate) = holding(Limits::default());
    let mut client = fixture.client("ada").await;
    client.call_with_id("0", "done").await;
    assert_eq!(client.recv_text().await, completed("0"));
    let stream = json!({ "type": 4, "invocationId": "s", "target": "m", "arguments": [] });
    client.send(&stream).await;
    assert!(client.recv_text().await.contains("serverless mode has no streams"));
    client.call("held").await;
    client.call("next").await;
    fixture.app.called("held").await;

    for id in ["0", "s", "x", "", "held", "null"] {
        cancel(&client, id).await;
    }
    settle().await;
    gate.add_permits(1);
    client.call_with_id("1", "last").await;

    assert_eq!(client.recv_text().await, completed("1"), "nothing else was completed");
    assert_eq!(fixture.app.events(), ["connected", "done", "held", "next", "last"]);
}

#[tokio::test(start_paused = true)]
async fn an_id_can_be_used_again_after_a_cancel() {
    let (fixture, gate) = holding(Limits::default());
    let mut client = fixture.client("ada").await;
    client.call_with_id("7", "held").await;
    fixture.app.called("held").await;
    cancel(&client, "7").await;
    assert_eq!(client.recv_text().await, cancelled("7"));

    client.call_with_id("7", "never").await;
    cancel(&client, "7").await;
    assert_eq!(client.recv_text().await, cancelled("7"));
    client.call_with_id("7", "echo").await;
    gate.add_permits(1);

    assert_eq!(client.recv_text().await, completed("7"));
    assert_eq!(fixture.app.events(), ["connected", "held", "echo"]);
    cancel(&client, "7").await;
    client.call_with_id("7", "echo").await;
    assert_eq!(
        client.recv_text().await,
        completed("7"),
        "a late cancel does not hit the next call"
    );
}

#[tokio::test(start_paused = true)]
async fn of_two_calls_with_one_id_a_cancel_hits_the_older_one() {
    let (fixture, gate) = holding(Limits::default());
    let mut client = fixture.client("ada").await;
    client.call_with_id("7", "held").await;
    client.call_with_id("7", "second").await;
    fixture.app.called("held").await;

    cancel(&client, "7").await;
    assert_eq!(client.recv_text().await, cancelled("7"));
    gate.add_permits(1);

    assert_eq!(client.recv_text().await, completed("7"));
    assert_eq!(fixture.app.events(), ["connected", "held", "second"]);
}

#[tokio::test(start_paused = true)]
async fn a_messagepack_client_gets_the_bytes_of_the_completion() {
    let (fixture, _gate) = holding(Limits::default());
    let mut client = fixture.open("ada");
    client.handshake_as("messagepack").await;
    let memory = client.memory();
    memory.send(&b"\x0c\x96\x01\x80\xa17\xa4held\x90\x90"[..]).await.unwrap();
    fixture.app.called("held").await;

    memory.send(&b"\x05\x93\x05\x80\xa17"[..]).await.unwrap();

    let completion = b"\x23\x95\x03\x80\xa17\x01\xbcThe invocation was canceled.";
    assert_eq!(&memory.recv().await.unwrap()[..], completion);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_frees_its_place_in_a_full_queue() {
    let (fixture, gate) = holding(Limits::default().max_queue_messages(4));
    let mut client = fixture.client("ada").await;
    client.call_with_id("held", "held").await;
    fixture.app.called("held").await;
    for number in 0..12 {
        client.call_with_id(&number.to_string(), "never").await;
        settle().await;
        cancel(&client, &number.to_string()).await;
        assert_eq!(client.recv_text().await, cancelled(&number.to_string()));
    }

    gate.add_permits(1);

    assert_eq!(client.recv_text().await, completed("held"));
    assert_eq!(fixture.app.events(), ["connected", "held"]);
}

/// A method that runs until its client cancels it, and a client that calls on.
#[tokio::test(start_paused = true)]
async fn a_full_queue_does_not_keep_the_cancel_of_a_running_call_from_the_service() {
    let (fixture, gate) = holding(Limits::default());
    let mut client = fixture.client("ada").await;
    client.call_with_id("held", "held").await;
    fixture.app.called("held").await;

    for number in 0..1025 {
        client.call_with_id(&number.to_string(), "next").await;
    }
    cancel(&client, "held").await;

    assert_eq!(client.recv_text().await, cancelled("held"));
    gate.add_permits(1);
    for number in 0..1025 {
        assert_eq!(client.recv().await["invocationId"], number.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_cancelled_calls_complete_once_each() {
    let (fixture, gate) = holding(Limits::default());
    let mut client = fixture.client("ada").await;
    client.call_with_id("held", "held").await;
    fixture.app.called("held").await;
    let mut messages = String::new();
    for number in 0..1000 {
        let call = json!({ "type": 1, "invocationId": number.to_string(), "target": "never", "arguments": [] });
        write!(messages, "{call}\x1e").unwrap();
    }
    for number in (0..1000).rev() {
        write!(messages, "{{\"type\":5,\"invocationId\":\"{number}\"}}\x1e").unwrap();
        write!(messages, "{{\"type\":5,\"invocationId\":\"x{number}\"}}\x1e").unwrap();
    }

    client.send_text(messages.trim_end_matches('\x1e')).await;

    for number in (0..1000).rev() {
        let completion = client.recv().await;
        assert_eq!(completion["invocationId"], number.to_string());
        assert_eq!(completion["error"], "The invocation was canceled.");
    }
    gate.add_permits(1);
    assert_eq!(client.recv().await["invocationId"], "held");
    assert_eq!(fixture.app.events(), ["connected", "held"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_a_client_result_can_be_cancelled() {
    let cell = Arc::new(OnceLock::<Fixture>::new());
    let service = Arc::clone(&cell);
    let app = App::new(move |call| {
        let service = Arc::clone(&service);
        async move {
            if call.event != "ask" {
                return answer(200, "");
            }
            let id = call.header("x-asrs-connection-id").unwrap();
            let below = format!("connections/{id}/:invoke");
            let asked = service.get().unwrap().post(&below, r#"{"target":"confirm"}"#).await;
            call.completion(&json!(asked.status))
        }
    });
    let fixture = Fixture::new(app);
    cell.set(fixture.clone()).ok().unwrap();
    let mut client = fixture.client("ada").await;
    client.call_with_id("0", "ask").await;
    assert!(client.recv_text().await.contains("confirm"));

    cancel(&client, "0").await;
    assert_eq!(client.recv_text().await, cancelled("0"));
    client.call_with_id("1", "beside").await;
    assert_eq!(client.recv_text().await, completed("1"), "the method still waits for the client");
    client.send_text(r#"{"type":3,"invocationId":"s0","result":true}"#).await;
    client.call_with_id("2", "after").await;

    assert_eq!(client.recv_text().await, completed("2"), "the late completion is dropped");
    let start = Instant::now();
    drop(client);
    eventually(|| fixture.app.events().last().is_some_and(|event| event == "disconnected")).await;
    assert_eq!(start.elapsed().as_secs(), 0, "no call is left");
}
