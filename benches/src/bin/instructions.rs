//! Repeats one scenario COUNT times for `benches/gate`, which counts the instructions.
//!
//! ```text
//! bench-instructions SCENARIO COUNT
//! ```
//!
//! | Scenario | One repetition |
//! |---|---|
//! | `dispatch` | an upstream request through the app's service, from headers to the completion |
//! | `frame` | a message encoded and framed once in JSON and once in MessagePack, as for a broadcast |
//! | `send-1`, `send-11` | a send from the app to all of 1 or 11 clients, read by each of them |
//! | `rest` | a send of another process by HTTP to all of 1 client, read by it, with the response |
//! | `echo` | an invocation of a WebSocket client through the embedded service, up to its completion |
//! | `connect` | negotiate at app and service, upgrade, handshake, `connected`, close, `disconnected` |
//!
//! The inspector of the service is off, unless the variable `BENCH_INSPECTOR` is `on`.
//!
//! Everything runs on one thread, and the clients exchange prepared bytes, so the counts are
//! reproducible.

use std::{
    error::Error,
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use benches::call;
use http_body_util::{BodyExt, Full};
use hub_core::{
    Secret,
    protocol::{Message, Protocol},
    token,
};
use hub_runtime::prelude::*;
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Runtime,
    sync::Notify,
};
use tower_service::Service;

use self::frame::Frame;

#[expect(
    dead_code,
    reason = "the benchmark uses only message frames; the service uses the whole module"
)]
#[path = "../../../hub-local/src/delivery/frame.rs"]
mod frame;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [scenario, count] = &arguments[..] else {
        return Err("usage: bench-instructions SCENARIO COUNT".into());
    };
    let count: u64 = count.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match scenario.as_str() {
        "dispatch" => dispatch(&runtime, count),
        "frame" => {
            (0..count).for_each(|_| encode_and_frame());
            Ok(())
        }
        "send-1" => runtime.block_on(send(1, count)),
        "send-11" => runtime.block_on(send(11, count)),
        "rest" => runtime.block_on(rest(count)),
        "echo" => runtime.block_on(echo(count)),
        "connect" => runtime.block_on(connect(count)),
        _ => Err("scenarios: dispatch, frame, send-1, send-11, rest, echo, connect".into()),
    }
}

fn dispatch(runtime: &Runtime, count: u64) -> Outcome {
    let headers = call::headers();
    let mut service = runtime.block_on(async { call::app() })?.service();
    for _ in 0..count {
        let answer = runtime.block_on(service.call(call::request(&headers)?))?;
        let body = runtime.block_on(answer.into_body().collect())?.to_bytes();
        if !body.ends_with(b"\"result\":4}\x1e") {
            return Err(format!("the answer was {body:?}").into());
        }
    }
    Ok(())
}

fn encode_and_frame() {
    for (protocol, arguments) in [
        (Protocol::Json, &b"[\"thirty-two bytes of a payload...\"]"[..]),
        // An array of one string of 32 bytes.
        (Protocol::MessagePack, b"\x91\xd9\x20thirty-two bytes of a payload..."),
    ] {
        let message = Message::Invocation {
            invocation_id: None,
            target: "message".to_owned(),
            arguments: bytes::Bytes::from_static(arguments),
            stream_ids: Vec::new(),
            trace: None,
        };
        black_box(Frame::message(protocol, &protocol.encode(black_box(&message))));
    }
}

async fn send(receivers: usize, count: u64) -> Outcome {
    let bench = Bench::start()?;
    let mut clients = Vec::new();
    for _ in 0..receivers {
        clients.push(bench.client().await?);
    }
    let hub = bench.app.context::<Gate>();
    for _ in 0..count {
        hub.clients().all().send("message", ("thirty-two bytes of a payload...",)).await?;
        for client in &mut clients {
            client.read_frame().await?;
        }
    }
    Ok(())
}

