//! `:invoke`: invocations of one client with a result.

use std::time::Duration;

use tokio::time::sleep;

use crate::support::{App, Client, Fixture, RestResponse, answer, eventually};

const QUESTION: &str = r#"{"target":"confirm","arguments":["really?"]}"#;

/// A client that has received an invocation, the connection id, and the pending response of the REST call.
async fn asked(fixture: &Fixture) -> (Client, String, tokio::task::JoinHandle<RestResponse>) {
    let (mut client, id) = fixture.client_and_id("ada").await;
    let other = fixture.clone();
    let below = format!("connections/{id}/:invoke?api-version=2024-12-01");
    let asking = tokio::spawn(async move { other.post(&below, QUESTION).await });
    let expected = "{\"type\":1,\"invocationId\":\"s0\",\"target\":\"confirm\",\"arguments\":[\"really?\"]}\x1e";
    assert_eq!(client.recv_text().await, expected);
    (client, id, asking)
}

#[tokio::test(start_paused = true)]
async fn the_response_of_invoke_contains_the_bytes_of_the_client() {
    let fixture = Fixture::new(App::silent());
    let (client, _, asking) = asked(&fixture).await;

    client.send_text(r#"{"type":3,"invocationId":"s0","result":{"b":1.50,"a":[null]}}"#).await;

    let answer = asking.await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.body, r#"{"result":{"b":1.50,"a":[null]}}"#);
}

#[tokio::test(start_paused = true)]
async fn a_completion_without_a_value_has_no_result() {
    let fixture = Fixture::new(App::silent());
    let (client, _, asking) = asked(&fixture).await;

    client.send_text(r#"{"type":3,"invocationId":"s0"}"#).await;

    assert_eq!(asking.await.unwrap().body, "{}");
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_client_is_a_400_with_its_text() {
    let fixture = Fixture::new(App::silent());
    let (client, _, asking) = asked(&fixture).await;

    client.send_text(r#"{"type":3,"invocationId":"s0","error":"Error: boom"}"#).await;

    let answer = asking.await.unwrap();
    assert_eq!(answer.outcome(), (400, Some("Error.Connection.ClientError")));
    assert_eq!(answer.json()["message"], "Error: boom");
}

#[tokio::test(start_paused = true)]
async fn an_empty_error_of_the_client_gets_a_text() {
    let fixture = Fixture::new(App::silent());
    let (client, _, asking) = asked(&fixture).await;

    client.send_text(r#"{"type":3,"invocationId":"s0","error":""}"#).await;

    let answer = asking.await.unwrap();
    assert_eq!(answer.outcome(), (400, Some("Error.Connection.ClientError")));
    assert_eq!(answer.json()["message"], "the method failed without an error text");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_connection_is_a_404() {
    let fixture = Fixture::new(App::silent());

    let answer = fixture.post("connections/absent/:invoke", QUESTION).await;

    assert_eq!(answer.outcome(), (404, Some("Warning.Connection.NotExisted")));
}

#[tokio::test(start_paused = true)]
async fn an_invocation_fails_if_its_client_leaves_during_its_own_call() {
    let app = App::new(|call| async move {
        if call.event == "long" {
            sleep(Duration::from_hours(1)).await;
        }
        answer(200, "")
    });
    let fixture = Fixture::new(app);
    let (client, id, asking) = asked(&fixture).await;
    client.call("long").await;
    fixture.app.called("long").await;

    drop(client);
    let answer = asking.await.unwrap();

    assert_eq!(answer.outcome(), (404, Some("Warning.Connection.NotExisted")));
    assert_eq!(fixture.app.events(), ["connected", "long"], "the call runs on");
    assert_eq!(fixture.status(http::Method::HEAD, &format!("connections/{id}")).await, 404);
}

#[tokio::test(start_paused = true)]
async fn completions_of_other_clients_are_ignored() {
    let fixture = Fixture::new(App::silent());
    let (client, _, asking) = asked(&fixture).await;
    let other = fixture.client("bob").await;

    other.send_text(r#"{"type":3,"invocationId":"s0","result":"forged"}"#).await;
    sleep(Duration::from_secs(1)).await;
    assert!(!asking.is_finished());
    client.send_text(r#"{"type":3,"invocationId":"s0","result":"mine"}"#).await;

    assert_eq!(asking.await.unwrap().json()["result"], "mine");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_completes_is_a_504_after_ten_minutes() {
    let fixture = Fixture::new(App::silent());
    let (mut client, _, asking) = asked(&fixture).await;
    let listening = tokio::spawn(async move { client.recv_text().await });

    let answer = asking.await.unwrap();

    assert_eq!(answer.outcome(), (504, Some("Error.Connection.TimedOut")));
    listening.abort();
}

#[tokio::test(start_paused = true)]
async fn a_late_completion_for_a_cancelled_caller_is_ignored() {
    let fixture = Fixture::new(App::silent());
    let (mut client, _, asking) = asked(&fixture).await;

    asking.abort();
    eventually(|| asking.is_finished()).await;
    client.send_text(r#"{"type":3,"invocationId":"s0","result":1}"#).await;

    client.call_with_id("1", "alive").await;
    assert_eq!(client.recv_text().await, "{\"type\":3,\"invocationId\":\"1\"}\x1e");
}

#[tokio::test(start_paused = true)]
async fn closing_the_client_by_rest_fails_the_question() {
    let fixture = Fixture::new(App::silent());
    let (_client, id, asking) = asked(&fixture).await;

    fixture.status(http::Method::DELETE, &format!("connections/{id}")).await;

    assert_eq!(asking.await.unwrap().status, 404);
}
