//! Shutdown of the process.

use std::time::Duration;

use serde_json::json;

use crate::{
    app::App,
    client::Client,
    process::Running,
    stopping::{stopping, stuck},
};

#[tokio::test]
async fn a_signal_closes_clients_that_may_reconnect_and_is_success() {
    for signal in ["INT", "TERM"] {
        let app = App::named("x").await;
        let mut service = Running::start(&["--upstream", &app.url]).await;
        let mut client = Client::connect(service.port, "chat").await;
        app.called("connected").await;

        service.signal(signal);

        assert_eq!(client.receive().await, json!({ "type": 7, "allowReconnect": true }));
        assert_eq!(client.receive().await, json!(null));
        drop(client);
        assert_eq!(service.exit().await, 0);
        assert_eq!(app.events(), ["connected", "disconnected"]);
    }
}

#[tokio::test]
async fn a_second_signal_stops_immediately() {
    let mut service = stopping().await;
    // Signals within half a second count as one.
    tokio::time::sleep(Duration::from_millis(600)).await;

    service.signal("TERM");

    assert_eq!(service.exit().await, 1);
    service.log.line("stopped immediately").await;
}

#[tokio::test]
async fn copies_of_a_signal_do_not_stop_immediately() {
    let app = stuck().await;
    let mut service = Running::start(&["--upstream", &app.url, "--stop-within", "1s"]).await;
    let client = Client::connect(service.port, "chat").await;
    app.called("connected").await;
    service.signal("INT");
    service.out.line("Stopping").await;
    drop(client);

    for copy in ["INT", "TERM", "INT"] {
        service.signal(copy);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    assert_eq!(service.exit().await, 1);
    service.log.line("were aborted after 1 s").await;
}

#[tokio::test]
async fn calls_that_do_not_end_are_aborted_after_the_timeout() {
    let app = stuck().await;
    let mut service = Running::start(&["--upstream", &app.url, "--stop-within", "1s"]).await;
    let client = Client::connect(service.port, "chat").await;
    app.called("connected").await;

    service.signal("INT");
    drop(client);

    assert_eq!(service.exit().await, 1);
    service.log.line("were aborted after 1 s").await;
}