/// Sends prepared bytes on one connection, like a server that keeps a connection alive and uses a token many times.
async fn rest(count: u64) -> Outcome {
    let bench = Bench::start()?;
    let mut client = bench.client().await?;
    let host = &bench.address;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let audience = format!("http://{host}/api/hubs/gate/:send");
    let claims = serde_json::json!({ "aud": audience, "exp": now + 3600 });
    let token = token::sign(&claims, &Secret::from(KEY))?;
    let body = r#"{"target":"message","arguments":["thirty-two bytes of a payload..."]}"#;
    let request = format!(
        "POST /api/hubs/gate/:send?api-version=2022-06-01 HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut caller = bench.connect().await?;
    for _ in 0..count {
        caller.exchange(&request, b"\r\n\r\n").await?;
        client.read_frame().await?;
    }
    Ok(())
}

async fn echo(count: u64) -> Outcome {
    let bench = Bench::start()?;
    let mut client = bench.client().await?;
    // All ids have the same length, so that each can be written into one prepared frame.
    let message = format!(
        r#"{{"type":1,"invocationId":"{FIRST_ID}","target":"echo","arguments":["thirty-two bytes of a payload..."]}}"#
    );
    let mut frame = frame_of(&format!("{message}\u{1e}"));
    let digits = FIRST_ID.to_string();
    let at = find(&frame, digits.as_bytes()).ok_or("the frame has no id")?;
    for id in FIRST_ID..FIRST_ID + count {
        frame[at..at + digits.len()].copy_from_slice(id.to_string().as_bytes());
        client.stream.write_all(&frame).await?;
        let answer = client.read_frame().await?;
        if !answer.ends_with(b"\"result\":\"thirty-two bytes of a payload...\"}\x1e") {
            return Err(format!("the answer was {:?}", String::from_utf8_lossy(answer)).into());
        }
    }
    Ok(())
}

async fn connect(count: u64) -> Outcome {
    let bench = Bench::start()?;
    for _ in 0..count {
        let mut client = bench.client().await?;
        bench.events.connected.notified().await;
        client.stream.write_all(&CLOSE).await?;
        bench.events.disconnected.notified().await;
    }
    Ok(())
}

const KEY: &str = "a-key-for-the-gate-0123456789-0123456789";
/// The first invocation id.
const FIRST_ID: u64 = 1_000_000;
/// A close frame of a client with status 1000 and mask 0.
const CLOSE: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8];
const HANDSHAKE: &str = "{\"protocol\":\"json\",\"version\":1}\u{1e}";

#[derive(Debug, Default)]
struct Events {
    connected: Notify,
    disconnected: Notify,
}

struct Gate(Arc<Events>);

#[serverless_hub]
impl Gate {
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::user("ada"))
    }

    async fn on_connected(&self) -> HubResult {
        self.0.connected.notify_one();
        Ok(())
    }

    async fn on_disconnected(&self) -> HubResult {
        self.0.disconnected.notify_one();
        Ok(())
    }

    async fn echo(&self, payload: String) -> HubResult<String> {
        Ok(payload)
    }
}

/// The app with its embedded service on a free port.
struct Bench {
    app: HubApp,
    events: Arc<Events>,
    /// Host and port of the service.
    address: String,
    nonce: AtomicU64,
}

/// The negotiate response of the app.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Redirect {
    url: String,
    access_token: String,
}

/// The negotiate response of the service.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Negotiated {
    connection_token: String,
}

impl Bench {
    fn start() -> Outcome<Self> {
        let events = Arc::<Events>::default();
        let inspector = std::env::var("BENCH_INSPECTOR").unwrap_or_else(|_| "off".to_owned());
        let settings = [
            ("HUB_LOCAL_PORT", "0"),
            ("HUB_LOCAL_KEY", KEY),
            ("HUB_LOCAL_INSPECTOR", inspector.as_str()),
        ];
        let settings = settings.into_iter().collect();
        let signalr = SignalR::from_settings_or_local(settings)?;
        let app = HubApp::builder().signalr(signalr).hub(Gate(Arc::clone(&events))).build()?;
        let address = app.client_url().trim_start_matches("http://").to_owned();
        Ok(Self { app, events, address, nonce: AtomicU64::new(0) })
    }

