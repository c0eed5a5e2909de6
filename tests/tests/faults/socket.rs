//! The WebSockets of a client: a client that resumes uses several, one after another.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use hub_core::protocol::{Message, json};
use tokio::{net::TcpStream, sync::mpsc, time::Instant};
use tokio_tungstenite::{WebSocketStream, tungstenite};
use tungstenite::Message as Frame;

use crate::recording_client::Shared;

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// How long a client tries to resume.
const TRY_FOR: Duration = Duration::from_secs(30);
/// The number of received messages per acknowledgement.
const ACK_EVERY: u64 = 5;

/// How to reach the service.
#[derive(Clone, Debug)]
pub(crate) struct ConnectTarget {
    pub(crate) address: SocketAddr,
    pub(crate) url: String,
    pub(crate) resumes: bool,
}

/// The counters and the send buffer of stateful reconnect.
#[derive(Debug)]
struct Counters {
    unacknowledged: VecDeque<(u64, Bytes)>,
    next_sent: u64,
    /// The id of the next received message.
    next_received: u64,
    latest: u64,
    acknowledged: u64,
}

impl Default for Counters {
    fn default() -> Self {
        let unacknowledged = VecDeque::new();
        Self { unacknowledged, next_sent: 1, next_received: 1, latest: 0, acknowledged: 0 }
    }
}

/// The reason why the exchange over one socket ended.
enum End {
    /// The service closed the connection.
    Closed(String),
    /// The socket broke.
    Broken(String),
    /// The client was dropped.
    Left,
}

/// Opens a WebSocket.
pub(crate) async fn open(target: &ConnectTarget) -> Result<Socket, String> {
    let stream = TcpStream::connect(target.address).await.map_err(|error| error.to_string())?;
    let opening = tokio_tungstenite::client_async(&target.url, stream).await;
    opening.map(|(socket, _)| socket).map_err(|error| error.to_string())
}

/// Performs the handshake for JSON.
pub(crate) async fn shake_hands(socket: &mut Socket, resumes: bool) -> Result<(), String> {
    let version = if resumes { 2 } else { 1 };
    let request = format!("{{\"protocol\":\"json\",\"version\":{version}}}\x1e");
    socket.send(Frame::text(request)).await.map_err(|error| error.to_string())?;
    match socket.next().await {
        Some(Ok(Frame::Text(text))) if text.as_str() == "{}\x1e" => Ok(()),
        Some(Ok(frame)) => Err(format!("handshake: {frame}")),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("handshake: the end".to_owned()),
    }
}

/// Sends and receives until the connection has ended.
pub(crate) async fn run(
    mut socket: Socket,
    mut inbox: mpsc::UnboundedReceiver<Message>,
    shared: Arc<Shared>,
    target: ConnectTarget,
) {
    let mut counters = Counters::default();
    loop {
        let counted = target.resumes.then_some(&mut counters);
        match exchange(&mut socket, &mut inbox, &shared, counted).await {
            End::Left => return,
            End::Closed(why) => return shared.end(&why),
            End::Broken(why) if !target.resumes => return shared.end(&format!("lost: {why}")),
            End::Broken(_) => {}
        }
        match resume(&target, &counters).await {
            Ok(next) => {
                shared.resumed();
                socket = next;
            }
            Err(why) => return shared.end(&format!("lost: {why}")),
        }
    }
}

async fn exchange(
    socket: &mut Socket,
    inbox: &mut mpsc::UnboundedReceiver<Message>,
    shared: &Shared,
    mut counters: Option<&mut Counters>,
) -> End {
    loop {
        tokio::select! {
            message = inbox.recv() => {
                let Some(message) = message else { return End::Left };
                let bytes = json::encode(&message);
                if let Some(counters) = counters.as_deref_mut()
                    && is_counted(&message)
                {
                    counters.unacknowledged.push_back((counters.next_sent, bytes.clone()));
                    counters.next_sent += 1;
                }
                if let Err(error) = send(socket, &bytes).await {
                    return End::Broken(error);
                }
            }
            frame = socket.next() => {
                let bytes = match frame {
                    Some(Ok(Frame::Text(text))) => Bytes::from(text),
                    Some(Ok(Frame::Binary(bytes))) => bytes,
                    Some(Ok(Frame::Close(_))) => return End::Closed("closed without a word".to_owned()),
                    Some(Ok(_)) => continue,
                    Some(Err(error)) => return End::Broken(error.to_string()),
                    None => return End::Broken("the end of the stream".to_owned()),
                };
                let closed = shared.take_all(&bytes, |message| match counters.as_deref_mut() {
                    Some(counters) => receive(counters, shared, message),
                    None => shared.take(message),
                });
                if let Some(why) = closed {
                    // The service waits for this side to close.
                    let _ = socket.close(None).await;
                    return End::Closed(why);
                }
                if let Some(counters) = counters.as_deref_mut()
                    && counters.latest >= counters.acknowledged + ACK_EVERY
                {
                    counters.acknowledged = counters.latest;
                    let ack = Message::Ack { sequence_id: counters.latest };
                    if let Err(error) = send(socket, &json::encode(&ack)).await {
                        return End::Broken(error);
                    }
                }
            }
        }
    }
}

async fn send(socket: &mut Socket, bytes: &[u8]) -> Result<(), String> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    socket.send(Frame::text(text)).await.map_err(|error| error.to_string())
}

fn is_counted(message: &Message) -> bool {
    matches!(message, Message::Invocation { .. } | Message::Completion { .. })
}

/// Counts and records a message, unless it was already received over the previous socket.
fn receive(counters: &mut Counters, shared: &Shared, message: Message) {
    match message {
        Message::Ack { sequence_id } => {
            counters.unacknowledged.retain(|(id, _)| *id > sequence_id);
        }
        Message::Sequence { sequence_id } => {
            assert!(sequence_id <= counters.latest + 1, "the service leaves messages out");
            counters.next_received = sequence_id;
        }
        message if is_counted(&message) => {
            let id = counters.next_received;
            counters.next_received += 1;
            if id > counters.latest {
                counters.latest = id;
                shared.take(message);
            }
        }
        message => shared.take(message),
    }
}

/// Opens another socket, with retries, and sends the sequence message first.
async fn resume(target: &ConnectTarget, counters: &Counters) -> Result<Socket, String> {
    let give_up = Instant::now() + TRY_FOR;
    loop {
        let error = match again(target, counters).await {
            Ok(socket) => return Ok(socket),
            Err(error) => error,
        };
        if error.contains("HTTP error") || Instant::now() > give_up {
            return Err(error);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn again(target: &ConnectTarget, counters: &Counters) -> Result<Socket, String> {
    let mut socket = open(target).await?;
    let sequence_id = counters.unacknowledged.front().map_or(counters.next_sent, |first| first.0);
    send(&mut socket, &json::encode(&Message::Sequence { sequence_id })).await?;
    for (_, bytes) in &counters.unacknowledged {
        send(&mut socket, bytes).await?;
    }
    Ok(socket)
}
