//! A SignalR client: transport, handshake, pings, reads and writes.

pub(crate) mod connector;
pub(crate) mod dialer;
mod frames;
mod http;
mod mask;
pub(crate) mod negotiate;
pub(crate) mod request;
mod sse;
mod websocket;

use std::{task::Context, time::Duration};

use hub_core::protocol::{Message, Protocol, frame::RECORD_SEPARATOR, handshake};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};

use self::{
    connector::Connector, http::HttpLink, negotiate::Endpoint, request::HttpClient,
    websocket::WebSocketLink,
};
use crate::{LoadError, LoadTransport};

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);
/// Timeout of the close message at the end of a run.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// The ping interval of the official clients.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(15);

/// A connected client.
pub(crate) struct Client {
    link: Link,
    pub(crate) protocol: Protocol,
    /// Connection id, if the negotiate response contained one.
    pub(crate) id: Option<String>,
    pings: Pings,
    /// Payloads that followed the response of the upgrade or of the handshake.
    early: Vec<u8>,
}

/// The transport.
enum Link {
    WebSocket(Box<WebSocketLink>),
    Http(Box<HttpLink>),
}

/// Keep-alive pings of the client.
pub(crate) struct Pings {
    ticks: Option<Interval>,
    ping: &'static [u8],
}

impl Pings {
    /// The ping to send now, if one is due.
    pub(crate) fn due(&mut self, context: &mut Context<'_>) -> Option<&'static [u8]> {
        self.ticks.as_mut()?.poll_tick(context).is_ready().then_some(self.ping)
    }
}

impl Client {
    /// Opens the negotiated transport and performs the handshake.
    pub(crate) async fn open(
        connector: &Connector,
        http: &HttpClient,
        endpoint: Endpoint,
        protocol: Protocol,
    ) -> Result<Self, LoadError> {
        let opening = open(connector, http, endpoint, protocol);
        timeout(HANDSHAKE_TIMEOUT, opening)
            .await
            .map_err(|_| LoadError::Timeout("the handshake"))?
    }

    /// Queues a hub message for the next [`Self::flush`] or [`Self::read`].
    pub(crate) fn queue(&mut self, payload: &[u8]) {
        match &mut self.link {
            Link::WebSocket(link) => link.queue(payload),
            Link::Http(link) => link.queue(payload),
        }
    }

    /// Writes the queued messages. Cancel safe.
    pub(crate) async fn flush(&mut self) -> Result<(), LoadError> {
        match &mut self.link {
            Link::WebSocket(link) => link.flush().await,
            Link::Http(link) => link.flush().await,
        }
    }

    /// Waits for bytes and calls `each` with the payloads in them. Also sends pings, and responses
    /// to WebSocket pings. Cancel safe.
    pub(crate) async fn read(&mut self, mut each: impl FnMut(&[u8])) -> Result<(), LoadError> {
        if !self.early.is_empty() {
            each(&std::mem::take(&mut self.early));
            return Ok(());
        }
        match &mut self.link {
            Link::WebSocket(link) => link.read(&mut self.pings, each).await,
            Link::Http(link) => link.read(&mut self.pings, each).await,
        }
    }

    /// Sends a close message, like a client that is stopped. Errors are ignored.
    pub(crate) async fn close(mut self) {
        let close = Message::Close { error: None, allow_reconnect: false };
        self.queue(&self.protocol.encode(&close));
        let _ = timeout(CLOSE_TIMEOUT, async {
            match &mut self.link {
                Link::WebSocket(link) => link.close().await,
                Link::Http(link) => link.close().await,
            }
        })
        .await;
    }

    async fn handshake(&mut self) -> Result<(), LoadError> {
        self.queue(&handshake::request(self.protocol));
        let mut response = Vec::new();
        let end = loop {
            if let Some(end) = memchr::memchr(RECORD_SEPARATOR, &response) {
                break end;
            }
            self.read(|payload| response.extend_from_slice(payload)).await?;
        };
        self.early = response.split_off(end + 1);
        response.truncate(end);
        match handshake::parse_response(&response).map_err(LoadError::protocol)? {
            None => Ok(()),
            Some(error) => Err(LoadError::Refused(error)),
        }
    }
}

async fn open(
    connector: &Connector,
    http: &HttpClient,
    mut endpoint: Endpoint,
    protocol: Protocol,
) -> Result<Client, LoadError> {
    let (transport, id) = (endpoint.transport, endpoint.id.take());
    let (link, early) = match transport {
        LoadTransport::WebSockets => {
            let (link, early) = WebSocketLink::open(connector, &endpoint).await?;
            (Link::WebSocket(Box::new(link)), early)
        }
        LoadTransport::ServerSentEvents => {
            (Link::Http(Box::new(HttpLink::events(http.clone(), endpoint).await?)), Vec::new())
        }
        LoadTransport::LongPolling => {
            (Link::Http(Box::new(HttpLink::polls(http.clone(), endpoint).await?)), Vec::new())
        }
    };
    let pings = Pings { ticks: None, ping: protocol.ping() };
    let mut client = Client { link, protocol, id, pings, early };
    client.handshake().await?;
    if let Link::WebSocket(link) = &mut client.link {
        link.is_binary = protocol.is_binary();
    }
    // Long polling needs no pings: each poll shows that the client is connected.
    if transport != LoadTransport::LongPolling {
        let mut ticks = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        client.pings.ticks = Some(ticks);
        // Send the first ping at once, as the official clients do. Servers apply their timeout only to
        // clients that ping.
        client.queue(protocol.ping());
        client.flush().await?;
    }
    Ok(client)
}
