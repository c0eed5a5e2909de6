//! Pings, client timeouts, and malformed messages.

use std::time::Duration;

use hub_local::Limits;
use tokio::time::{Instant, sleep};

use crate::support::{App, Fixture};

const GENERIC: &str =
    "{\"type\":7,\"error\":\"Connection closed with an error.\",\"allowReconnect\":true}\x1e";

#[tokio::test(start_paused = true)]
async fn pings_come_every_fifteen_seconds_and_a_client_that_never_pings_may_be_silent() {
    let fixture = Fixture::new(App::silent());
    let mut client = fixture.client("ada").await;
    let started = Instant::now();

    for ping in 1..=4 {
        assert_eq!(client.memory().recv().await.unwrap(), "{\"type\":6}\x1e");
        assert!(started.elapsed() <= Duration::from_secs(15 * ping));
    }

    assert!(started.elapsed() > Duration::from_secs(59));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_pinging_is_closed_after_thirty_seconds() {
    let fixture = Fixture::new(App::silent());
    let mut client = fixture.client("ada").await;
    client.send_text("{\"type\":6}").await;
    sleep(Duration::from_secs(29)).await;
    client.send_text("{\"type\":8,\"sequenceId\":1}").await;
    let started = Instant::now();

    assert_eq!(client.recv_text().await, GENERIC);

    assert_eq!(started.elapsed().as_secs(), 30);
    let disconnected = fixture.app.called("disconnected").await;
    let body = "{\"Type\":11,\"Error\":\"the client has sent nothing for 30 s\"}";
    assert_eq!(disconnected.body, body);
}

#[tokio::test(start_paused = true)]
async fn the_client_timeout_pauses_while_the_service_does_not_read() {
    let app = App::new(|call| async move {
        if call.event == "slow" {
            sleep(Duration::from_secs(300)).await;
        }
        crate::support::answer(200, "")
    });
    let limits = Limits::default().max_queue_messages(1);
    let fixture = Fixture::with(app, limits);
    let mut client = fixture.client("ada").await;
    client.send_text("{\"type\":6}").await;
    client.call("slow").await;
    fixture.app.called("slow").await;
    client.call("second").await;
    client.call_with_id("1", "third").await;

    assert_eq!(client.recv_text().await, "{\"type\":3,\"invocationId\":\"1\"}\x1e");

    assert_eq!(fixture.app.events(), ["connected", "slow", "second", "third"]);
}

#[tokio::test(start_paused = true)]
async fn malformed_messages_end_the_connection() {
    for malformed in ["", "nonsense", "{}", "{\"type\":1}", "{\"protocol\":\"json\",\"version\":1}"]
    {
        let fixture = Fixture::new(App::silent());
        let mut client = fixture.client("ada").await;

        client.send_text(malformed).await;

        assert_eq!(client.recv_text().await, GENERIC, "{malformed}");
        assert_eq!(client.recv_text().await, "");
        fixture.app.called("disconnected").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_over_the_limit_ends_the_connection() {
    let limits = Limits::default().max_message_bytes(64);
    let fixture = Fixture::with(App::silent(), limits);
    let mut client = fixture.client("ada").await;

    client.memory().send(vec![b' '; 65]).await.unwrap();

    assert_eq!(client.recv_text().await, GENERIC);
}

#[tokio::test(start_paused = true)]
async fn unknown_message_types_are_skipped() {
    let fixture = Fixture::new(App::silent());
    let mut client = fixture.client("ada").await;

    for skipped in [
        "{\"type\":77}",
        "{\"type\":2,\"invocationId\":\"1\",\"item\":1}",
        "{\"type\":3,\"invocationId\":\"unknown\",\"result\":1}",
        "{\"type\":5,\"invocationId\":\"1\"}",
        "{\"type\":8,\"sequenceId\":1}",
        "{\"type\":9,\"sequenceId\":1}",
    ] {
        client.send_text(skipped).await;
    }
    client.call_with_id("1", "still there").await;

    assert_eq!(client.recv_text().await, "{\"type\":3,\"invocationId\":\"1\"}\x1e");
}

#[tokio::test(start_paused = true)]
async fn a_close_message_is_answered_and_is_a_normal_close() {
    let fixture = Fixture::new(App::silent());
    let mut client = fixture.client("ada").await;

    client.send_text("{\"type\":7,\"error\":\"\"}").await;

    assert_eq!(client.recv_text().await, "{\"type\":7}\x1e");
    assert_eq!(client.recv_text().await, "");
    assert_eq!(fixture.app.called("disconnected").await.body, "{\"Type\":11}");
}

#[tokio::test(start_paused = true)]
async fn the_error_in_the_close_message_of_a_client_reaches_the_app() {
    let fixture = Fixture::new(App::silent());
    let mut client = fixture.client("ada").await;

    client.send_text("{\"type\":7,\"error\":\"bye \\u00fc\"}").await;

    assert_eq!(client.recv_text().await, "{\"type\":7}\x1e");
    let body = "{\"Type\":11,\"Error\":\"bye ü\"}";
    assert_eq!(fixture.app.called("disconnected").await.body, body);
}

#[tokio::test(start_paused = true)]
async fn a_close_of_the_transport_is_normal_and_a_loss_is_not() {
    let fixture = Fixture::new(App::silent());

    fixture.client("ada").await.into_memory().close().await;
    assert_eq!(fixture.app.called("disconnected").await.body, "{\"Type\":11}");

    let other = Fixture::new(App::silent());
    drop(other.client("bob").await);
    let body = other.app.called("disconnected").await.json();
    assert!(body["Error"].as_str().unwrap().contains("lost"));
}

#[tokio::test(start_paused = true)]
async fn durations_above_the_timer_limit_are_bounded() {
    for keep_alive in [Duration::ZERO, Duration::MAX] {
        let (client_timeout, connect_within) = (Duration::MAX, Duration::MAX);
        let (poll_gap, resume_within) = (Duration::MAX, Duration::MAX);
        let limits = Limits::default()
            .keep_alive_interval(keep_alive)
            .client_timeout(client_timeout)
            .connect_timeout(connect_within)
            .poll_gap_timeout(poll_gap)
            .resume_timeout(resume_within);
        let fixture = Fixture::with(App::silent(), limits);

        let mut client = fixture.client("ada").await;

        client.send_text("{\"type\":6}").await;
        client.call_with_id("1", "m").await;
        assert_eq!(client.recv_text().await, "{\"type\":3,\"invocationId\":\"1\"}\x1e");
    }
}
