//! The order of upstream calls, and operations that do not wait for them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hub_local::Limits;
use serde_json::json;
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep},
};

use crate::support::{App, Fixture, answer, eventually, settle};

#[tokio::test(start_paused = true)]
async fn connected_is_first_and_disconnected_last_even_if_the_client_left() {
    let app = App::new(|_| async {
        sleep(Duration::from_secs(1)).await;
        answer(200, "")
    });
    let fixture = Fixture::new(app);
    let mut client = fixture.open("ada");
    client.handshake().await;
    for number in 0..5 {
        client.call(&format!("m{number}")).await;
    }
    client.into_memory().close().await;

    fixture.app.called("disconnected").await;

    let events = ["connected", "m0", "m1", "m2", "m3", "m4", "disconnected"];
    assert_eq!(fixture.app.events(), events);
}

#[tokio::test(start_paused = true)]
async fn one_connection_has_one_upstream_call_at_a_time() {
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let counters = (Arc::clone(&running), Arc::clone(&most));
    let app = App::new(move |_| {
        let (running, most) = counters.clone();
        async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            sleep(Duration::from_millis(10)).await;
            running.fetch_sub(1, Ordering::SeqCst);
            answer(200, "")
        }
    });
    let fixture = Fixture::new(app);
    let mut client = fixture.open("ada");
    client.handshake().await;

    for number in 0..20 {
        client.call_with_id(&number.to_string(), "m").await;
    }
    for number in 0..20 {
        let expected = format!("{{\"type\":3,\"invocationId\":\"{number}\"}}\x1e");
        assert_eq!(client.recv_text().await, expected);
    }

    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn connections_do_not_wait_for_each_other() {
    let app = App::new(|call| async move {
        if call.event == "forever" {
            std::future::pending::<()>().await;
        }
        answer(200, "")
    });
    let fixture = Fixture::new(app);
    let (ada, mut bob) = (fixture.client("ada").await, fixture.client("bob").await);
    ada.call("forever").await;

    bob.call_with_id("1", "quick").await;

    assert_eq!(bob.recv_text().await, "{\"type\":3,\"invocationId\":\"1\"}\x1e");
}

