//! The maximum age of connections.

use std::time::Duration;

use hub_local::Limits;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    support::{App, Client, Fixture, URL, eventually, signed, unix_now},
    wire::Negotiated,
};

#[tokio::test(start_paused = true)]
async fn connections_of_the_maximum_age_may_reconnect_and_do_not_end_together() {
    let limits = Limits::default().max_connection_lifetime(Some(Duration::from_secs(100)));
    let fixture = Fixture::with(App::silent(), limits);
    let started = Instant::now();
    let mut ends = Vec::new();

    for _ in 0..50 {
        let mut client = fixture.client("ada").await;
        ends.push(tokio::spawn(async move {
            let last = loop {
                let text = client.recv_text().await;
                if text != "{\"type\":6}\x1e" {
                    break text;
                }
            };
            assert_eq!(last, "{\"type\":7,\"allowReconnect\":true}\x1e");
            assert_eq!(client.recv_text().await, "");
            started.elapsed().as_secs()
        }));
    }
    let mut seconds = Vec::new();
    for end in ends {
        seconds.push(end.await.unwrap());
    }

    seconds.sort_unstable();
    assert!(90 <= seconds[0] && seconds[49] <= 100, "{seconds:?}");
    seconds.dedup();
    assert!(seconds.len() > 5, "the ends are spread: {seconds:?}");
    let is_end = |event: &&String| *event == "disconnected";
    eventually(|| fixture.app.events().iter().filter(is_end).count() == 50).await;
    for call in fixture.app.calls() {
        assert!(call.event == "connected" || call.body == "{\"Type\":11}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_counts_before_the_maximum_age_and_the_age_before_a_later_expiry() {
    let limits = Limits::default().max_connection_lifetime(Some(Duration::from_secs(100)));
    let fixture = Fixture::with(App::silent(), limits);
    for (expiry, ends) in [(50, 48..=51), (1000, 90..=100)] {
        let claims = json!({ "asrs.s.coae": "true", "asrs.s.aeo": unix_now() + expiry });
        let url = format!("{URL}/client/?hub=chat");
        let mut all = json!({ "aud": url, "exp": unix_now() + 3600 });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let client = fixture.service.connect_memory(&url, &signed(&all)).unwrap();
        let mut client = Client::in_memory(client);
        client.handshake().await;
        let started = Instant::now();

        while client.recv_text().await == "{\"type\":6}\x1e" {}

        assert!(ends.contains(&started.elapsed().as_secs()), "{expiry}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_ends_at_the_maximum_age_of_its_connection() {
    let limits = Limits::default().max_connection_lifetime(Some(Duration::from_secs(20)));
    let fixture = Fixture::with(App::silent(), limits);
    let client = Negotiated::new(&fixture).await;
    client.poll().await;
    client.post(r#"{"protocol":"json","version":1}"#).await;
    assert_eq!(client.poll().await.body, "{}\x1e");
    let started = Instant::now();

    let last = client.poll().await;

    assert_eq!(last.body, "{\"type\":7,\"allowReconnect\":true}\x1e");
    assert!((18..=20).contains(&started.elapsed().as_secs()));
    assert_eq!(client.poll().await.status, 204);
}
