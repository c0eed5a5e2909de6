//! REST streams: the operations validate requests and respond; clients receive nothing, because no
//! streaming call is ever open in serverless mode.

use http::header::CONTENT_TYPE;

use crate::{
    rest_support::{call, post},
    support::{App, Client, Fixture},
};

async fn client(fixture: &Fixture) -> (Client, String) {
    let (client, id) = fixture.client_and_id("ada").await;
    (client, format!("/api/hubs/chat/connections/{id}/streams/7"))
}

/// Checks that the stream operations sent nothing: the first frame that arrives is a message sent later.
async fn assert_received_nothing(fixture: &Fixture, client: &mut Client) {
    fixture.send(":send", "later").await;
    let later = "{\"type\":1,\"target\":\"m\",\"arguments\":[\"later\"]}\x1e";
    assert_eq!(client.recv_text().await, later);
}

#[tokio::test(start_paused = true)]
async fn an_item_gets_202_and_the_client_receives_nothing() {
    let fixture = Fixture::new(App::silent());
    let (mut ada, stream) = client(&fixture).await;

    for item in ["5", "1.50", "\"x\"", "null", "[ 1,2 ]", "{\"b\":1, \"a\":12345678901234567890}"] {
        let path = format!("{stream}/:send?api-version=2024-12-01");
        let answer = post(&fixture, &path, &format!(" {item}\n")).await;
        assert_eq!((answer.status, answer.body.len()), (202, 0));
    }
    assert_received_nothing(&fixture, &mut ada).await;
}

#[tokio::test(start_paused = true)]
async fn a_last_item_gets_202_and_the_client_receives_nothing() {
    let fixture = Fixture::new(App::silent());
    let (mut ada, stream) = client(&fixture).await;

    assert_eq!(post(&fixture, &format!("{stream}/:send?completed=false"), "1").await.status, 202);
    assert_eq!(post(&fixture, &format!("{stream}/:send?completed=True"), "2").await.status, 202);

    assert_received_nothing(&fixture, &mut ada).await;
}

#[tokio::test(start_paused = true)]
async fn a_completion_gets_202_with_any_query_and_the_client_receives_nothing() {
    let fixture = Fixture::new(App::silent());
    let (mut ada, stream) = client(&fixture).await;

    for query in ["", "?error=", "?error=no%20%C3%BC", "?reason=why", "?reason=why&error=what"] {
        let answer = call(&fixture, "POST", &format!("{stream}/:complete{query}"), &[], b"").await;
        assert_eq!((answer.status, answer.body.len()), (202, 0), "{query}");
    }
    assert_received_nothing(&fixture, &mut ada).await;
}

#[tokio::test(start_paused = true)]
async fn streams_of_unknown_connections_get_202() {
    let fixture = Fixture::new(App::silent());
    let stream = "/api/hubs/chat/connections/x/streams/7";

    assert_eq!(post(&fixture, &format!("{stream}/:send"), "1").await.status, 202);
    assert_eq!(post(&fixture, &format!("{stream}/:complete"), "").await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn a_malformed_item_is_refused() {
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
