//! A minimal server for the load tool: the reference for the results of the hub.
//!
//! It has no tokens, no upstream and no hub semantics. It parses WebSocket frames itself and answers `echo` directly.
//! `yardstick [shared|naive] [PORT [REST_PORT]]`:
//!
//! - `shared`: the messages that are pending are joined in one buffer, and one pass writes this buffer to every
//!   connection, without waking a task for each. Only a connection whose socket is full gets a queue. This is what the
//!   kernel allows: one system call for each connection and pass.
//! - `naive`: each message is a pass of its own.
//!
//! On `REST_PORT`, a bare hyper server broadcasts the arguments in the body of each request and answers 202: the least
//! work for a REST send.
//!
//! It supports only messages of the load tool: JSON members are in a fixed order, and no record spans
//! two frames.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::{
    cell::RefCell,
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::yield_now,
};

const RECORD_SEPARATOR: u8 = 0x1E;
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const NEGOTIATED: &str = r#"{"negotiateVersion":1,"connectionId":"c","connectionToken":"t","availableTransports":[{"transport":"WebSockets","transferFormats":["Text","Binary"]}]}"#;
const READ: usize = 64 * 1024;
/// A pass writes to this many clients before requests are read.
const CLIENTS_BETWEEN_READS: usize = 16;

thread_local! {
    /// The read buffer that all connections of a thread share.
    static INPUT: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Shared,
    Naive,
}

struct Server {
    mode: Mode,
    /// One per processor.
    shards: Vec<Arc<Shard>>,
}

/// Connections that one task writes to.
#[derive(Default)]
struct Shard {
    /// The messages that the next passes write.
    pending: Mutex<Vec<Bytes>>,
    more: Notify,
    clients: RwLock<Vec<Arc<Client>>>,
}

struct Client {
    stream: TcpStream,
    /// What did not fit in the socket.
    rest: Mutex<VecDeque<Bytes>>,
    has_rest: Notify,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mode = match arguments.next().as_deref() {
        None | Some("shared") => Mode::Shared,
        Some("naive") => Mode::Naive,
        Some(_) => return Err(io::Error::other("usage: yardstick [shared|naive] [PORT]")),
    };
    let port = arguments.next().map_or(Ok(8890), |port| port.parse()).map_err(io::Error::other)?;
    let rest_port =
        arguments.next().map(|port| port.parse()).transpose().map_err(io::Error::other)?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("yardstick  http://{}", listener.local_addr()?);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let shards: Vec<Arc<Shard>> = (0..processors).map(|_| Arc::default()).collect();
    for shard in &shards {
        tokio::spawn(write_passes(Arc::clone(shard), mode));
    }
    let server = Arc::new(Server { mode, shards });
    if let Some(port) = rest_port {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        tokio::spawn(serve_rest(listener, Arc::clone(&server)));
    }
    for number in 0.. {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(connection(stream, Arc::clone(&server), number % processors));
    }
    Ok(())
}

/// Serves REST sends with hyper only, until accepting a connection fails.
async fn serve_rest(listener: TcpListener, server: Arc<Server>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let server = Arc::clone(&server);
        let respond = service_fn(move |request| send(Arc::clone(&server), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), respond));
    }
}

async fn send(
    server: Arc<Server>,
    request: Request<Incoming>,
) -> Result<Response<Empty<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    if let Some(payload) = arguments(&body) {
        server.broadcast(payload);
    }
    let mut accepted = Response::new(Empty::new());
    *accepted.status_mut() = StatusCode::ACCEPTED;
    Ok(accepted)
}

/// Writes the pending messages to every connection of the shard, as one buffer.
async fn write_passes(shard: Arc<Shard>, mode: Mode) {
    loop {
        shard.more.notified().await;
        // Read the requests that have arrived before the pass, so that one pass contains their messages.
        let waiting = || locked(&shard.pending).len();
        let mut found = 0;
        while waiting() > found {
            found = waiting();
            yield_now().await;
        }
        let pending = std::mem::take(&mut *locked(&shard.pending));
        let passes = match (mode, pending.len()) {
            (Mode::Naive, _) | (Mode::Shared, 0 | 1) => pending,
            (Mode::Shared, _) => vec![pending.concat().into()],
        };
        let clients = shard.clients.read().unwrap_or_else(PoisonError::into_inner).clone();
        for joined in passes {
            for some in clients.chunks(CLIENTS_BETWEEN_READS) {
                some.iter().for_each(|client| client.write(joined.clone()));
                yield_now().await;
            }
        }
    }
}

async fn connection(mut stream: TcpStream, server: Arc<Server>, shard: usize) {
    let Ok(rest) = http(&mut stream).await else { return };
    let client = Arc::new(Client { stream, rest: Mutex::default(), has_rest: Notify::new() });
    let shard = &server.shards[shard];
    let writing = {
        let client = Arc::clone(&client);
        tokio::spawn(async move { client.write_rests().await })
    };
    // An error means that the client has left.
    let _ = web_socket(&server, shard, &client, rest).await;
    writing.abort();
    let mut clients = shard.clients.write().unwrap_or_else(PoisonError::into_inner);
    clients.retain(|other| !Arc::ptr_eq(other, &client));
}

