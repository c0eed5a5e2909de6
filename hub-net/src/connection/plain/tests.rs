//! Plain requests, and the border to those that hyper reads.

mod slow;

use std::{
    convert::Infallible,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::{BufMut as _, Bytes};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt as _, Full};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    sync::Notify,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    connection::{RequestLimits, UnreadBodies, serve_connection},
    idle_sockets::IdleSockets,
};

const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
const PIPE: usize = 64 * 1024;

/// A body of one frame whose length is declared or not.
#[derive(Default)]
struct Content {
    bytes: Option<Bytes>,
    is_stream: bool,
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.bytes.as_ref().map_or(0, Bytes::len) as u64;
        if self.is_stream { SizeHint::default() } else { SizeHint::with_exact(length) }
    }
}

/// Describes the request in the response, in the form that its path names.
async fn describe(
    request: Request<impl Body<Data = Bytes, Error = hyper::Error> + Unpin>,
) -> Result<Response<Content>, Infallible> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await.map(|body| body.to_bytes()) else {
        return Ok(Response::new(Content::default()));
    };
    let mut headers: Vec<_> = head.headers.iter().map(|it| format!("{it:?}")).collect();
    headers.sort();
    let text = format!("{} {} {headers:?} {body:?}", head.method, head.uri);
    let mut response = Response::new(Content::default());
    let path = head.uri.path();
    response.body_mut().is_stream = path == "/stream";
    response.headers_mut().insert("x-length", HeaderValue::from(text.len()));
    let status = match path {
        "/none" => StatusCode::NO_CONTENT,
        "/missing" => StatusCode::NOT_FOUND,
        "/odd" => StatusCode::from_u16(599).unwrap(),
        _ => StatusCode::OK,
    };
    *response.status_mut() = status;
    match path {
        "/none" => {}
        "/long" => response.body_mut().bytes = Some(text.repeat(1000).into()),
        "/close" => {
            response.headers_mut().insert("connection", HeaderValue::from_static("close"));
            response.body_mut().bytes = Some(text.into());
        }
        "/offer" => {
            response.headers_mut().insert("connection", HeaderValue::from_static("upgrade"));
            response.headers_mut().insert("upgrade", HeaderValue::from_static("other"));
            response.body_mut().bytes = Some(text.into());
        }
        "/length" => {
            response.headers_mut().insert("content-length", HeaderValue::from(text.len()));
            response.body_mut().bytes = Some(text.into());
        }
        "/dated" => {
            response.headers_mut().insert("date", HeaderValue::from_static("today"));
            response.body_mut().bytes = Some(text.into());
        }
        _ => response.body_mut().bytes = Some(text.into()),
    }
    Ok(response)
}

struct Peer {
    stream: DuplexStream,
    serving: JoinHandle<()>,
    stop: CancellationToken,
}

