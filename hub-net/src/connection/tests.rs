//! A service that refuses each request without reading its body.

use http_body_util::Full;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex, split},
    task::JoinHandle,
    time::{Instant, timeout},
};

use super::*;

const REFUSAL: &str = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno";
/// The length of the header `date`.
const DATE: usize = 37;
const TIMEOUT: Duration = Duration::from_secs(30);
/// The client and the server have this much room for unread bytes.
const PIPE: usize = 1024;

const LIMITS: RequestLimits = RequestLimits {
    head_timeout: TIMEOUT,
    max_buffer: 64 * 1024,
    max_head: None,
    keep_alive: true,
};

struct Peer {
    stream: DuplexStream,
    serving: JoinHandle<()>,
    sockets: Arc<IdleSockets>,
}

impl Peer {
    fn new() -> Self {
        let (stream, server) = duplex(PIPE);
        let sockets = IdleSockets::new(2, Duration::ZERO);
        let limits = UnreadBodies { sockets: Arc::clone(&sockets), timeout: TIMEOUT };
        let serving = tokio::spawn(async move {
            let refuse = service_fn(|_: Request<ServedBody>| async {
                let mut response = Response::new(Full::new(bytes::Bytes::from_static(b"no")));
                *response.status_mut() = StatusCode::UNAUTHORIZED;
                Ok::<_, Infallible>(response)
            });
            let (stop, close) = (CancellationToken::new(), std::future::pending());
            serve_connection(LIMITS, server, refuse, |_, _| None, limits, &stop, close).await;
        });
        Self { stream, serving, sockets }
    }

    async fn begin(&mut self, headers: &str) {
        let head = format!("POST / HTTP/1.1\r\nhost: x\r\n{headers}\r\n\r\n");
        self.stream.write_all(head.as_bytes()).await.unwrap();
    }

    /// Reads as much as a refusal, without its date.
    async fn read(&mut self) -> String {
        let mut bytes = vec![0; REFUSAL.len() + DATE];
        self.stream.read_exact(&mut bytes).await.unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (before, date) = text.split_once("date: ").unwrap();
        before.to_owned() + date.split_once("\r\n").unwrap().1
    }
}

#[tokio::test]
async fn a_client_that_writes_its_whole_request_first_reads_the_refusal_and_keeps_the_connection() {
    let mut peer = Peer::new();
    for bytes in [1, 20_000, 2_000_000] {
        let (piece, pieces) = (bytes.min(1000), bytes / bytes.min(1000));
        for headers in [format!("content-length: {bytes}"), "transfer-encoding: chunked".into()] {
            peer.begin(&headers).await;
            let is_chunked = headers.ends_with("chunked");
            for _ in 0..pieces {
                let data = "x".repeat(piece);
                let chunk = if is_chunked { format!("{piece:x}\r\n{data}\r\n") } else { data };
                peer.stream.write_all(chunk.as_bytes()).await.unwrap();
            }
            if is_chunked {
                peer.stream.write_all(b"0\r\n\r\n").await.unwrap();
            }

            assert_eq!(peer.read().await, REFUSAL, "{headers}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_refusal_the_client_is_not_asked_to_continue() {
    let mut peer = Peer::new();
    peer.begin("content-length: 10\r\nexpect: 100-continue").await;
    assert_eq!(peer.read().await, REFUSAL);

    // A client may send the body nevertheless (RFC 9110 §10.1.1).
    peer.stream.write_all(b"0123456789").await.unwrap();
    peer.begin("content-length: 0").await;

    assert_eq!(peer.read().await, REFUSAL);
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_read_for_the_timeout_and_not_longer() {
    let Peer { stream, serving, .. } = {
        let mut peer = Peer::new();
        peer.begin("content-length: 1000000").await;
        assert_eq!(peer.read().await, REFUSAL);
        peer
    };
    let begun = Instant::now();
    let (_read, mut write) = split(stream);
    let dripping = tokio::spawn(async move {
        while write.write_all(b"x").await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    });

    serving.await.unwrap();

    assert_eq!(begun.elapsed().as_secs(), TIMEOUT.as_secs());
    dripping.abort();
}

#[tokio::test]
async fn a_body_over_16_mib_is_not_read_to_its_end() {
    let mut peer = Peer::new();
    peer.begin("transfer-encoding: chunked").await;
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let mut written = 0;
    while peer.stream.write_all(chunk.as_bytes()).await.is_ok() {
        written += 0x10000;
    }

    assert!((16 << 20..17 << 20).contains(&written), "{written}");
    assert_eq!(peer.read().await, REFUSAL);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_reads_an_unread_body_counts_as_an_idle_socket() {
    let mut peer = Peer::new();
    peer.begin("content-length: 10").await;
    assert_eq!(peer.read().await, REFUSAL);
    tokio::task::yield_now().await;

    let add = || peer.sockets.add(CancellationToken::new());
    let _others = [add(), add()];

    timeout(TIMEOUT / 2, peer.serving).await.unwrap().unwrap();
}
