//! Items of a stream and its end, as frames on the wire.

use http::header::CONTENT_TYPE;

use crate::{
    rest_support::{call, post},
    support::{App, Client, Fixture},
};

async fn client(fixture: &Fixture) -> (Client, String) {
    let (client, id) = fixture.client_and_id("ada").await;
    (client, format!("/api/hubs/chat/connections/{id}/streams/7"))
}

#[tokio::test(start_paused = true)]
async fn an_item_is_the_whole_body_with_its_bytes() {
    let fixture = Fixture::new(App::silent());
    let (mut ada, stream) = client(&fixture).await;

    for item in ["5", "1.50", "\"x\"", "null", "[ 1,2 ]", "{\"b\":1, \"a\":12345678901234567890}"] {
        let path = format!("{stream}/:send?api-version=2024-12-01");
        let answer = post(&fixture, &path, &format!(" {item}\n")).await;
        assert_eq!((answer.status, answer.body.len()), (202, 0));
        let expected = format!("{{\"type\":2,\"invocationId\":\"7\",\"item\":{item}}}\x1e");
        assert_eq!(ada.recv_text().await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_item_is_followed_by_the_end() {
    let fixture = Fixture::new(App::silent());
    let (mut ada, stream) = client(&fixture).await;

    assert_eq!(post(&fixture, &format!("{stream}/:send?completed=false"), "1").await.status, 202);
    assert_eq!(post(&fixture, &format!("{stream}/:send?completed=True"), "2").await.status, 202);

    assert_eq!(ada.recv_text().await, "{\"type\":2,\"invocationId\":\"7\",\"item\":1}\x1e");
    assert_eq!(ada.recv_text().await, "{\"type\":2,\"invocationId\":\"7\",\"item\":2}\x1e");
    assert_eq!(ada.recv_text().await, "{\"type\":3,\"invocationId\":\"7\"}\x1e");
}

#[tokio::test(start_paused = true)]
async fn an_end_may_have_an_error_under_either_name() {
    let fixture = Fixture::new(App::silent());
    let (mut ada, stream) = client(&fixture).await;

    for (query, members) in [
        ("", ""),
        ("?error=", ""),
        ("?error=no%20%C3%BC", ",\"error\":\"no ü\""),
        ("?reason=why", ",\"error\":\"why\""),
        ("?reason=why&error=what", ",\"error\":\"what\""),
    ] {
        let answer = call(&fixture, "POST", &format!("{stream}/:complete{query}"), &[], b"").await;
        assert_eq!((answer.status, answer.body.len()), (202, 0));
        let expected = format!("{{\"type\":3,\"invocationId\":\"7\"{members}}}\x1e");
        assert_eq!(ada.recv_text().await, expected, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_connections_take_everything() {
    let fixture = Fixture::new(App::silent());
    let stream = "/api/hubs/chat/connections/x/streams/7";

    assert_eq!(post(&fixture, &format!("{stream}/:send"), "1").await.status, 202);
    assert_eq!(post(&fixture, &format!("{stream}/:complete"), "").await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_item_is_refused() {
    let fixture = Fixture::new(App::silent());
    let (_ada, stream) = client(&fixture).await;
    let send = format!("{stream}/:send");

    for bad in ["", "1 2", "{", "nul", "\u{1e}"] {
        assert_eq!(post(&fixture, &send, bad).await.status, 400, "{bad:?}");
    }
    let text = [(CONTENT_TYPE, "text/plain")];
    assert_eq!(call(&fixture, "POST", &send, &text, b"1").await.status, 415);
    let answer = post(&fixture, &format!("{send}?completed=maybe"), "1").await;
    assert_eq!(answer.outcome(), (400, Some("Error.Request.Invalid")));
    assert_eq!(answer.json()["target"], "completed");
}