impl Peer {
    /// A connection of this server.
    fn new<F>(respond: impl Fn(Request<ServedBody>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<Response<Content>, Infallible>> + Send + 'static,
    {
        let (stream, server) = duplex(PIPE);
        let stop = CancellationToken::new();
        let (sockets, stopped) = (IdleSockets::new(2, Duration::ZERO), stop.clone());
        let serving = tokio::spawn(async move {
            let http = RequestLimits {
                head_timeout: HEAD_TIMEOUT,
                max_buffer: 64 * 1024,
                max_head: None,
                keep_alive: true,
            };
            let unread = UnreadBodies { sockets, timeout: HEAD_TIMEOUT };
            let service = service_fn(respond);
            serve_connection(http, server, service, |_, _| None, unread, &stopped, pending()).await;
        });
        Self { stream, serving, stop }
    }

    /// A connection of hyper.
    fn of_hyper() -> Self {
        let (stream, server) = duplex(PIPE);
        let serving = tokio::spawn(async move {
            let service = service_fn(|request: Request<hyper::body::Incoming>| describe(request));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(server), service).await;
        });
        Self { stream, serving, stop: CancellationToken::new() }
    }

    /// Writes the pieces, and returns all that is written until the server waits for more or closes, with lines in order
    /// and without dates.
    async fn exchange(mut self, pieces: &[&[u8]]) -> String {
        for piece in pieces {
            self.stream.write_all(piece).await.unwrap();
            // Each piece is read alone.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        }
        let mut read = Vec::new();
        let reading = self.stream.read_to_end(&mut read);
        let is_closed = timeout(Duration::from_secs(1), reading).await.is_ok();
        self.serving.abort();
        let text = String::from_utf8(read).unwrap();
        let mut heads: Vec<&str> = text.split("\r\n").filter(|it| !is_date(it)).collect();
        // The order of header lines has no meaning.
        for lines in heads.split_mut(|line| line.is_empty()) {
            lines.sort_unstable();
        }
        format!("{} {is_closed}", heads.join("\n"))
    }
}

fn is_date(line: &str) -> bool {
    line.starts_with("date: ") && line.ends_with(" GMT")
}

const PLAIN: &str =
    "POST /a?b HTTP/1.1\r\nHost: x\r\nX-One: 1\r\nx-one:  2 \r\nContent-Length: 5\r\n\r\nhello";

fn requests() -> Vec<String> {
    let with =
        |line: &str, end: &str| format!("POST /a HTTP/1.1\r\nhost: x\r\n{line}\r\n\r\n{end}");
    let to = |path: &str| format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi");
    let mut requests = vec![
        PLAIN.to_owned(),
        PLAIN.repeat(3),
        format!("{PLAIN}GET /b HTTP/1.1\r\nhost: x\r\n\r\n{PLAIN}"),
        PLAIN.replace("POST", "PUT"),
        PLAIN.replace("POST", "DELETE"),
        PLAIN.replace("POST", "PATCH"),
        PLAIN.replace("POST", "HEAD"),
        PLAIN.replace("POST", "post"),
        PLAIN.replace("1.1", "1.0"),
        PLAIN.replace("1.1", "1.2"),
        PLAIN.replace("/a?b", "http://x/a?b"),
        PLAIN.replace("/a?b", "a"),
        PLAIN.replace("/a?b", "*"),
        PLAIN.replace("/a?b", "/%zz"),
        PLAIN.replace("/a?b", "/a b"),
        PLAIN.replace("\r\n", "\n"),
        PLAIN.replace("hello", "hell"),
        PLAIN.replace("hello", "hello!"),
        format!("\r\n{PLAIN}"),
        "POST".to_owned(),
        with("content-length: 5\r\ncontent-length: 5", "hello"),
        with("content-length: 5\r\ncontent-length: 4", "hello"),
        with("content-length: 5, 5", "hello"),
        with("content-length: +5", "hello"),
        with("content-length: -5", "hello"),
        with("content-length: 0x5", "hello"),
        with("content-length:", ""),
        with("content-length: 99999999999999999999999", "hello"),
        with("content-length: 18446744073709551615", "hello"),
        with("content-length: 005", "hello"),
        with("content-length: 0", ""),
        with("transfer-encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
        with("transfer-encoding: chunked\r\ncontent-length: 5", "5\r\nhello\r\n0\r\n\r\n"),
        with("content-length: 5\r\ntransfer-encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
        with("transfer-encoding: identity\r\ncontent-length: 5", "hello"),
        with("Transfer-Encoding : chunked", "5\r\nhello\r\n0\r\n\r\n"),
        with("expect: 100-continue\r\ncontent-length: 5", "hello"),
        with("connection: upgrade\r\nupgrade: websocket", ""),
        with("connection: close\r\ncontent-length: 5", "hello"),
        with("connection: keep-alive, Close", ""),
        with("connection: keep-alive\r\nconnection: close", "") + PLAIN,
        with("connection: keep-alive", "") + PLAIN,
        with("a b: c", ""),
        with("a: b\r\n c: d", ""),
        with(": b", ""),
        with("a: \u{1}", ""),
        with("a: gr\u{fc}n", ""),
        with(&"x: y\r\n".repeat(63), ""),
        with(&"x: y\r\n".repeat(80), ""),
        with(&"x: y\r\n".repeat(120), ""),
        with(&format!("x: {}", "y".repeat(20_000)), ""),
    ];
    requests.extend(
        ["/none", "/missing", "/odd", "/stream", "/long", "/close", "/offer", "/length", "/dated"]
            .map(|path| to(path) + PLAIN),
    );
    requests
}

#[tokio::test(start_paused = true)]
async fn each_request_has_the_response_that_hyper_gives() {
    for request in requests() {
        let bytes = [request.as_bytes()];

        let answered = Peer::new(describe).exchange(&bytes).await;

        assert_eq!(answered, Peer::of_hyper().exchange(&bytes).await, "{request}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_may_arrive_in_any_pieces() {
    let request = PLAIN.repeat(2);
    let whole = Peer::new(describe).exchange(&[request.as_bytes()]).await;
    assert_eq!(whole.matches("HTTP/1.1 200 OK").count(), 2);
    assert!(whole.contains(r#"POST /a?b ["(\"content-length\", \"5\")", "(\"host\", \"x\")", "(\"x-one\", \"1\")", "(\"x-one\", \"2\")"] b"hello""#), "{whole}");

    for at in 1..request.len() {
        let (first, second) = request.as_bytes().split_at(at);
        assert_eq!(Peer::new(describe).exchange(&[first, second]).await, whole, "{at}");
    }
}

#[test]
fn only_whole_requests_of_the_usual_form_are_plain() {
    let read =
        |text: &str| request::parse(&Bytes::copy_from_slice(text.as_bytes()), HeaderMap::new());

    let plain = read(&(PLAIN.to_owned() + "POST")).unwrap();
    assert_eq!((plain.length, plain.keeps_alive), (PLAIN.len(), true));
    assert_eq!(plain.request.body().size_hint().exact(), Some(5));
    assert!(!read(&PLAIN.replace("X-One: 1", "connection: close")).unwrap().keeps_alive);
    for other in ["transfer-encoding: x", "expect: x", "upgrade: x", "content-length: 5"] {
        assert!(read(&PLAIN.replace("X-One: 1", other)).is_none(), "{other}");
    }
    for end in 0..PLAIN.len() {
        assert!(read(&PLAIN[..end]).is_none(), "{end}");
    }
    assert!(read(&PLAIN.replace("POST", "GET")).is_none());
    assert!(read(&PLAIN.replace("1.1", "1.0")).is_none());
}

#[test]
fn names_of_earlier_requests_are_not_mixed_up() {
    for names in [["a", "b"], ["b", "a"], ["A", "B"], ["content-type", "b"], ["a", "host"]] {
        let [one, two] = names;
        let text = format!("POST / HTTP/1.1\r\n{one}: 1\r\n{two}: 2\r\n\r\n");

        let read = request::parse(&Bytes::from(text), HeaderMap::new()).unwrap().request;

        assert_eq!(read.headers().len(), 2);
        assert_eq!([&read.headers()[one], &read.headers()[two]], ["1", "2"]);
    }
}

/// A service whose method runs until it is told to end, and that counts its drops.
fn waiting() -> (Peer, Arc<Notify>, Arc<AtomicUsize>) {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (gate, dropped) = (Arc::new(Notify::new()), Arc::<AtomicUsize>::default());
    let (opened, counter) = (Arc::clone(&gate), Arc::clone(&dropped));
    let peer = Peer::new(move |request| {
        let (gate, counted) = (Arc::clone(&opened), Counted(Arc::clone(&counter)));
        async move {
            let _counted = counted;
            gate.notified().await;
            describe(request).await
        }
    });
    (peer, gate, dropped)
}

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_request_of_a_peer_that_leaves_is_dropped() {
    let (mut peer, _gate, dropped) = waiting();
    peer.stream.write_all(PLAIN.as_bytes()).await.unwrap();
    settle().await;
    assert_eq!(dropped.load(Ordering::SeqCst), 0);

    drop(peer.stream);
    timeout(Duration::from_secs(1), peer.serving).await.unwrap().unwrap();

    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_arrives_early_is_answered_after_the_running_one() {
    let (mut peer, gate, _) = waiting();
    for path in ["/one", "/two", "/long"] {
        peer.stream.write_all(PLAIN.replace("/a?b", path).as_bytes()).await.unwrap();
        settle().await;
        gate.notify_one();
    }
    settle().await;
    gate.notify_one();

    let answered = peer.exchange(&[]).await;

    let at = |text: &str| answered.find(text).unwrap();
    assert!(at("POST /one") < at("POST /two") && at("POST /two") < at("POST /long"));
    assert!(answered.ends_with(" false"));
}

#[tokio::test(start_paused = true)]
async fn a_stop_closes_an_idle_connection_and_lets_a_request_end() {
    let idle = Peer::new(describe);
    settle().await;
    idle.stop.cancel();
    timeout(Duration::from_secs(1), idle.serving).await.unwrap().unwrap();

    for path in ["/a", "/stream"] {
        let (mut busy, gate, _) = waiting();
        busy.stream.write_all(PLAIN.replace("/a?b", path).as_bytes()).await.unwrap();
        settle().await;
        busy.stop.cancel();
        settle().await;
        gate.notify_one();

        let answered = busy.exchange(&[]).await;

        assert!(
            answered.contains("connection: close") && answered.ends_with(" true"),
            "{answered}"
        );
        assert!(answered.contains(r#"b"hello""#), "{answered}");
    }
}

/// With a plain request before or not, and with a part of a head or not.
#[tokio::test(start_paused = true)]
async fn a_head_has_one_timeout_with_the_idle_time_before_it() {
    for before in [&b""[..], PLAIN.as_bytes()] {
        for part in [&b""[..], b"POST / HT", b"GET / HT"] {
            let mut peer = Peer::new(describe);
            sleep(Duration::from_secs(if before.is_empty() { 0 } else { 40 })).await;
            peer.stream.write_all(before).await.unwrap();
            settle().await;
            let began = Instant::now();
            sleep(Duration::from_secs(70)).await;
            peer.stream.write_all(part).await.unwrap();

            peer.serving.await.unwrap();

            let waited = began.elapsed();
            let late = Duration::from_millis(5);
            assert!((HEAD_TIMEOUT..HEAD_TIMEOUT + late).contains(&waited), "{waited:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_may_run_longer_than_the_timeout_of_a_head() {
    let (mut peer, gate, _) = waiting();
    peer.stream.write_all(PLAIN.as_bytes()).await.unwrap();
    sleep(3 * HEAD_TIMEOUT).await;
    gate.notify_one();

    assert!(peer.exchange(&[]).await.contains("200 OK"));
}
