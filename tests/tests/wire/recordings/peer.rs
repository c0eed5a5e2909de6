//! A client over a WebSocket, with a way to read all that it was sent so far.

use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use hub_core::{
    names::encode_segment,
    protocol::{Message, Protocol, convert, frame::Frames, handshake},
};
use serde_json::{Value, json};
use test_support::{http_client, sign, unix_now, within};
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite};

const MAX_FRAME: usize = 16 * 1024 * 1024;

/// A client that has negotiated.
pub(super) struct Peer {
    pub(super) connection_id: String,
    socket: WebSocketStream<TcpStream>,
    protocol: Protocol,
    frames: Frames,
    calls: u32,
    is_open: bool,
}

/// A message to a client.
pub(super) struct Received {
    /// The message without its separator or length.
    pub(super) bytes: Bytes,
    /// `None` if our client does not read it: it has too many levels.
    pub(super) message: Option<Message>,
}

impl Received {
    /// The target and the arguments of an invocation, as JSON.
    pub(super) fn invocation(&self, protocol: Protocol) -> Option<Vec<Value>> {
        let Some(Message::Invocation { target, arguments, .. }) = &self.message else {
            return None;
        };
        let arguments = convert(arguments, protocol, Protocol::Json).unwrap();
        let arguments: Vec<Value> = serde_json::from_slice(&arguments).unwrap();
        Some(std::iter::once(json!(target)).chain(arguments).collect())
    }
}

impl Peer {
    /// Negotiates, connects and performs the handshake.
    pub(super) async fn connect(
        address: SocketAddr,
        hub: &str,
        user: Option<&str>,
        protocol: Protocol,
    ) -> Self {
        let hub = encode_segment(hub);
        let audience = format!("http://localhost/client/?hub={hub}");
        let mut claims = json!({ "aud": audience, "exp": unix_now() + 3600 });
        if let Some(user) = user {
            claims["asrs.s.uid"] = json!(user);
        }
        let token = sign(&claims);
        let target = format!("/client/negotiate?hub={hub}&negotiateVersion=1");
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str())];
        let negotiated = http_client::send(address, "POST", &target, &headers, b"").await;
        assert_eq!(negotiated.status, 200, "{}", negotiated.text());
        let negotiated = negotiated.json();
        let text = |name: &str| negotiated[name].as_str().unwrap().to_owned();

        let id = text("connectionToken");
        let url = format!("ws://{address}/client/?hub={hub}&id={id}&access_token={token}");
        let stream = TcpStream::connect(address).await.unwrap();
        let (socket, _) = within("the upgrade", client_async(url, stream)).await.unwrap();
        let mut peer = Self {
            connection_id: text("connectionId"),
            socket,
            protocol,
            frames: Frames::new(MAX_FRAME),
            calls: 0,
            is_open: true,
        };
        peer.send(handshake::request(protocol)).await;
        assert_eq!(peer.next_frame().await.unwrap(), "{}");
        peer.frames.switch_to(protocol);
        peer
    }

    /// The messages since the last call, without pings. Messages of a client are sent in order, and the
    /// completion of a new invocation is the last of them. Empty after the end of the connection.
    pub(super) async fn received(&mut self) -> Vec<Received> {
        let mut received = Vec::new();
        if !self.is_open {
            return received;
        }
        self.calls += 1;
        let id = self.calls.to_string();
        let call = Message::Invocation {
            invocation_id: Some(id.clone()),
            target: "barrier".to_owned(),
            arguments: if self.protocol.is_binary() { b"\x90" } else { &b"[]"[..] }.into(),
            stream_ids: Vec::new(),
            trace: None,
        };
        self.send(self.protocol.encode(&call)).await;
        while let Some(bytes) = self.next_frame().await {
            match self.protocol.parse(&bytes).ok().flatten() {
                Some(Message::Completion { invocation_id, .. }) if invocation_id == id => {
                    return received;
                }
                Some(Message::Ping) => {}
                message => received.push(Received { bytes, message }),
            }
        }
        received
    }

    /// Ignores errors: the service may have closed the connection.
    async fn send(&mut self, bytes: Bytes) {
        let frame = if bytes.first() == Some(&b'{') {
            tungstenite::Message::text(String::from_utf8(bytes.to_vec()).unwrap())
        } else {
            tungstenite::Message::binary(bytes)
        };
        let _ = self.socket.send(frame).await;
    }

    /// `None` at the end of the connection.
    async fn next_frame(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = self.frames.next_frame().unwrap() {
                return Some(frame);
            }
            match within("a frame", self.socket.next()).await {
                Some(Ok(
                    frame @ (tungstenite::Message::Text(_) | tungstenite::Message::Binary(_)),
                )) => self.frames.push(&frame.into_data()),
                Some(Ok(tungstenite::Message::Close(_)) | Err(_)) | None => {
                    self.is_open = false;
                    return None;
                }
                Some(Ok(_)) => {}
            }
        }
    }
}
