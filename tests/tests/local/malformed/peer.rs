//! A client of any transport and protocol that can send arbitrary bytes.

use crate::{
    support::{Fixture, client_token},
    wire::{EVENTS, Negotiated, Wire},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    WebSockets,
    ServerSentEvents,
    LongPolling,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Json,
    MessagePack,
}

/// All supported combinations of transport and protocol.
pub(crate) const WAYS: [(Transport, Protocol); 5] = [
    (Transport::WebSockets, Protocol::Json),
    (Transport::WebSockets, Protocol::MessagePack),
    (Transport::ServerSentEvents, Protocol::Json),
    (Transport::LongPolling, Protocol::Json),
    (Transport::LongPolling, Protocol::MessagePack),
];

impl Protocol {
    pub(crate) fn handshake(self) -> &'static str {
        match self {
            Self::Json => r#"{"protocol":"json","version":1}"#,
            Self::MessagePack => r#"{"protocol":"messagepack","version":1}"#,
        }
    }

    /// Adds the protocol's frame to a message.
    pub(crate) fn framed(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Json => [message, b"\x1e"].concat(),
            Self::MessagePack => {
                assert!(message.len() < 0x4000);
                let (low, high) = ((message.len() & 0x7F) as u8, (message.len() >> 7) as u8);
                let length = if high == 0 { vec![low] } else { vec![low | 0x80, high] };
                [&length, message].concat()
            }
        }
    }
}

pub(crate) struct Peer {
    client: Negotiated,
    transport: Transport,
    protocol: Protocol,
    /// The WebSocket, or the response that carries the events.
    wire: Option<Wire>,
    /// The status code of the WebSocket's close frame.
    pub(crate) status: Option<u16>,
}

impl Peer {
    /// Opens a transport. The test sends the handshake.
    pub(crate) async fn open(fixture: &Fixture, transport: Transport, protocol: Protocol) -> Self {
        let client = Negotiated::with(fixture, client_token("ada"), "").await;
        let wire = match transport {
            Transport::WebSockets => Some(client.web_socket().await),
            Transport::ServerSentEvents => {
                let mut wire = client.send("GET", EVENTS, b"").await;
                assert_eq!(wire.head().await.status, 200);
                assert_eq!(wire.chunk().await.as_deref(), Some(":\r\n"));
                Some(wire)
            }
            Transport::LongPolling => {
                assert_eq!(client.poll().await.status, 200);
                None
            }
        };
        Self { client, transport, protocol, wire, status: None }
    }

    pub(crate) async fn connected(
        fixture: &Fixture,
        transport: Transport,
        protocol: Protocol,
    ) -> Self {
        let mut peer = Self::open(fixture, transport, protocol).await;
        peer.send(&[protocol.handshake().as_bytes(), b"\x1e"].concat()).await;
        assert_eq!(peer.recv_text().await.as_deref(), Some(&b"{}\x1e"[..]));
        peer
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        match (&mut self.wire, self.transport) {
            (Some(wire), Transport::WebSockets) => {
                let kind = if self.protocol == Protocol::Json { 0x81 } else { 0x82 };
                // Invalid UTF-8 is a WebSocket error in a text frame. Both protocols accept binary frames.
                let kind = if str::from_utf8(bytes).is_ok() { kind } else { 0x82 };
                wire.frame(kind, bytes).await;
            }
            _ => {
                let posted = self.client.ask("POST", "", bytes).await;
                assert_eq!(posted.plain(), (200, "text/plain", ""));
            }
        }
    }

    /// Sends bytes without a WebSocket frame.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        self.wire.as_mut().unwrap().write(bytes).await;
    }

    /// Receives the next message of the service that is not a ping. Returns `None` at the end.
    pub(crate) async fn recv_text(&mut self) -> Option<Vec<u8>> {
        loop {
            let heard = self.hear_any().await?;
            if heard != b"{\"type\":6}\x1e" && heard != b"\x02\x91\x06" && !heard.is_empty() {
                return Some(heard);
            }
        }
    }

    async fn hear_any(&mut self) -> Option<Vec<u8>> {
        match (&mut self.wire, self.transport) {
            (Some(wire), Transport::WebSockets) => match wire.recv_frame().await? {
                (0x88, status) => {
                    self.status = Some(u16::from_be_bytes([status[0], status[1]]));
                    assert!(str::from_utf8(&status[2..]).is_ok());
                    assert_eq!(wire.recv_frame().await, None);
                    None
                }
                (_, payload) => Some(payload),
            },
            (Some(wire), _) => {
                let event = wire.chunk().await?;
                let data = event.strip_prefix("data: ").unwrap().strip_suffix("\r\n\r\n").unwrap();
                Some(data.as_bytes().to_vec())
            }
            (None, _) => {
                let poll = self.client.poll().await;
                (poll.status == 200).then_some(poll.bytes)
            }
        }
    }

    /// Closes the transport with a closing handshake.
    pub(crate) async fn leave(&mut self) {
        match (&mut self.wire, self.transport) {
            (Some(wire), Transport::WebSockets) => wire.frame(0x88, &[3, 232]).await,
            (wire @ Some(_), _) => *wire = None,
            (None, _) => assert_eq!(self.client.ask("DELETE", "", b"").await.status, 202),
        }
    }
}
