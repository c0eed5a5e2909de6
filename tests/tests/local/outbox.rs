//! Shared encoded messages, and clients that do not read.

use hub_local::Limits;
use tokio::time::{Duration, Instant, sleep, timeout};

use crate::support::{App, Fixture, eventually, message};

#[tokio::test(start_paused = true)]
async fn a_broadcast_is_encoded_once_and_its_bytes_are_shared() {
    let fixture = Fixture::new(App::silent());
    let (mut ada, mut bob) = (fixture.client("ada").await, fixture.client("bob").await);

    fixture.send(":send", "x").await;
    let (first, second) = (ada.memory().recv().await.unwrap(), bob.memory().recv().await.unwrap());

    assert_eq!(first, message("x"));
    assert_eq!(first.as_ptr(), second.as_ptr());
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_is_closed_with_the_reason_and_others_get_everything() {
    let limits = Limits::default().max_outbox_messages(100);
    let fixture = Fixture::with(App::silent(), limits);
    let mut slow = fixture.client("slow").await;
    let mut quick = fixture.client("quick").await;
    let reading = tokio::spawn(async move {
        for number in 0..1000 {
            assert_eq!(quick.recv_text().await, message(&number.to_string()));
        }
        quick
    });

    for number in 0..1000 {
        fixture.send(":send", &number.to_string()).await;
        tokio::task::yield_now().await;
    }
    let _quick = reading.await.unwrap();

    assert_eq!(fixture.service.counters().slow_clients, 1);
    assert_eq!(fixture.service.counters().connections, 1);
    let mut last = slow.recv_text().await;
    loop {
        let next = slow.recv_text().await;
        if next.is_empty() {
            break;
        }
        last = next;
    }
    let close = "{\"type\":7,\"error\":\"slow client\",\"allowReconnect\":true}\x1e";
    assert_eq!(last, close);
    let body = fixture.app.called("disconnected").await.body;
    assert_eq!(body, "{\"Type\":11,\"Error\":\"slow client\"}");
}

#[tokio::test(start_paused = true)]
async fn the_counters_report_pending_clients_and_bytes() {
    let fixture = Fixture::new(App::silent());
    let (mut ada, _bob) = (fixture.client("ada").await, fixture.client("bob").await);
    let counted = |fixture: &Fixture| {
        let counters = fixture.service.counters();
        (counters.waiting_clients, counters.waiting_bytes)
    };
    assert_eq!(counted(&fixture), (0, 0));

    for _ in 0..100 {
        fixture.send(":send", "x").await;
    }
    let (clients, both) = counted(&fixture);
    assert!(clients == 2 && both > 100 * message("x").len() as u64, "{clients} {both}");

    for _ in 0..100 {
        assert_eq!(ada.recv_text().await, message("x"));
    }
    eventually(|| counted(&fixture).0 == 1).await;
    assert!(counted(&fixture).1 < both);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_reading_is_removed() {
    let limits = Limits::default().max_outbox_messages(10);
    let fixture = Fixture::with(App::silent(), limits);
    let _stuck = fixture.client("stuck").await;

    for _ in 0..100 {
        fixture.send(":send", "x").await;
        tokio::task::yield_now().await;
    }

    eventually(|| fixture.service.counters().connections == 0).await;
    sleep(Duration::from_secs(6)).await;
    fixture.app.called("disconnected").await;
}

#[tokio::test(start_paused = true)]
async fn outbox_bytes_are_bounded_but_a_large_completion_is_allowed() {
    let app = App::new(|call| async move {
        match call.event.as_str() {
            "big" => call.completion(&"x".repeat(5000).into()),
            _ => crate::support::answer(200, ""),
        }
    });
    let limits = Limits::default().max_outbox_bytes(1000);
    let fixture = Fixture::with(app, limits);
    let mut client = fixture.client("ada").await;

    client.call_with_id("1", "big").await;
    assert!(client.recv_text().await.len() > 5000);

    for _ in 0..100 {
        fixture.send(":send", &"y".repeat(400)).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(fixture.service.counters().slow_clients, 1);
}

/// Sends until a response is delayed, and returns the delay. Returns `None` if the client reads fast enough.
async fn first_late_answer(fixture: &Fixture) -> Option<Duration> {
    for _ in 0..200 {
        let began = Instant::now();
        fixture.send(":send", &"x".repeat(100)).await;
        if !began.elapsed().is_zero() {
            return Some(began.elapsed());
        }
        tokio::task::yield_now().await;
    }
    None
}

#[tokio::test(start_paused = true)]
async fn responses_to_sends_are_delayed_by_a_second_above_the_total_outbox_limit() {
    let limits = Limits::default().max_total_outbox_bytes(10_000);
    let fixture = Fixture::with(App::silent(), limits);
    let mut client = fixture.client("ada").await;

    assert_eq!(first_late_answer(&fixture).await, Some(Duration::from_secs(1)));
    let reading = tokio::spawn(async move {
        sleep(Duration::from_millis(300)).await;
        while !client.recv_text().await.is_empty() {}
    });

    assert_eq!(first_late_answer(&fixture).await, Some(Duration::from_millis(300)));
    assert_eq!(first_late_answer(&fixture).await, None);
    reading.abort();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_for_five_seconds_delays_no_sender() {
    let limits = Limits::default().max_total_outbox_bytes(10_000);
    let fixture = Fixture::with(App::silent(), limits);
    let mut client = fixture.client("ada").await;
    let long = "x".repeat(3000);
    let held_back = async || {
        let began = Instant::now();
        fixture.send(":send", &long).await;
        began.elapsed()
    };

    while held_back().await.is_zero() {}
    // The first delayed send starts the stall check. Five seconds later, a client that has read nothing no
    // longer delays senders.
    for _ in 0..5 {
        assert_eq!(held_back().await, Duration::from_secs(1));
    }
    assert_eq!(held_back().await, Duration::ZERO);

    // The client reads again, so that it delays senders like any other client.
    while timeout(Duration::from_millis(1), client.recv_text()).await.is_ok() {}
    while held_back().await.is_zero() {}
    assert_eq!(held_back().await, Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn pending_data_of_an_ended_client_delays_no_sender() {
    let limits = Limits::default().max_total_outbox_bytes(10_000);
    let fixture = Fixture::with(App::silent(), limits);
    let client = fixture.client("ada").await;
    assert!(first_late_answer(&fixture).await.is_some());

    drop(client);
    fixture.app.called("disconnected").await;
    let _other = fixture.client("bob").await;
    let began = Instant::now();
    fixture.send(":send", "x").await;

    assert_eq!(began.elapsed(), Duration::ZERO);
}
