//! Cancelled calls over HTTP: the request to the app is ended.

use hub_local::HttpUpstream;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::mpsc,
};

use super::{cancel, cancelled, completed};
use crate::http_upstream::{client, head};

/// What happened at the app.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Called(String),
    Ended(String),
}

use News::{Called, Ended};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// Starts an app on a socket. It responds to calls of `held` when the test says so, and to all others at once.
async fn app() -> (String, mpsc::UnboundedReceiver<News>, tokio::sync::watch::Sender<bool>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (sender, news) = mpsc::unbounded_channel();
    let (release, released) = tokio::sync::watch::channel(false);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (sender, mut released) = (sender.clone(), released.clone());
            tokio::spawn(async move {
                while let Some(head) = head(&mut stream).await {
                    let event = head.split("x-asrs-event: ").nth(1).unwrap();
                    let event = event.split("\r\n").next().unwrap().to_owned();
                    if event != "connected" {
                        sender.send(Called(event.clone())).unwrap();
                    }
                    if event == "held" {
                        let is_ended = tokio::select! {
                            read = stream.read_u8() => read.is_err(),
                            _ = released.wait_for(|released| *released) => false,
                        };
                        if is_ended {
                            sender.send(Ended(event)).unwrap();
                            return;
                        }
                    }
                    stream.write_all(ANSWER).await.unwrap();
                }
            });
        }
    });
    (url, news, release)
}

#[tokio::test]
async fn the_request_of_a_cancelled_call_ends_and_the_next_call_begins() {
    let (url, mut news, _release) = app().await;
    let (_service, mut client) = client(HttpUpstream::new(url).unwrap()).await;
    client.call_with_id("0", "held").await;
    client.call_with_id("1", "next").await;
    assert_eq!(news.recv().await, Some(Called("held".to_owned())));

    cancel(&client, "0").await;

    assert_eq!(client.recv_text().await, cancelled("0"));
    assert_eq!(client.recv_text().await, completed("1"));
    let mut seen = [news.recv().await.unwrap(), news.recv().await.unwrap()];
    seen.sort_by_key(|news| matches!(news, Called(_)));
    assert_eq!(seen, [Ended("held".to_owned()), Called("next".to_owned())]);
}

/// After 32 ended requests, one in 250 ms is ended. Until then the next call waits, and the client does not.
#[tokio::test]
async fn a_client_that_cancels_many_calls_does_not_have_them_all_run_at_once() {
    let (url, mut news, _release) = app().await;
    let (_service, mut client) = client(HttpUpstream::new(url).unwrap()).await;
    let start = std::time::Instant::now();

    for number in 0..40 {
        client.call_with_id(&number.to_string(), "held").await;
        assert_eq!(news.recv().await, Some(Called("held".to_owned())));
        cancel(&client, &number.to_string()).await;
        assert_eq!(client.recv_text().await, cancelled(&number.to_string()));
        assert_eq!(news.recv().await, Some(Ended("held".to_owned())));
    }

    assert!(start.elapsed().as_millis() > 1500, "{:?}", start.elapsed());
}

#[tokio::test]
async fn the_response_to_a_cancelled_call_is_dropped() {
    let (url, mut news, release) = app().await;
    let (_service, mut client) = client(HttpUpstream::new(url).unwrap()).await;
    client.call_with_id("0", "held").await;
    client.call_with_id("1", "next").await;
    assert_eq!(news.recv().await, Some(Called("held".to_owned())));

    // The response and the cancel meet.
    release.send(true).unwrap();
    cancel(&client, "0").await;

    let first = client.recv_text().await;
    assert!(first == cancelled("0") || first == completed("0"), "{first}");
    assert_eq!(client.recv_text().await, completed("1"));
}