/// An app with a method `ask`, which invokes the calling client and returns its result, and a method `slow`.
fn asking(fixture: &Arc<std::sync::OnceLock<Fixture>>) -> App {
    let fixture = Arc::clone(fixture);
    App::new(move |call| {
        let fixture = Arc::clone(&fixture);
        async move {
            match call.event.as_str() {
                "ask" => {}
                "slow" => {
                    sleep(Duration::from_secs(1)).await;
                    return answer(200, "");
                }
                _ => return answer(200, ""),
            }
            let id = call.header("x-asrs-connection-id").unwrap();
            let below = format!("connections/{id}/:invoke");
            let asked = fixture.get().unwrap().post(&below, r#"{"target":"confirm"}"#).await;
            call.completion(&json!([asked.status, asked.json()["result"]]))
        }
    })
}

fn asking_fixture(limits: Limits) -> Fixture {
    let cell = Arc::default();
    let fixture = Fixture::with(asking(&cell), limits);
    cell.set(fixture.clone()).ok().unwrap();
    fixture
}

#[tokio::test(start_paused = true)]
async fn while_a_client_is_asked_its_later_calls_reach_the_app_in_order() {
    let fixture = asking_fixture(Limits::default());
    let mut client = fixture.client("ada").await;
    client.call_with_id("ask", "ask").await;
    for number in 0..5 {
        client.call_with_id(&number.to_string(), if number == 0 { "slow" } else { "next" }).await;
    }

    let question = client.recv_text().await;
    assert!(question.starts_with("{\"type\":1,\"invocationId\":\"s0\",\"target\":\"confirm\""));
    for number in 0..5 {
        let expected = format!("{{\"type\":3,\"invocationId\":\"{number}\"}}\x1e");
        assert_eq!(client.recv_text().await, expected);
    }
    client.send_text(r#"{"type":3,"invocationId":"s0","result":true}"#).await;

    let answered = "{\"invocationId\":\"ask\",\"result\":[200,true],\"type\":3}\x1e";
    assert_eq!(client.recv_text().await, answered);
    assert_eq!(fixture.app.events()[..4], ["connected", "ask", "slow", "next"]);
}

#[tokio::test(start_paused = true)]
async fn after_the_result_calls_run_one_at_a_time_again() {
    let fixture = asking_fixture(Limits::default());
    let mut client = fixture.client("ada").await;
    client.call_with_id("ask", "ask").await;
    client.recv_text().await;
    client.call_with_id("0", "slow").await;
    client.send_text(r#"{"type":3,"invocationId":"s0","result":true}"#).await;
    assert!(client.recv_text().await.contains("[200,true]"));
    let start = Instant::now();

    client.call_with_id("1", "slow").await;

    for id in ["0", "1"] {
        assert_eq!(
            client.recv_text().await,
            format!("{{\"type\":3,\"invocationId\":\"{id}\"}}\x1e")
        );
    }
    assert_eq!(start.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_is_exceeded_while_a_client_result_is_pending() {
    let limits = Limits::default().max_queue_messages(4);
    let fixture = asking_fixture(limits);
    let mut client = fixture.client("ada").await;
    client.call_with_id("ask", "ask").await;
    client.recv_text().await;
    for _ in 0..6 {
        client.call("slow").await;
    }

    client.send_text(r#"{"type":3,"invocationId":"s0","result":true}"#).await;

    assert!(client.recv_text().await.contains("[200,true]"));
}

#[tokio::test(start_paused = true)]
async fn a_pending_client_result_closes_the_client_at_twice_the_queue_limit() {
    let limits = Limits::default().max_queue_messages(4);
    let fixture = asking_fixture(limits);
    let mut client = fixture.client("ada").await;
    client.call_with_id("ask", "ask").await;
    client.recv_text().await;
    client.call("slow").await;
    fixture.app.called("slow").await;
    for _ in 0..9 {
        client.call("slow").await;
    }

    let close = client.recv_text().await;

    assert!(close.contains("too many messages wait for their upstream calls"), "{close}");
    let events = || fixture.app.events();
    eventually(|| events().last().is_some_and(|event| event == "disconnected")).await;
    assert_eq!(events().iter().filter(|event| *event == "slow").count(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_pauses_reading_and_loses_nothing() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let app = App::new(move |_| {
        let gate = Arc::clone(&held);
        async move {
            gate.acquire().await.unwrap().forget();
            answer(200, "")
        }
    });
    let limits = Limits::default().max_queue_messages(3);
    let fixture = Fixture::with(app, limits);
    let mut client = fixture.open("ada");
    client.handshake().await;
    let sending = tokio::spawn(async move {
        for number in 0..100 {
            client.call(&format!("m{number}")).await;
        }
        client
    });
    settle().await;
    sleep(Duration::from_secs(5)).await;
    assert!(!sending.is_finished(), "the pipe is full as well");

    gate.add_permits(1000);
    drop(sending.await.unwrap());
    fixture.app.called("disconnected").await;

    let events = fixture.app.events();
    let sent: Vec<_> = (0..100).map(|number| format!("m{number}")).collect();
    assert_eq!(events[1..101], sent);
}

#[tokio::test(start_paused = true)]
async fn a_running_call_continues_after_its_client_leaves() {
    let finished = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&finished);
    let app = App::new(move |call| {
        let counter = Arc::clone(&counter);
        async move {
            if call.event == "long" {
                sleep(Duration::from_secs(20)).await;
                counter.fetch_add(1, Ordering::SeqCst);
            }
            answer(200, "")
        }
    });
    let fixture = Fixture::new(app);
    let client = fixture.client("ada").await;
    client.call("long").await;
    fixture.app.called("long").await;

    drop(client);
    sleep(Duration::from_secs(19)).await;
    assert_eq!(fixture.app.events(), ["connected", "long"]);
    fixture.app.called("disconnected").await;

    assert_eq!(finished.load(Ordering::SeqCst), 1);
}
