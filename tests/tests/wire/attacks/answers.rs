//! Malicious responses of a service to the app's REST requests.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hub_runtime::{clients::SendError, config::Retries, prelude::*};
use test_support::{FakeService, response};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};

use crate::support::{KEY, builder_at};

#[hub_client]
trait LoopClient {
    async fn told(&self, text: &str);
    async fn confirm(&self, question: &str) -> serde_json::Value;
}

struct Loop;

#[serverless_hub(client = LoopClient)]
impl Loop {}

/// A context outside of calls that does not retry.
fn context(base: &str) -> HubContext<Loop> {
    let builder = builder_at(base, Loop).retries(Retries::default().times(0));
    builder.build().unwrap().context::<Loop>()
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_leaks_no_token() {
    let elsewhere = FakeService::accepting().await;
    for status in [301, 302, 303, 307, 308] {
        let target = elsewhere.base.clone();
        let service = FakeService::start(move |_| {
            let answer =
                Response::builder().status(status).header("location", format!("{target}/x"));
            answer.body(Full::<Bytes>::default()).unwrap()
        })
        .await;

        let error = context(&service.base).clients().all().told("hi").await.unwrap_err();

        assert!(!error.to_string().contains(KEY));
        assert_eq!(service.requests().len(), 1, "{status}");
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn an_endless_response_is_aborted_after_sixteen_megabytes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let mut server = JoinSet::new();
    server.spawn(async move {
        let (mut peer, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = peer.read(&mut request).await;
        let head = b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n";
        peer.write_all(head).await.unwrap();
        let chunk = [b"10000\r\n".as_slice(), &vec![b'x'; 0x10000], b"\r\n"].concat();
        let mut sent = 0_usize;
        while peer.write_all(&chunk).await.is_ok() {
            sent += chunk.len();
            assert!(sent < 64 << 20, "all of it is read");
        }
    });

    let error = context(&base).clients().all().told("hi").await.unwrap_err();

    assert!(matches!(error, SendError::Interrupted(_)), "{error}");
    // The service task ends, because the app closed the connection.
    server.join_next().await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_missing_response_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let builder = builder_at(&base, Loop).retries(Retries::default().times(0));
    let app = builder.rest_timeout(Duration::from_secs(20)).build().unwrap();
    let begun = tokio::time::Instant::now();

    let error = app.context::<Loop>().clients().all().told("hi").await.unwrap_err();

    assert!(matches!(error, SendError::TimedOut(_)), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn nested_truncated_and_non_json_responses_are_errors() {
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    for body in [
        format!(r#"{{"result":{deep}}}"#),
        format!(r#"{{"value":{deep}}}"#),
        "[".repeat(100_000),
        r#"{"result":"#.to_owned(),
        r#"{"value":[{"connectionId":1}]}"#.to_owned(),
        "\0\u{fffd}".to_owned(),
        String::new(),
    ] {
        let answered = body.clone();
        let service = FakeService::start(move |_| response(200, "", answered.clone())).await;
        let context = context(&service.base);

        let result = context.clients().client("c1").confirm("Sure?").await;
        let members = context.groups().members("g").next_page().await;

        let shown: String = body.chars().take(40).collect();
        // A response without `result` is valid: the client's method returned no value.
        let is_void =
            matches!(result, Ok(serde_json::Value::Null)) && body.starts_with(r#"{"value""#);
        assert!(result.is_err() || is_void, "{shown}: {result:?}");
        // Unknown JSON members are ignored, and a response without a list is an empty page.
        let is_empty = members.as_ref().is_ok_and(|page| page.as_ref().is_some_and(Vec::is_empty));
        let is_object = body.starts_with(r#"{"result":["#);
        assert!(members.is_err() || is_object && is_empty, "{shown}: {members:?}");
    }
}

#[tokio::test]
async fn a_long_refusal_text_is_truncated() {
    let service = FakeService::start(|_| response(400, "", "x".repeat(1 << 20))).await;

    let error = context(&service.base).clients().all().told("hi").await.unwrap_err();

    assert!(error.to_string().len() < 2000, "{}", error.to_string().len());
}
