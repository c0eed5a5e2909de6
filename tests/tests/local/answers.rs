//! The completions that clients receive for the responses of an app.

use hub_local::{HttpUpstream, LocalService, UpstreamError};
use test_support::logged;
use tracing_subscriber::filter::LevelFilter;

use crate::support::{App, Client, Fixture, KEY, URL, answer, client_token};

async fn answered(app: App) -> String {
    let fixture = Fixture::new(app);
    let mut client = fixture.client("ada").await;
    client.call_with_id("7", "m").await;
    client.recv_text().await
}

async fn answered_with(status: u16, body: &'static str) -> String {
    answered(App::new(move |_| async move { answer(status, body) })).await
}

fn error(text: &str) -> String {
    format!("{{\"type\":3,\"invocationId\":\"7\",\"error\":\"{text}\"}}\x1e")
}

#[tokio::test(start_paused = true)]
async fn the_completion_of_a_200_reaches_the_client_unchanged() {
    for body in [
        "{ \"type\": 3, \"result\": 1.10, \"invocationId\": \"7\" }\x1e",
        "{\"type\":3,\"invocationId\":\"7\",\"result\":1.10}\x1e",
    ] {
        assert_eq!(answered_with(200, body).await, body);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_no_completion_of_the_call_becomes_an_error_and_the_log_has_its_form() {
    for (body, problem) in [
        ("{\"sum\":3}", "it does not end with the byte 0x1E"),
        ("{\"type\":3,\"invocationId\":\"7\",\"result\":3}", "it does not end with the byte 0x1E"),
        ("{\"sum\":3}\x1e", "it is no JSON object with the members of a completion"),
        (
            "{\"type\":3,\"result\":3}\x1e",
            "it has no completion with the `invocationId` of the request",
        ),
        ("{\"type\":3,\"invocationId\":\"8\"}\x1e", "it has no completion with the `invocationId`"),
    ] {
        let log = logged(LevelFilter::WARN, async {
            let text = error("Invocation failed, response is no completion.");
            assert_eq!(answered_with(200, body).await, text, "{body}");
        });

        let log = log.await;
        let begin: String = format!("{:?}", body.trim_end_matches('\x1e'));
        assert!(log.contains(problem) && log.contains(begin.trim_matches('"')), "{log}");
        assert!(log.contains("and the byte 0x1E, or status 204"), "{log}");
    }
}

#[tokio::test(start_paused = true)]
async fn strict_services_relay_any_body_as_the_cloud_does() {
    let app = App::new(|_| async { answer(200, "any bytes\x1e") });
    let builder = LocalService::builder().key(KEY).upstream(app).relay_invalid_completions(true);
    let service = builder.build();
    let url = format!("{URL}/client/?hub=chat");
    let mut client = Client::in_memory(service.connect_memory(&url, &client_token("ada")).unwrap());
    client.handshake().await;

    client.call_with_id("7", "m").await;

    assert_eq!(client.recv_text().await, "any bytes\x1e");
}

#[tokio::test(start_paused = true)]
async fn an_empty_answer_is_a_completion_without_a_value() {
    let void = "{\"type\":3,\"invocationId\":\"7\"}\x1e";
    assert_eq!(answered_with(200, "").await, void);
    assert_eq!(answered_with(204, "").await, void);
}

#[tokio::test(start_paused = true)]
async fn other_statuses_are_errors_with_the_status_number() {
    for status in [201, 302, 401, 404, 500] {
        let text = format!("Invocation failed, status code {status}");
        assert_eq!(answered_with(status, "secret").await, error(&text));
    }
}

#[tokio::test(start_paused = true)]
async fn failures_have_the_texts_of_the_service() {
    let failed =
        |make: fn() -> UpstreamError| answered(App::failing(move |_| async move { Err(make()) }));

    let text = error("Invocation failed, status code 500");
    assert_eq!(failed(|| UpstreamError::Unreachable("refused".into())).await, text);
    assert_eq!(failed(|| UpstreamError::TimedOut).await, text);
    let text = error("Invocation failed, response too large.");
    assert_eq!(failed(|| UpstreamError::TooLarge).await, text);
    let text = error("Invocation failed, error: reset.");
    assert_eq!(failed(|| UpstreamError::Body("reset".into())).await, text);
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_app_is_a_500_and_keeps_the_connection() {
    let app = App::new(|call| async move {
        assert_ne!(call.event, "m", "on purpose");
        answer(200, "")
    });
    let fixture = Fixture::new(app);
    let mut client = fixture.client("ada").await;

    client.call_with_id("7", "m").await;
    assert_eq!(client.recv_text().await, error("Invocation failed, status code 500"));
    client.call_with_id("8", "other").await;
    assert_eq!(client.recv_text().await, "{\"type\":3,\"invocationId\":\"8\"}\x1e");
}

#[tokio::test(start_paused = true)]
async fn a_send_gets_no_completion() {
    let fixture = Fixture::new(App::new(|_| async { answer(500, "x") }));
    let mut client = fixture.client("ada").await;

    client.call("m").await;
    client.call_with_id("7", "m").await;

    assert_eq!(client.recv_text().await, error("Invocation failed, status code 500"));
}

#[tokio::test(start_paused = true)]
async fn a_failed_connected_event_keeps_the_client_connected() {
    let app =
        App::new(
            |call| async move { answer(if call.event == "connected" { 403 } else { 200 }, "") },
        );
    assert_eq!(answered(app).await, "{\"type\":3,\"invocationId\":\"7\"}\x1e");
}

#[tokio::test(start_paused = true)]
async fn a_call_without_an_upstream_gets_an_error() {
    let service = LocalService::builder().key(KEY).build();
    let url = format!("{URL}/client/?hub=chat");
    let mut client = Client::in_memory(service.connect_memory(&url, &client_token("ada")).unwrap());
    client.handshake().await;

    client.call_with_id("7", "m").await;

    assert!(client.recv_text().await.contains("no upstream is configured"));
}

#[tokio::test(start_paused = true)]
async fn streaming_calls_are_refused_with_advice() {
    let fixture = Fixture::new(App::silent());
    let mut client = fixture.client("ada").await;

    client.send_text(r#"{"type":4,"invocationId":"7","target":"m","arguments":[]}"#).await;

    let refusal = client.recv_text().await;
    assert!(refusal.starts_with("{\"type\":3,\"invocationId\":\"7\",\"error\":\""));
    assert!(refusal.contains("serverless mode has no streams"), "{refusal}");
    assert_eq!(fixture.app.events(), ["connected"]);
}

#[tokio::test(start_paused = true)]
async fn an_invalid_target_is_refused_without_an_upstream_call() {
    let fixture = Fixture::new(App::silent());
    let mut client = fixture.client("ada").await;

    for target in [".", "..", "", "a\\nb", "a\\u0000"] {
        let call = format!(r#"{{"type":1,"invocationId":"7","target":"{target}","arguments":[]}}"#);
        client.send_text(&call).await;
        assert!(
            client.recv_text().await.contains("\"error\":\"a method name must not"),
            "{target}"
        );
    }

    assert_eq!(fixture.app.events(), ["connected"]);
}

#[tokio::test]
async fn an_unreachable_app_is_a_500() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let upstream = HttpUpstream::new(format!("http://{address}/api")).unwrap();
    let service = LocalService::builder().key(KEY).upstream(upstream).build();
    let url = format!("{URL}/client/?hub=chat");
    let mut client = Client::in_memory(service.connect_memory(&url, &client_token("ada")).unwrap());
    client.handshake().await;

    client.call_with_id("7", "m").await;

    assert_eq!(client.recv_text().await, error("Invocation failed, status code 500"));
}

#[tokio::test(start_paused = true)]
async fn an_empty_error_gets_a_text_and_one_warning_per_connection() {
    let log = logged(LevelFilter::WARN, async {
        let app = App::new(|_| async {
            answer(200, "{\"type\":3,\"invocationId\":\"7\",\"error\":\"\"}\x1e")
        });
        let fixture = Fixture::new(app);
        let mut client = fixture.client("ada").await;
        for _ in 0..2 {
            client.call_with_id("7", "m").await;
            assert_eq!(client.recv_text().await, error("the method failed without an error text"));
        }
    })
    .await;

    assert_eq!(log.matches("the app completed a call with an empty error").count(), 1, "{log}");
}
