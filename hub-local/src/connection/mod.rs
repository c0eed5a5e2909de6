//! One client: who it is, and its life from the handshake to the close.

pub(crate) mod acks;
pub(crate) mod calls;
pub(crate) mod client_results;
mod deliver;
pub(crate) mod ending;
mod expiry;
mod handshake;
mod keep_alive;
mod rarely_ready;
mod receive;

use std::sync::{Arc, OnceLock};

use http::HeaderMap;
use hub_core::protocol::{Message, Protocol, frame::Frames};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::{
    calls::{Dispatch, Work},
    client_results::ClientResults,
    ending::{Drain, Ending},
    rarely_ready::Seldom,
};
use crate::{
    auth::{Identity, Terms},
    delivery::{
        frame::{CloseStatus, Frame},
        outbox::{Outbox, Pushed},
        sink::Sink,
    },
    hub::Hub,
    state::State,
    transport::{Incoming, Source, Transport, websocket::resume::Resumption},
};

/// A client whose transport is open. Hubs find it once the handshake is done.
pub(crate) struct Connection {
    pub(crate) id: String,
    pub(crate) user: Option<String>,
    /// What the client's token asks for.
    pub(crate) terms: Terms,
    pub(crate) hub: Arc<Hub>,
    pub(crate) state: Arc<State>,
    /// What every upstream call of this connection says.
    pub(crate) headers: HeaderMap,
    /// The same for calls of hub methods, once there is one: idle clients keep nothing for it.
    pub(crate) call_headers: OnceLock<Box<HeaderMap>>,
    pub(crate) transport: Transport,
    pub(crate) outbox: Outbox,
    pub(crate) results: ClientResults,
    pub(crate) dispatch: Dispatch,
    /// Set before the handshake, if the client may resume.
    resumption: OnceLock<Arc<Resumption>>,
    closing: CancellationToken,
    ending: OnceLock<Ending>,
}

/// How a connection came about.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) id: String,
    pub(crate) identity: Identity,
    pub(crate) transport: Transport,
    /// What every upstream call of the connection says.
    pub(crate) headers: HeaderMap,
}

impl Connection {
    pub(crate) fn new(state: Arc<State>, hub: Arc<Hub>, origin: Origin) -> Arc<Self> {
        let Origin { id, identity, transport, headers } = origin;
        Arc::new(Self {
            outbox: Outbox::new(&state.limits, Arc::clone(&state.backlog)),
            results: ClientResults::default(),
            dispatch: Dispatch::default(),
            resumption: OnceLock::new(),
            // A child, so that a wake of this connection locks nothing that others use.
            closing: state.closing.child_token(),
            ending: OnceLock::new(),
            id,
            user: identity.user,
            terms: identity.terms,
            hub,
            state,
            headers,
            call_headers: OnceLock::new(),
            transport,
        })
    }

    /// The client may come back on another WebSocket, if its handshake says so, too.
    pub(crate) fn resumes(&self, resumption: Arc<Resumption>) {
        // Set once: a connection has one origin.
        let _ = self.resumption.set(resumption);
    }

    /// Whether this client reads what exactly it did wrong.
    pub(crate) fn detailed_errors(&self) -> bool {
        self.state.detailed_errors || self.terms.detailed_errors
    }

    /// What the client speaks; JSON until its handshake says otherwise.
    pub(crate) fn protocol(&self) -> Protocol {
        self.outbox.protocol()
    }

    /// A whole hub message as it goes to this client.
    fn frame(&self, framed: &[u8]) -> Frame {
        Frame::message(self.protocol(), framed)
    }

    /// One message as it goes to this client.
    pub(crate) fn message_frame(&self, message: &Message) -> Frame {
        self.frame(&self.protocol().encode(message))
    }

    /// How the WebSocket of this client is closed, if it has one.
    pub(crate) fn close_status(&self) -> CloseStatus {
        self.ending.get().map(|ending| ending.close_status).unwrap_or_default()
    }

    /// Whether the connection or the service ends.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Waits for the end of the connection or the service.
    pub(crate) async fn closes(&self) {
        self.closing.cancelled().await;
    }

    /// Sends a frame that is shared with other connections; never waits.
    pub(crate) fn send(self: &Arc<Self>, frame: Frame) -> Pushed {
        self.noting_slowness(self.outbox.push(frame))
    }

    /// Sends one message to this client alone; never waits. Values in it must be encoded in the
    /// client's protocol.
    pub(crate) fn send_message(self: &Arc<Self>, message: &Message) -> Pushed {
        self.send(self.message_frame(message))
    }

    /// Sends the answer to this client's own call; never waits.
    pub(crate) fn answer(self: &Arc<Self>, framed: &[u8]) {
        let _ = self.noting_slowness(self.outbox.push_answer(self.frame(framed)));
    }

