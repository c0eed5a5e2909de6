//! The end of long-polling connections: the close message, and the requests after it.

use super::*;

#[tokio::test(start_paused = true)]
async fn delete_closes_the_connection_normally_and_a_waiting_poll_gets_a_close_message() {
    let fixture = Fixture::new(App::silent());
    let client = connected(&fixture).await;
    let mut poll = waiting(&client).await;

    assert_eq!(client.ask("DELETE", "", b"").await.plain(), (202, "text/plain", ""));

    let close = "{\"type\":7,\"allowReconnect\":true}\x1e";
    assert_eq!(messages(&poll.answer().await), close);
    assert_eq!(client.poll().await.plain(), NO_CONTENT);
    assert_eq!(fixture.app.called("disconnected").await.body, "{\"Type\":11}");
    let unknown = (404, "text/plain", "No Connection with that ID");
    eventually(|| fixture.service.counters().connections == 0).await;
    assert_eq!(client.poll().await.plain(), unknown);
    assert_eq!(client.ask("POST", "", b"x").await.plain(), unknown);
    assert_eq!(client.ask("DELETE", "", b"").await.plain(), unknown);
}

#[tokio::test(start_paused = true)]
async fn after_the_end_one_poll_gets_204_and_later_polls_get_404() {
    let fixture = Fixture::new(App::silent());
    let client = connected(&fixture).await;

    assert_eq!(client.ask("DELETE", "", b"").await.status, 202);
    fixture.app.called("disconnected").await;
    settle().await;

    assert_eq!(client.poll().await.plain(), NO_CONTENT);
    assert_eq!(client.poll().await.status, 404);
    assert_eq!(client.ask("POST", "", b"x").await.status, 404);
    assert_eq!(client.ask("DELETE", "", b"").await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn until_a_client_has_received_the_end_its_last_requests_succeed() {
    let fixture = Fixture::new(App::silent());
    let client = connected(&fixture).await;
    let below = format!("connections/{}?reason=bye", fixture.last_id());
    assert_eq!(fixture.status(http::Method::DELETE, &below).await, 200);
    let close = "{\"type\":7,\"error\":\"bye\"}\x1e";
    assert_eq!(messages(&client.poll().await), close);

    // The official clients answer the close message with their own and with DELETE, without another poll.
    for _ in 0..2 {
        let own_close = b"{\"type\":7}\x1e";
        assert_eq!(client.ask("POST", "", own_close).await.plain(), (200, "text/plain", ""));
        assert_eq!(client.ask("DELETE", "", b"").await.plain(), (202, "text/plain", ""));
    }

    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(client.ask("DELETE", "", b"").await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_post_over_the_limit_is_a_413_and_ends_the_connection_with_a_close_message() {
    let limits = Limits::default().max_post_bytes(5000);
    for is_chunked in [false, true] {
        let fixture = Fixture::with(App::silent(), limits.clone());
        let client = connected(&fixture).await;
        let text = "the body has more than 5000 bytes; the connection ends";
        let size = 5001;
        let (headers, body) = if is_chunked {
            let chunk = format!("{size:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(size));
            ("transfer-encoding: chunked\r\n".to_owned(), chunk)
        } else {
            (format!("content-length: {size}\r\n"), "x".repeat(size))
        };
        let head = format!(
            "POST /client/?hub=chat&{} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n{headers}\r\n",
            client.query, client.token
        );

        let mut wire = Wire::pipe(&client.service);
        wire.write(format!("{head}{body}").as_bytes()).await;

        assert_eq!(wire.answer().await.plain(), (413, "text/plain", text));
        let close = "{\"type\":7,\"error\":\"Connection closed with an error.\",\"allowReconnect\":true}\x1e";
        assert_eq!(messages(&client.poll().await), close);
        assert_eq!(client.poll().await.plain(), NO_CONTENT);
        let error = fixture.app.called("disconnected").await.json()["Error"].clone();
        assert_eq!(error, "ProtocolError: the maximum message size of 5000B was exceeded");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pending_close_message_is_delivered_before_the_end() {
    let fixture = Fixture::new(App::silent());
    let client = connected(&fixture).await;
    let below = format!("connections/{}?reason=bye", fixture.last_id());

    assert_eq!(fixture.status(http::Method::DELETE, &below).await, 200);

    let close = "{\"type\":7,\"error\":\"bye\"}\x1e";
    assert_eq!(messages(&client.poll().await), close);
    assert_eq!(client.poll().await.plain(), NO_CONTENT);
    assert_eq!(client.poll().await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn clients_are_notified_when_the_service_stops() {
    let fixture = Fixture::new(App::silent());
    let client = connected(&fixture).await;
    let mut poll = waiting(&client).await;

    let service = fixture.service.clone();
    let stopping = tokio::spawn(async move { service.shutdown().await });

    let close = "{\"type\":7,\"allowReconnect\":true}\x1e";
    assert_eq!(messages(&poll.answer().await), close);
    assert_eq!(client.poll().await.plain(), NO_CONTENT);
    stopping.await.unwrap();
    assert_eq!(fixture.app.events(), ["connected", "disconnected"]);
}
