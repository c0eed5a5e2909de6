//! One client: its transport, its handshake, and what goes in and out.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use hub_core::protocol::{Message, Protocol, frame::RECORD_SEPARATOR, handshake};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};

use crate::{
    LoadError, LoadTransport,
    connect::Connector,
    negotiate::Door,
    over_http::{HttpClient, HttpLink},
    web_socket::WebSocketLink,
};

const HANDSHAKE_TIME: Duration = Duration::from_secs(15);
/// How long a client takes to say goodbye at most.
const GOODBYE: Duration = Duration::from_secs(1);
/// As often as the official clients.
pub(crate) const PING_EVERY: Duration = Duration::from_secs(15);

/// A connected client.
pub(crate) struct Client {
    link: Link,
    protocol: Protocol,
    id: Option<Box<str>>,
    pings: Pings,
    /// Read behind the handshake.
    early: Vec<u8>,
}

/// What carries the bytes.
enum Link {
    WebSocket(Box<WebSocketLink>),
    Http(Box<HttpLink>),
}

/// The client's signs of life.
pub(crate) struct Pings {
    ticks: Option<Interval>,
    ping: &'static [u8],
}

impl Pings {
    /// The ping to send now, if one is due.
    pub(crate) fn due(&mut self, context: &mut Context<'_>) -> Option<&'static [u8]> {
        match self.ticks.as_mut()?.poll_tick(context) {
            Poll::Ready(_) => Some(self.ping),
            Poll::Pending => None,
        }
    }
}

impl Client {
    /// Opens the transport that was negotiated and does the handshake.
    pub(crate) async fn open(
        connector: &Connector,
        http: &HttpClient,
        door: Door,
        protocol: Protocol,
    ) -> Result<Self, LoadError> {
        let opening = open(connector, http, door, protocol);
        timeout(HANDSHAKE_TIME, opening).await.map_err(|_| LoadError::TimedOut("a handshake"))?
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The public id of the connection, where negotiate told it.
    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Queues a hub message, which goes out with the next [`Self::flush`] or [`Self::read`].
    pub(crate) fn queue(&mut self, payload: &[u8]) {
        match &mut self.link {
            Link::WebSocket(link) => link.queue(payload),
            Link::Http(link) => link.queue(payload),
        }
    }

    /// Writes what is queued. Dropping the future loses nothing.
    pub(crate) async fn flush(&mut self) -> Result<(), LoadError> {
        match &mut self.link {
            Link::WebSocket(link) => link.flush().await,
            Link::Http(link) => link.flush().await,
        }
    }

    /// Waits for bytes and tells `each` the payload in them. Pings of both kinds are seen to.
    /// Dropping the future loses nothing.
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

    /// Says goodbye, as a client that is stopped does. Whether it arrives does not matter any more.
    pub(crate) async fn leave(mut self) {
        let close = Message::Close { error: None, allow_reconnect: false };
        self.queue(&self.protocol.encode(&close));
        let _ = timeout(GOODBYE, async {
            match &mut self.link {
                Link::WebSocket(link) => link.close().await,
                Link::Http(link) => link.close().await,
            }
        })
        .await;
    }

    async fn shake_hands(&mut self) -> Result<(), LoadError> {
        self.queue(&handshake::request(self.protocol));
        let mut answer = Vec::new();
        let end = loop {
            if let Some(end) = memchr::memchr(RECORD_SEPARATOR, &answer) {
                break end;
            }
            self.read(|payload| answer.extend_from_slice(payload)).await?;
        };
        self.early = answer.split_off(end + 1);
        answer.truncate(end);
        match handshake::parse_response(&answer).map_err(LoadError::protocol)? {
            None => Ok(()),
            Some(error) => Err(LoadError::Refused(error)),
        }
    }
}

async fn open(
    connector: &Connector,
    http: &HttpClient,
    mut door: Door,
    protocol: Protocol,
) -> Result<Client, LoadError> {
    let (transport, id) = (door.transport, door.id.take());
    let link = match transport {
        LoadTransport::WebSockets => {
            Link::WebSocket(Box::new(WebSocketLink::open(connector, &door).await?))
        }
        LoadTransport::ServerSentEvents => {
            Link::Http(Box::new(HttpLink::events(http.clone(), door).await?))
        }
        LoadTransport::LongPolling => {
            Link::Http(Box::new(HttpLink::polls(http.clone(), door).await?))
        }
    };
    let pings = Pings { ticks: None, ping: protocol.ping() };
    let mut client = Client { link, protocol, id, pings, early: Vec::new() };
    client.shake_hands().await?;
    if let Link::WebSocket(link) = &mut client.link {
        link.is_binary = protocol.is_binary();
    }
    // The polls of long polling are signs of life enough.
    if transport != LoadTransport::LongPolling {
        let mut ticks = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        client.pings.ticks = Some(ticks);
        // The official clients ping at once, which arms the server's time-out.
        client.queue(protocol.ping());
        client.flush().await?;
    }
    Ok(client)
}
