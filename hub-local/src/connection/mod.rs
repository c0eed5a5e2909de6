//! One client: who it is, and its life from the handshake to the close.

pub(crate) mod client_results;
pub(crate) mod dispatch;
pub(crate) mod ending;
mod handshake;
mod keep_alive;
pub(crate) mod outbox;
mod receive;

use std::sync::{Arc, OnceLock};

use http::HeaderMap;
use hub_core::protocol::{Message, frame::Frames, json};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::{
    client_results::ClientResults,
    dispatch::{Dispatch, Work},
    ending::{Drain, Ending},
    outbox::{Frame, Outbox, Pushed},
};
use crate::{
    hub::Hub,
    state::State,
    transport::{Incoming, Sink, Source, websocket::frame::text_frame},
};

/// A client whose transport is open. Hubs find it once the handshake is done.
pub(crate) struct Connection {
    pub(crate) id: String,
    pub(crate) user: Option<String>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) state: Arc<State>,
    /// What every upstream call of this connection says.
    pub(crate) headers: HeaderMap,
    pub(crate) outbox: Outbox,
    pub(crate) results: ClientResults,
    pub(crate) dispatch: Dispatch,
    closing: CancellationToken,
    ending: OnceLock<Ending>,
}

impl Connection {
    pub(crate) fn new(
        state: Arc<State>,
        hub: Arc<Hub>,
        id: String,
        user: Option<String>,
        headers: HeaderMap,
    ) -> Arc<Self> {
        Arc::new(Self {
            outbox: Outbox::new(&state.limits),
            results: ClientResults::default(),
            dispatch: Dispatch::default(),
            // A child, so that a wake of this connection locks nothing that others use.
            closing: state.closing.child_token(),
            ending: OnceLock::new(),
            id,
            user,
            hub,
            state,
            headers,
        })
    }

    /// Sends a frame that is shared with other connections; never waits.
    pub(crate) fn send(self: &Arc<Self>, frame: Frame) -> Pushed {
        self.noting_slowness(self.outbox.push(frame))
    }

    /// Sends one message to this client alone; never waits.
    pub(crate) fn send_message(self: &Arc<Self>, message: &Message) -> Pushed {
        self.send(text_frame(&json::encode(message)))
    }

    /// Sends the answer to this client's own call; never waits.
    pub(crate) fn answer(self: &Arc<Self>, framed: &[u8]) {
        let _ = self.noting_slowness(self.outbox.push_answer(text_frame(framed)));
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
        let last = ending.last_frame();
        match ending.drain {
            Drain::First => self.outbox.close(last),
            Drain::Never => self.outbox.abandon(last),
        }
        self.closing.cancel();
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

/// Lives until the transport is closed on both sides. `disconnected` follows what is queued.
pub(crate) async fn run<S: Source>(
    connection: Arc<Connection>,
    mut source: S,
    mut sink: impl Sink,
) {
    let _registered = Registered(Arc::clone(&connection));
    let accepted = exchange(&connection, &mut source, &mut sink).await;
    let ending = connection.ending.get();
    if accepted {
        let error = ending.and_then(|ending| ending.error.clone());
        dispatch::submit(&connection, Work::Disconnected { error });
    }
    if S::LINGERS && ending.is_some_and(|ending| ending.lingers) {
        let _ = timeout(connection.state.limits.close, linger(&mut source)).await;
    }
    sink.shut().await;
}

/// Sees to it that nobody finds a connection whose task is gone, even after a panic.
struct Registered(Arc<Connection>);

impl Drop for Registered {
    fn drop(&mut self) {
        self.0.end(Ending::lost());
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
    let mut writing = std::pin::pin!(connection.outbox.drain(sink));
    let mut written = false;
    {
        let reading = read(connection, source, &mut accepted);
        tokio::select! {
            // Whoever ended the connection did so first; else the service stops.
            () = connection.closing.cancelled() => connection.end(Ending::shutdown()),
            ending = reading => connection.end(ending),
            result = &mut writing => {
                written = true;
                if result.is_err() {
                    connection.end(Ending::lost());
                }
            }
        }
    }
    if !written {
        let limit = connection.state.limits.close;
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
    let mut frames = Frames::new(connection.state.limits.max_message);
    if let Err(ending) = handshake::receive(connection, source, &mut frames).await {
        return ending;
    }
    *accepted = true;
    connection.hub.insert(connection);
    tracing::debug!(connection = connection.id, hub = connection.hub.name(), "connected");
    dispatch::submit(connection, Work::Connected);
    tokio::select! {
        ending = receive::messages(connection, source, &mut frames) => ending,
        ending = keep_alive::ping(connection) => ending,
    }
}

/// Waits for the client to close its side, so that the last frames are not lost by a reset.
async fn linger(source: &mut impl Source) {
    while let Ok(Incoming::Data(_)) = source.receive().await {}
}