    fn noting_slowness(self: &Arc<Self>, pushed: Pushed) -> Pushed {
        if pushed == Pushed::Full {
            self.end(Ending::slow_client());
        }
        pushed
    }

    /// Ends the connection; only the first reason counts. Nobody finds it any more when this
    /// returns, and whoever waits for its client results has got an error.
    pub(crate) fn end(self: &Arc<Self>, ending: Ending) {
        let mut first = false;
        let ending = self.ending.get_or_init(|| {
            first = true;
            ending
        });
        if !first {
            return;
        }
        self.log(ending);
        self.hub.remove(self);
        self.results.fail_all();
        let last = ending.last_frame(self.protocol());
        match ending.drain {
            Drain::First => self.outbox.close(last),
            Drain::Never => self.outbox.abandon(last),
        }
        self.closing.cancel();
    }

    fn log_connected(&self) {
        let (transport, protocol) = (self.transport.name(), self.protocol().name());
        let resumable = self.resumption.get().is_some_and(|it| it.is_agreed());
        let (connection, hub) = (self.id.as_str(), self.hub.name());
        tracing::debug!(connection, hub, transport, protocol, resumable, "connected");
    }

    fn log(&self, ending: &Ending) {
        let (connection, hub) = (self.id.as_str(), self.hub.name());
        if ending.drain == Drain::Never && ending.is_slow_client() {
            self.state.count_slow_client();
            tracing::warn!(connection, hub, "closed: slow client, its outbox was full");
            return;
        }
        let reason = ending.error.as_deref().unwrap_or("without error");
        tracing::debug!(connection, hub, reason, "connection ends");
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connection").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Lives until the transport is closed on both sides. `disconnected` follows what is queued. Both
/// halves are borrowed: a future keeps room for what it is given beside what it moves that to, and
/// there is one for each idle client.
pub(crate) async fn run<S: Source>(
    connection: Arc<Connection>,
    source: &mut S,
    sink: &mut impl Sink,
) {
    let _registered = Registered(Arc::clone(&connection));
    let accepted = exchange(&connection, source, sink).await;
    let ending = connection.ending.get();
    if accepted {
        let error = ending.and_then(|ending| ending.error.clone());
        calls::submit(&connection, Work::Disconnected { error });
    }
    if S::LINGERS && ending.is_some_and(|ending| ending.lingers) {
        let _ = timeout(connection.state.limits.close_timeout, linger(source)).await;
    }
    sink.shut().await;
}

/// Sees to it that nobody finds a connection whose task is gone, even after a panic.
struct Registered(Arc<Connection>);

impl Drop for Registered {
    fn drop(&mut self) {
        self.0.end(Ending::lost());
        self.0.outbox.forget();
    }
}

/// Reads and writes until the connection has ended and its last frame is written, or cannot be.
/// Returns whether the handshake succeeded.
async fn exchange(
    connection: &Arc<Connection>,
    source: &mut impl Source,
    sink: &mut impl Sink,
) -> bool {
    let mut accepted = false;
    let mut writing = std::pin::pin!(sink.drain(&connection.outbox));
    let mut written = false;
    {
        // What wakes this task most is its outbox, and then nothing else is worth a look.
        let others = std::pin::pin!(async {
            tokio::select! {
                biased;
                // Whoever ended the connection did so first; else the service stops.
                () = connection.closing.cancelled() => Ending::shutdown(),
                ending = read(connection, source, &mut accepted) => ending,
            }
        });
        tokio::select! {
            biased;
            ending = Seldom::new(others) => connection.end(ending),
            result = &mut writing => {
                written = true;
                if result.is_err() {
                    connection.end(Ending::lost());
                }
            }
        }
    }
    if !written {
        let limit = connection.state.limits.close_timeout;
        if !matches!(timeout(limit, writing).await, Ok(Ok(()))) {
            connection.outbox.abandon(None);
        }
    }
    accepted
}

async fn read(
    connection: &Arc<Connection>,
    source: &mut impl Source,
    accepted: &mut bool,
) -> Ending {
    let mut frames = Frames::new(connection.state.limits.max_message_bytes);
    if let Err(ending) = handshake::receive(connection, source, &mut frames).await {
        return ending;
    }
    *accepted = true;
    connection.hub.insert(connection);
    connection.log_connected();
    calls::submit(connection, Work::Connected);
    let pinging = std::pin::pin!(keep_alive::ping(connection));
    let expiring = std::pin::pin!(expiry::reached(connection));
    tokio::select! {
        biased;
        ending = receive::messages(connection, source, &mut frames) => ending,
        ending = Seldom::new(pinging), if connection.transport.needs_pings() => ending,
        ending = Seldom::new(expiring) => ending,
    }
}

/// Waits for the client to close its side, so that the last frames are not lost by a reset.
async fn linger(source: &mut impl Source) {
    while let Ok(Incoming::Data(_)) = source.receive().await {}
}
