//! Calls without a matching upstream, and calls that wait because of the limit of concurrent calls.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hub_local::{Limits, LocalService, Unmatched, UpstreamError};
use tokio::{sync::Semaphore, time::Instant};

use crate::support::{App, Client, Fixture, KEY, URL, answer, client_token, eventually, settle};

/// An app that accepts only the event `known`.
fn picky() -> App {
    App::failing(|call| async move {
        if call.event == "known" {
            Ok(call.completion(&true.into()))
        } else {
            Err(UpstreamError::NoTemplate)
        }
    })
}

async fn client(unmatched: Unmatched) -> (LocalService, Client) {
    let service = LocalService::builder().key(KEY).upstream(picky()).unmatched(unmatched).build();
    let url = format!("{URL}/client/?hub=chat");
    let mut client = Client::in_memory(service.connect_memory(&url, &client_token("ada")).unwrap());
    client.handshake().await;
    (service, client)
}

#[tokio::test(start_paused = true)]
async fn an_invoke_without_a_matching_template_is_refused() {
    let (_service, mut client) = client(Unmatched::Refused).await;

    client.call_with_id("7", "unknown").await;

    let text = "no upstream is configured for this method";
    let refusal = format!("{{\"type\":3,\"invocationId\":\"7\",\"error\":\"{text}\"}}\x1e");
    assert_eq!(client.recv_text().await, refusal);
}

#[tokio::test(start_paused = true)]
async fn in_strict_mode_an_unmatched_invoke_gets_no_response() {
    let (_service, mut client) = client(Unmatched::Silent).await;

    client.call_with_id("7", "unknown").await;
    client.call_with_id("8", "known").await;

    assert!(client.recv_text().await.contains("\"invocationId\":\"8\""));
}

#[tokio::test(start_paused = true)]
async fn in_strict_mode_an_invoke_without_an_upstream_gets_no_response() {
    let service = LocalService::builder().key(KEY).unmatched(Unmatched::Silent).build();
    let url = format!("{URL}/client/?hub=chat");
    let mut client = Client::in_memory(service.connect_memory(&url, &client_token("ada")).unwrap());
    client.handshake().await;

    client.call_with_id("7", "m").await;
    settle().await;
    service.shutdown().await;

    assert_eq!(client.recv_text().await, "{\"type\":7,\"allowReconnect\":true}\x1e");
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_run_at_once_than_the_limit_allows() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let gate = Arc::new(Semaphore::new(0));
    let inner = (Arc::clone(&running), Arc::clone(&most), Arc::clone(&gate));
    let app = App::new(move |_| {
        let (running, most, gate) = inner.clone();
        async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            gate.acquire().await.unwrap().forget();
            running.fetch_sub(1, Ordering::SeqCst);
            answer(200, "")
        }
    });
    let limits = Limits::default().max_upstream_calls(2);
    let fixture = Fixture::with(app, limits);
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut client = fixture.open("ada");
        client.handshake().await;
        clients.push(client);
    }

    eventually(|| running.load(Ordering::SeqCst) == 2).await;
    settle().await;
    assert_eq!(fixture.app.calls().len(), 2);
    gate.add_permits(5);
    eventually(|| fixture.app.calls().len() == 5).await;

    assert_eq!(most.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn clients_that_leave_at_once_are_reported_128_at_a_time_and_none_waits_longer_than_a_second()
{
    let running = Arc::new(AtomicUsize::new(0));
    let gate = Arc::new(Semaphore::new(0));
    let inner = (Arc::clone(&running), Arc::clone(&gate));
    let app = App::new(move |call| {
        let (running, gate) = inner.clone();
        async move {
            if call.event == "disconnected" {
                running.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
            }
            answer(200, "")
        }
    });
    let fixture = Fixture::with(app, Limits::default());
    let mut clients = Vec::new();
    for _ in 0..200 {
        let mut client = fixture.open("ada");
        client.handshake().await;
        clients.push(client);
    }
    let mut other = clients.pop().unwrap();
    let begun = Instant::now();

    drop(clients);
    eventually(|| running.load(Ordering::SeqCst) >= 128).await;
    settle().await;
    assert_eq!(running.load(Ordering::SeqCst), 128);
    gate.add_permits(10);
    eventually(|| running.load(Ordering::SeqCst) >= 138).await;
    settle().await;
    assert_eq!(running.load(Ordering::SeqCst), 138);
    other.call_with_id("7", "m").await;
    assert!(other.recv_text().await.contains("\"invocationId\":\"7\""));
    assert!(begun.elapsed() < Duration::from_secs(1));

    tokio::time::sleep_until(begun + Duration::from_millis(1_100)).await;
    eventually(|| running.load(Ordering::SeqCst) == 199).await;
}