/// Answers negotiate requests until the WebSocket upgrade. Returns the bytes read after the upgrade
/// request.
async fn http(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut input = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = find(&input, b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        let head: Vec<u8> = input.drain(..end).collect();
        if head.starts_with(b"POST ") {
            let length = NEGOTIATED.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{NEGOTIATED}"
            );
            stream.write_all(answer.as_bytes()).await?;
            continue;
        }
        let head = String::from_utf8_lossy(&head);
        let key = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
            .map(|(_, key)| key.trim())
            .ok_or(io::ErrorKind::InvalidData)?;
        let accept =
            STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key.as_bytes(), GUID].concat()));
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).await?;
        return Ok(input);
    }
}

async fn web_socket(
    server: &Server,
    shard: &Shard,
    client: &Arc<Client>,
    mut input: Vec<u8>,
) -> io::Result<()> {
    let mut greeted = false;
    loop {
        let records = unframe(&mut input).ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut answers = Vec::new();
        for record in records.split(|byte| *byte == RECORD_SEPARATOR).filter(|it| !it.is_empty()) {
            if greeted {
                act(server, record, &mut answers);
                continue;
            }
            greeted = true;
            answers.push(frame(b"{}\x1e"));
            shard.clients.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(client));
        }
        match (server.mode, answers.len()) {
            (Mode::Shared, 2..) => client.write(answers.concat().into()),
            _ => answers.into_iter().for_each(|answer| client.write(answer)),
        }
        client.read(&mut input).await?;
    }
}

/// Answers one call of the load tool.
fn act(server: &Server, record: &[u8], answers: &mut Vec<Bytes>) {
    let Some(target) = between(record, b"\"target\":\"", b'"') else { return };
    let Some(payload) = arguments(record) else { return };
    let result = match target {
        b"echo" => [b",\"result\":", payload].concat(),
        b"broadcast" => {
            server.broadcast(payload);
            Vec::new()
        }
        _ => b",\"error\":\"no such method\"".to_vec(),
    };
    if let Some(id) = between(record, b"\"invocationId\":\"", b'"') {
        let completion =
            [b"{\"type\":3,\"invocationId\":\"", id, b"\"", &result, b"}\x1e"].concat();
        answers.push(frame(&completion));
    }
}

/// The text between the brackets of the arguments, which are the last member.
fn arguments(record: &[u8]) -> Option<&[u8]> {
    find(record, b"\"arguments\":[").map(|at| &record[at + 13..record.len() - 2])
}

impl Server {
    fn broadcast(&self, payload: &[u8]) {
        let message = frame(
            &[b"{\"type\":1,\"target\":\"message\",\"arguments\":[", payload, b"]}\x1e"].concat(),
        );
        for shard in &self.shards {
            locked(&shard.pending).push(message.clone());
            shard.more.notify_one();
        }
    }
}

impl Client {
    async fn read(&self, input: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let read = INPUT.with_borrow_mut(|shared| {
                let read = self.stream.try_read(shared);
                if let Ok(count) = read {
                    input.extend_from_slice(&shared[..count]);
                }
                read
            });
            match read {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stream.readable().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes now, or queues what does not fit in the socket.
    fn write(&self, mut bytes: Bytes) {
        let mut rest = locked(&self.rest);
        if rest.is_empty() {
            // After an error the read fails, too.
            let written = self.stream.try_write(&bytes).unwrap_or(0);
            if written == bytes.len() {
                return;
            }
            bytes = bytes.slice(written..);
            self.has_rest.notify_one();
        }
        rest.push_back(bytes);
    }

    async fn write_rests(&self) {
        loop {
            self.has_rest.notified().await;
            while !locked(&self.rest).is_empty() {
                if self.stream.writable().await.is_err() {
                    return;
                }
                let mut rest = locked(&self.rest);
                let joined: Bytes = rest.make_contiguous().concat().into();
                rest.clear();
                let written = self.stream.try_write(&joined).unwrap_or(0);
                if written < joined.len() {
                    rest.push_back(joined.slice(written..));
                }
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An unmasked text frame.
fn frame(payload: &[u8]) -> Bytes {
    let mut bytes = vec![0x81];
    match payload.len() {
        length @ 0..126 => bytes.push(length as u8),
        length @ 126..65536 => {
            bytes.push(126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes.into()
}

/// Removes complete masked frames from the input and returns their joined payloads. Returns `None` at a close
/// frame.
fn unframe(input: &mut Vec<u8>) -> Option<Vec<u8>> {
    let (mut at, mut payload) = (0, Vec::new());
    while let [first, second, ..] = input[at..] {
        let (length, extended) = match (second & 0x7F, &input[at + 2..]) {
            (126, [a, b, ..]) => (usize::from(u16::from_be_bytes([*a, *b])), 2),
            (127, [_, _, _, _, a, b, c, d, ..]) => {
                (u32::from_be_bytes([*a, *b, *c, *d]) as usize, 8)
            }
            (126 | 127, _) => break,
            (length, _) => (usize::from(length), 0),
        };
        let start = at + 2 + extended + 4;
        if input.len() < start + length {
            break;
        }
        let mask = [input[start - 4], input[start - 3], input[start - 2], input[start - 1]];
        at = start + length;
        match first & 0x0F {
            8 => return None,
            1 | 2 => {
                let masked = input[start..at].iter().zip(mask.iter().cycle());
                payload.extend(masked.map(|(byte, mask)| byte ^ mask));
            }
            _ => {}
        }
    }
    input.drain(..at);
    Some(payload)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn between<'a>(record: &'a [u8], label: &[u8], end: u8) -> Option<&'a [u8]> {
    let rest = &record[find(record, label)? + label.len()..];
    rest.split(|byte| *byte == end).next()
}
