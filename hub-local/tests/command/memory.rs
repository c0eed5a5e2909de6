//! The resident memory of the process under hostile clients. One process for all limits, on Linux only.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
    time::sleep,
};

use crate::{
    attacks::{frame, negotiated, resumable, web_socket},
    client::token,
    process::{KEY, Running},
};

const MIB: usize = 1024 * 1024;
/// What the process may use beyond its limits: buffers of sockets, fragments of freed memory, and the code that
/// runs for the first time.
const SLACK: usize = 24;
/// Events of the inspector, and what it keeps of running calls.
const INSPECTOR: usize = 8 + 8;
/// Freed memory that the allocator does not return to the system: pages of which a part is in use.
const UNRETURNED: usize = 24;

/// An app that accepts `connected` and reads nothing of other calls.
async fn deaf_app() -> (String, AbortHandle) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let accepting = tokio::spawn(async move {
        let mut calls = tokio::task::JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            calls.spawn(serve(socket));
        }
    });
    (url, accepting.abort_handle())
}

async fn serve(mut socket: TcpStream) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = socket.read_u8().await else { return };
            head.push(byte.to_ascii_lowercase());
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        if !head.contains("x-asrs-event: connected") {
            return std::future::pending().await;
        }
        let mut body = [0; b"{\"type\":10}".len()];
        socket.read_exact(&mut body).await.unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    }
}

/// A call whose message has this size.
fn call(size: usize) -> Vec<u8> {
    let padding = "x".repeat(size - 50);
    let text = format!("{{\"type\":1,\"target\":\"m\",\"arguments\":[\"{padding}\"]}}\u{1e}");
    frame(0x81, text.as_bytes())
}

/// Runs an attack with many clients at once and returns their sockets.
async fn clients<F>(
    port: u16,
    count: usize,
    protocol: &'static str,
    attack: impl Fn(TcpStream) -> F,
) -> Vec<TcpStream>
where
    F: Future<Output = TcpStream> + Send + 'static,
{
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..count {
        running.spawn(attack(web_socket(port, protocol).await));
    }
    running.join_all().await
}

/// Writes as much as the service takes. The service stops reading or closes the socket, so this may not end.
async fn flood(mut socket: TcpStream, bytes: Arc<[u8]>) -> TcpStream {
    let _ = tokio::time::timeout(Duration::from_secs(1), socket.write_all(&bytes)).await;
    socket
}

/// Asserts a bound in MiB on the growth of the memory.
fn assert_grown(what: &str, service: &Running, before: usize, bound: usize) {
    let grown = service.resident().saturating_sub(before) / MIB;
    println!("{what}: {grown} MiB, bound {bound} MiB");
    assert!(grown <= bound, "{what}: {grown} MiB, more than {bound} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_clients_use_no_more_memory_than_the_limits_and_leave_none_behind() {
    let (url, app) = deaf_app().await;
    let service = Running::start(&["--upstream", &url, "--resume-within", "5s"]).await;
    let port = service.port;
    drop(web_socket(port, "json").await);
    let before = service.resident();

    // Clients that leave: 160 MiB of calls. The limits are 32 MiB for the bodies of running calls and 16 MiB for
    // calls of clients that have left.
    let calls: Arc<[u8]> = [call(MIB / 2), call(MIB / 2)].concat().into();
    drop(clients(port, 160, "json", |socket| flood(socket, Arc::clone(&calls))).await);
    sleep(Duration::from_secs(1)).await;
    assert_grown("calls of clients that have left", &service, before, 32 + 16 + INSPECTOR + SLACK);

    // Messages full of stream ids, which would use 8 to 30 times their size when decoded.
    let ids = vec!["\"\""; MIB / 3 - 50].join(",");
    let json =
        format!("{{\"type\":1,\"target\":\"m\",\"arguments\":[],\"streamIds\":[{ids}]}}\u{1e}");
    let json: Arc<[u8]> =
        [frame(0x81, json.as_bytes()), frame(0x81, json.as_bytes())].concat().into();
    let now = service.resident();
    let streams = clients(port, 20, "json", |socket| flood(socket, Arc::clone(&json))).await;
    assert_grown("stream ids in JSON", &service, now, 20 * 2);
    let count = MIB / 2 - 50;
    let mut packed = b"\x96\x01\x80\xc0\xa1m\x90\xdd".to_vec();
    packed.extend(u32::try_from(count).unwrap().to_be_bytes());
    packed.extend(b"\xa1x".repeat(count));
    // The length prefix: groups of seven bits.
    let length = packed.len();
    let prefix = [length | 0x80, (length >> 7) | 0x80, length >> 14].map(|it| it.to_le_bytes()[0]);
    let packed: Arc<[u8]> = frame(0x82, &[&prefix[..], &packed].concat()).into();
    let more = clients(port, 20, "messagepack", |socket| flood(socket, Arc::clone(&packed))).await;
    assert_grown("stream ids in MessagePack", &service, now, 20 * 2);

    // Queues of live clients: small calls, whose number is limited, and large ones.
    let small: Arc<[u8]> = frame(
        0x81,
        "{\"type\":1,\"target\":\"m\",\"arguments\":[]}\u{1e}".repeat(20_000).as_bytes(),
    )
    .into();
    let now = service.resident();
    let mut live = clients(port, 10, "json", |socket| flood(socket, Arc::clone(&small))).await;
    let large: Arc<[u8]> = call(MIB / 2).repeat(8).into();
    live.extend(clients(port, 10, "json", |socket| flood(socket, Arc::clone(&large))).await);
    // For each client: the queue with the message that fills it, one running call, and one read buffer.
    assert_grown("queues of live clients", &service, now, 20 * 4);

    // Clients that do not read the completions of their calls: the outbox holds 1 MiB.
    let unread: Arc<[u8]> = frame(
        0x81,
        "{\"type\":4,\"invocationId\":\"7\",\"target\":\"m\",\"arguments\":[]}\u{1e}"
            .repeat(14_000)
            .as_bytes(),
    )
    .repeat(4)
    .into();
    let now = service.resident();
    live.extend(clients(port, 10, "json", |socket| flood(socket, Arc::clone(&unread))).await);
    assert_grown("outboxes", &service, now, 10 * 4);

    // Negotiated connections that are never opened: 16,384 are kept.
    let now = service.resident();
    negotiate(port, 4, 5_000).await;
    assert_grown("pending negotiations", &service, now, 16);

    // Connections whose clients may resume them: for each, 100,000 unacknowledged bytes and the outbox.
    let now = service.resident();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..20 {
        running.spawn(flood(resumable(port).await, Arc::clone(&unread)));
    }
    drop(running.join_all().await);
    assert_grown("connections that can be resumed", &service, now, 20 * 4);

    // Posts of long polling that wait: for each connection, the posts in its inbox and its queue. The bytes of
    // further posts stay in the socket, apart from one read buffer each.
    let now = service.resident();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let id = polling(port).await;
        for _ in 0..8 {
            running.spawn(post(port, id.clone()));
        }
    }
    let posts = running.join_all().await;
    assert_grown("posts of long polling", &service, now, 5 * (4 + 8));

    // Sockets whose request head never ends: for each, at most 32 KiB.
    let now = service.resident();
    let head: Arc<[u8]> =
        format!("GET / HTTP/1.1\r\nx: {}", "x".repeat(30_000)).into_bytes().into();
    let mut silent = Vec::new();
    for _ in 0..500 {
        let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        silent.push(flood(socket, Arc::clone(&head)).await);
    }
    assert_grown("sockets without a complete request", &service, now, 500 * 64 / 1024);

    drop((streams, more, live, posts, silent));
    app.abort();
    // Connections with long polling end 15 s after their last poll.
    sleep(Duration::from_secs(15 + 10)).await;
    assert_grown("10 s after all clients have left", &service, before, SLACK + UNRETURNED);
    assert!(service.log.text().len() < 100_000, "{} bytes of log", service.log.text().len());
}