    async fn connect(&self) -> Outcome<Client> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        Ok(Client { stream, read: vec![0; 4096], length: 0 })
    }

    /// Connects like the official clients: app, service, upgrade, handshake.
    async fn client(&self) -> Outcome<Client> {
        let request = http::Request::post("/gate/negotiate?negotiateVersion=1")
            .body(Full::new(bytes::Bytes::new()))?;
        let answer = self.app.service().call(request).await?;
        let Redirect { url, access_token } =
            serde_json::from_slice(&answer.into_body().collect().await?.to_bytes())?;
        let query = url.split_once('?').ok_or("the URL has no query")?.1;
        let host = &self.address;
        let mut client = self.connect().await?;
        let request = format!(
            "POST /client/negotiate?{query}&negotiateVersion=1 HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {access_token}\r\ncontent-length: 0\r\n\r\n"
        );
        let answer = client.exchange(&request, b"}").await?;
        let begins = find(answer, b"\r\n\r\n").ok_or("the answer has no body")? + 4;
        let Negotiated { connection_token } = serde_json::from_slice(&answer[begins..])?;
        // The key must be 16 bytes in Base64 (RFC 6455 §4.1), so the last four bits of its 22
        // characters must be 0.
        let nonce = self.nonce.fetch_add(1, Ordering::Relaxed);
        let request = format!(
            "GET /client/?{query}&id={connection_token}&access_token={access_token} HTTP/1.1\r\nhost: {host}\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: {nonce:020}AA==\r\n\r\n"
        );
        client.exchange(&request, b"\r\n\r\n").await?;
        client.stream.write_all(&frame_of(HANDSHAKE)).await?;
        client.read_frame().await?;
        Ok(client)
    }
}

/// A socket to the service, and the bytes of the last read.
struct Client {
    stream: TcpStream,
    read: Vec<u8>,
    length: usize,
}

impl Client {
    /// Sends an HTTP request and reads until the response ends with `end`.
    async fn exchange(&mut self, request: &str, end: &[u8]) -> Outcome<&[u8]> {
        self.stream.write_all(request.as_bytes()).await?;
        self.length = 0;
        while !self.read[..self.length].ends_with(end) {
            self.read_more().await?;
        }
        let answer = &self.read[..self.length];
        let accepted = ["HTTP/1.1 200", "HTTP/1.1 202", "HTTP/1.1 101"];
        if !accepted.iter().any(|it| answer.starts_with(it.as_bytes())) {
            return Err(String::from_utf8_lossy(answer).into());
        }
        Ok(answer)
    }

    /// Reads one frame with a payload of at most 125 bytes. Returns the frame with its header.
    async fn read_frame(&mut self) -> Outcome<&[u8]> {
        self.length = 0;
        while self.length < 2 || self.length < 2 + usize::from(self.read[1]) {
            self.read_more().await?;
        }
        if self.length > 2 + usize::from(self.read[1]) || self.read[1] > 125 {
            return Err(format!(
                "expected one frame with at most 125 bytes, got {:?}",
                &self.read[..self.length]
            )
            .into());
        }
        Ok(&self.read[..self.length])
    }

    async fn read_more(&mut self) -> Outcome {
        let read = self.stream.read(&mut self.read[self.length..]).await?;
        if read == 0 {
            return Err("the service closed the connection".into());
        }
        self.length += read;
        Ok(())
    }
}

/// Creates a masked text frame. A mask of zeros leaves the payload unchanged (RFC 6455 §5.3).
fn frame_of(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u8::try_from(text.len()) {
        Ok(length) if length < 126 => frame.push(0x80 | length),
        _ => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    frame
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
