//! A minimal server for the load tool: the reference for the results of the hub.
//!
//! It has no tokens, no upstream and no hub semantics. It parses WebSocket frames itself, answers
//! `echo` directly, and puts each `broadcast` into the queue of every connection.
//! `yardstick [naive|batched] [PORT]`: `naive` writes each message separately, `batched` writes the
//! whole queue of a connection at once.
//!
//! It supports only messages of the load tool: JSON members are in a fixed order, and no record spans
//! two frames.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    task::{Context, Poll, Waker},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use sha1::{Digest as _, Sha1};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf},
    net::{TcpListener, TcpStream},
};

const RECORD_SEPARATOR: u8 = 0x1E;
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const NEGOTIATED: &str = r#"{"negotiateVersion":1,"connectionId":"c","connectionToken":"t","availableTransports":[{"transport":"WebSockets","transferFormats":["Text","Binary"]}]}"#;
const READ: usize = 64 * 1024;

thread_local! {
    /// The read buffer that all connections of a thread share.
    static INPUT: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Naive,
    Batched,
}

struct Server {
    mode: Mode,
    clients: RwLock<Arc<[Arc<Client>]>>,
}

/// The queue of one connection.
#[derive(Default)]
struct Client {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    frames: Vec<Bytes>,
    waker: Option<Waker>,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mode = match arguments.next().as_deref() {
        None | Some("batched") => Mode::Batched,
        Some("naive") => Mode::Naive,
        Some(_) => return Err(io::Error::other("usage: yardstick [naive|batched] [PORT]")),
    };
    let port = arguments.next().map_or(Ok(8890), |port| port.parse()).map_err(io::Error::other)?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("yardstick  http://{}", listener.local_addr()?);
    let server = Arc::new(Server { mode, clients: RwLock::new(Arc::new([])) });
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(connection(stream, Arc::clone(&server)));
    }
}

async fn connection(mut stream: TcpStream, server: Arc<Server>) {
    let Ok(rest) = http(&mut stream).await else { return };
    let client = Arc::new(Client::default());
    // An error means that the client has left.
    let _ = web_socket(&mut stream, &server, &client, rest).await;
    server.change(|clients| clients.retain(|other| !Arc::ptr_eq(other, &client)));
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
        let accept = STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).await?;
        return Ok(input);
    }
}

async fn web_socket(
    stream: &mut TcpStream,
    server: &Server,
    client: &Arc<Client>,
    mut input: Vec<u8>,
) -> io::Result<()> {
    let mut greeted = false;
    let (mut answers, mut taken) = (Vec::new(), Vec::new());
    loop {
        let records = unframe(&mut input).ok_or(io::ErrorKind::UnexpectedEof)?;
        for record in records.split(|byte| *byte == RECORD_SEPARATOR).filter(|it| !it.is_empty()) {
            if !greeted {
                greeted = true;
                answers.push(frame(b"{}\x1e"));
                server.change(|clients| clients.push(Arc::clone(client)));
                continue;
            }
            act(server, record, &mut answers);
        }
        write(stream, server.mode, &mut answers).await?;
        poll_fn(|context| {
            let queued = client.poll_take(context, &mut taken);
            let read = poll_read(stream, context, &mut input)?;
            if queued.is_ready() || read.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
        .await
        .map_err(|error: io::Error| error)?;
        write(stream, server.mode, &mut taken).await?;
    }
}

fn poll_read(
    stream: &mut TcpStream,
    context: &mut Context<'_>,
    input: &mut Vec<u8>,
) -> io::Result<Poll<()>> {
    INPUT.with_borrow_mut(|shared| {
        let mut buffer = ReadBuf::new(shared);
        match Pin::new(stream).poll_read(context, &mut buffer)? {
            Poll::Pending => Ok(Poll::Pending),
            Poll::Ready(()) if buffer.filled().is_empty() => {
                Err(io::ErrorKind::UnexpectedEof.into())
            }
            Poll::Ready(()) => {
                input.extend_from_slice(buffer.filled());
                Ok(Poll::Ready(()))
            }
        }
    })
}

async fn write(stream: &mut TcpStream, mode: Mode, frames: &mut Vec<Bytes>) -> io::Result<()> {
    match (mode, frames.as_slice()) {
        (_, []) => {}
        (Mode::Batched, [_, _, ..]) => stream.write_all(&frames.concat()).await?,
        (Mode::Naive | Mode::Batched, each) => {
            for frame in each {
                stream.write_all(frame).await?;
            }
        }
    }
    frames.clear();
    Ok(())
}

/// Answers one call of the load tool.
fn act(server: &Server, record: &[u8], answers: &mut Vec<Bytes>) {
    let Some(target) = between(record, b"\"target\":\"", b'"') else { return };
    let arguments = find(record, b"\"arguments\":[").map(|at| &record[at + 13..record.len() - 2]);
    let Some(payload) = arguments else { return };
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

impl Server {
    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Client>>)) {
        let mut clients = self.clients.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = clients.to_vec();
        change(&mut changed);
        *clients = changed.into();
    }

    fn broadcast(&self, payload: &[u8]) {
        let message = frame(
            &[b"{\"type\":1,\"target\":\"message\",\"arguments\":[", payload, b"]}\x1e"].concat(),
        );
        let clients = Arc::clone(&self.clients.read().unwrap_or_else(PoisonError::into_inner));
        for client in clients.iter() {
            client.push(message.clone());
        }
    }
}

impl Client {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, frame: Bytes) {
        let mut queue = self.queue();
        queue.frames.push(frame);
        let waker = queue.waker.take();
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll_take(&self, context: &mut Context<'_>, taken: &mut Vec<Bytes>) -> Poll<()> {
        let mut queue = self.queue();
        if queue.frames.is_empty() {
            queue.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        std::mem::swap(&mut queue.frames, taken);
        Poll::Ready(())
    }
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