/// Opens a connection with long polling, calls a method, and returns the connection token.
async fn polling(port: u16) -> String {
    let id = negotiated(port, "").await;
    for body in [None, Some("{\"protocol\":\"json\",\"version\":1}\u{1e}")] {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        socket.write_all(&request(port, &id, body.map(str::as_bytes))).await.unwrap();
        let mut status = [0; b"HTTP/1.1 200".len()];
        socket.read_exact(&mut status).await.unwrap();
        assert_eq!(status, *b"HTTP/1.1 200");
    }
    id
}

/// Posts a large call. The app does not answer calls, so the service stops reading.
async fn post(port: u16, id: String) -> TcpStream {
    let call = format!(
        "{{\"type\":1,\"target\":\"m\",\"arguments\":[\"{}\"]}}\u{1e}",
        "x".repeat(MIB - 100)
    );
    let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    flood(socket, request(port, &id, Some(call.as_bytes())).into()).await
}

/// A poll, or a post of this body.
fn request(port: u16, id: &str, body: Option<&[u8]>) -> Vec<u8> {
    let bearer = token(KEY, port, "chat", "mallory");
    let (method, body) = body.map_or(("GET", &[][..]), |body| ("POST", body));
    let head = format!(
        "{method} /client/?hub=chat&id={id} HTTP/1.1\r\nhost: localhost\r\n\
         authorization: Bearer {bearer}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Sends many negotiate requests on each of several sockets and reads all responses.
async fn negotiate(port: u16, sockets: usize, count: usize) {
    let bearer = token(KEY, port, "chat", "mallory");
    let request = format!(
        "POST /client/negotiate?hub=chat&negotiateVersion=1 HTTP/1.1\r\nhost: localhost\r\n\
         authorization: Bearer {bearer}\r\ncontent-length: 0\r\n\r\n"
    );
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..sockets {
        let (request, socket) = (request.clone(), TcpStream::connect(("127.0.0.1", port)));
        running.spawn(async move {
            let mut socket = socket.await.unwrap();
            let (read, mut write) = socket.split();
            let mut read = BufReader::new(read);
            let mut response = Vec::new();
            for _ in 0..count / 50 {
                write.write_all(request.repeat(50).as_bytes()).await.unwrap();
                for _ in 0..50 {
                    response.clear();
                    while !response.ends_with(b"]}]}") {
                        read.read_until(b'}', &mut response).await.unwrap();
                    }
                }
            }
        });
    }
    running.join_all().await;
}
