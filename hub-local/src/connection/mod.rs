//! Connections of clients.

pub(crate) mod acks;
mod calls;
mod client_results;
mod completion;
mod deliver;
pub(crate) mod departed;
pub(crate) mod ended_requests;
pub(crate) mod ending;
mod handshake;
mod keep_alive;
pub(crate) mod life;
pub(crate) mod link;
mod posts;
mod receive;
pub(crate) mod refresh;
mod running;
pub(crate) mod shared;
mod warnings;

use std::{
    fmt,
    future::poll_fn,
    sync::{Arc, OnceLock, atomic::Ordering},
    task::Poll,
};

pub(crate) use self::deliver::run_again;
use self::{
    acks::Acks,
    calls::CallQueue,
    client_results::{ClientResults, PendingResult},
    ending::{Ending, PendingFrames},
    link::Transport,
    refresh::Refreshed,
    shared::Shared,
    warnings::Warnings,
};
use crate::{
    auth::token_options::TokenOptions,
    causes::Cause,
    delivery::{
        frame::{CloseStatus, Frame},
        outbox::{Outbox, PushOutcome},
    },
    hub::{self, members::Member},
    inspect::{Opened, Peer},
    upstream::facts::ConnectionFacts,
};
use hub_core::protocol::{Message, Protocol};

/// A hub whose members are client connections.
pub(crate) type Hub = hub::Hub<Connection>;
/// Snapshot of connections of one hub.
pub(crate) type Audience = hub::members::Audience<Connection>;

/// A connected client. It is registered in its hub after the handshake.
pub(crate) struct Connection {
    /// Settings from the client's token.
    pub(crate) token_options: TokenOptions,
    pub(crate) hub: Arc<Hub>,
    pub(crate) shared: Arc<Shared>,
    /// From the connect request. Their claims no longer apply after a refresh.
    pub(crate) facts: Arc<ConnectionFacts>,
    /// Boxed, because most connections are never refreshed.
    refreshed: OnceLock<Box<Refreshed>>,
    pub(crate) transport: Transport,
    pub(crate) outbox: Outbox,
    pub(crate) results: ClientResults,
    pub(crate) calls: CallQueue,
    warnings: Warnings,
    /// Present if stateful reconnect was negotiated.
    acks: Option<Arc<Acks>>,
    /// Present if the inspector is on.
    pub(crate) peer: Option<Arc<Peer>>,
    /// Boxed, because most connections are open most of the time.
    ending: OnceLock<Box<Ending>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({})", self.id())
    }
}

/// Properties of a connection, from the request that opened it.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) facts: ConnectionFacts,
    pub(crate) token_options: TokenOptions,
    pub(crate) transport: Transport,
    /// Present if stateful reconnect was negotiated. The handshake must request stateful reconnect too.
    pub(crate) acks: Option<Arc<Acks>>,
}

impl Connection {
    pub(crate) fn new(shared: Arc<Shared>, hub: Arc<Hub>, origin: Origin) -> Arc<Self> {
        let Origin { facts, token_options, transport, acks } = origin;
        let peer = shared.recorder.as_ref().map(|recorder| {
            let (id, user) = (Arc::clone(facts.id()), facts.user().cloned());
            Arc::new(Peer::new(Arc::clone(recorder), id, hub.shared_name(), user))
        });
        Arc::new(Self {
            outbox: Outbox::new(&shared.limits, Arc::clone(&shared.backlog)),
            results: ClientResults::default(),
            calls: CallQueue::default(),
            warnings: Warnings::default(),
            acks,
            peer,
            ending: OnceLock::new(),
            refreshed: OnceLock::new(),
            token_options,
            hub,
            shared,
            facts: Arc::new(facts),
            transport,
        })
    }

    pub(crate) fn id(&self) -> &str {
        self.facts.id()
    }

    pub(crate) fn user(&self) -> Option<&str> {
        self.facts.user().map(|user| &**user)
    }

    /// Whether the client may resume this connection after its transport broke.
    pub(crate) fn is_resumable(&self) -> bool {
        self.acks.as_ref().is_some_and(|it| it.are_agreed())
    }

    /// Whether errors to this client include the cause.
    pub(crate) fn detailed_errors(&self) -> bool {
        self.shared.detailed_errors || self.token_options.detailed_errors
    }

    /// The hub protocol of the client; JSON before the handshake.
    pub(crate) fn protocol(&self) -> Protocol {
        self.outbox.protocol()
    }

    /// Frames an encoded message for this client.
    fn frame(&self, framed: &[u8]) -> Frame {
        Frame::message(self.protocol(), framed)
    }

    /// Encodes and frames a message for this client.
    pub(crate) fn message_frame(&self, message: &Message) -> Frame {
        self.frame(&self.protocol().encode(message))
    }

    /// The close frame of a WebSocket.
    pub(crate) fn close_frame(&self) -> Frame {
        let closing = || Frame::close(CloseStatus::Normal, "");
        self.ending.get().map_or_else(closing, |ending| ending.close_frame())
    }

    /// Whether the connection is ending.
    pub(crate) fn is_closing(&self) -> bool {
        self.ending.get().is_some()
    }

    /// Waits until the connection is ending. Only the task of the connection may wait, in the future that drains the
    /// outbox or beside it: the outbox wakes this task at the end.
    pub(crate) async fn closes(&self) {
        let mut is_registered = false;
        poll_fn(|context| {
            if !is_registered {
                self.outbox.wake_at_end(context.waker());
                is_registered = true;
            }
            if self.is_closing() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Sends a frame that is shared with other connections; never waits.
    pub(crate) fn send(self: &Arc<Self>, frame: Frame) -> PushOutcome {
        self.close_if_full(self.outbox.push(frame))
    }

    /// Sends one message only to this client; never waits. The values of the message must be encoded in the
    /// client's protocol.
    pub(crate) fn send_message(self: &Arc<Self>, message: &Message) -> PushOutcome {
        self.send(self.message_frame(message))
    }

    /// Sends the response to a call of this client; never waits.
    pub(crate) fn answer(self: &Arc<Self>, framed: &[u8]) {
        let _ = self.close_if_full(self.outbox.push_answer(self.frame(framed)));
    }

    fn close_if_full(self: &Arc<Self>, pushed: PushOutcome) -> PushOutcome {
        if pushed == PushOutcome::Full {
            self.end(Ending::slow_client());
        }
        pushed
    }

    /// Ends the connection; only the first reason counts. When this method returns, the connection is removed
    /// from its hub and its pending client results have failed.
    pub(crate) fn end(self: &Arc<Self>, ending: Ending) {
        let mut first = false;
        let ending = self.ending.get_or_init(|| {
            first = true;
            Box::new(ending)
        });
        if !first {
            return;
        }
        self.hub.remove(self.id());
        self.results.fail_all();
        let last = ending.last_frame(self.protocol());
        match ending.pending_frames {
            PendingFrames::Flush => self.outbox.close(last),
            PendingFrames::Discard => self.outbox.abandon(last),
        }
        // Last, because a subscriber may panic.
        self.log(ending);
    }

    /// Begins a client result, or returns `None` when the connection is ending. While it is pending, calls of
    /// the client do not wait for the method that asks.
    pub(crate) fn begin_result(self: &Arc<Self>) -> Option<PendingResult<'_>> {
        let (pending, starts_lane) = self.calls.begin_result(&self.results)?;
        if starts_lane {
            deliver::start_lane(self);
        }
        Some(pending)
    }

    /// The memory of an ended connection without its queues.
    fn size(&self) -> usize {
        let refreshed = self.refreshed.get().map_or(0, |refreshed| refreshed.size());
        size_of::<Self>() + self.facts.size() + refreshed
    }

    fn log_connected(&self) {
        let (transport, protocol) = (self.transport.name(), self.protocol().name());
        let resumable = self.is_resumable();
        if let Some(peer) = &self.peer {
            let (claims, query) = (self.facts.shared_claims(), self.facts.query().into());
            let opened = Opened { transport, protocol, resumable, claims, query };
            peer.recorder.connected(peer, opened);
        }
        let (connection, hub) = (self.id(), self.hub.name());
        tracing::debug!(connection, hub, transport, protocol, resumable, "connected");
    }

    fn log(&self, ending: &Ending) {
        let (connection, hub) = (self.id(), self.hub.name());
        let reason = ending.reason().unwrap_or("without error");
        if ending.cause == Some(Cause::SlowClient) {
            self.shared.slow_clients.fetch_add(1, Ordering::Relaxed);
        }
        let check = ending.cause.map(Cause::check);
        match ending.cause {
            Some(
                cause @ (Cause::SlowClient
                | Cause::LargeMessage
                | Cause::WaitingCalls
                | Cause::Handshake),
            ) => self.shared.log.line(cause.id(), |omitted| {
                let name = cause.id();
                tracing::warn!(
                    connection,
                    hub,
                    reason,
                    cause = name,
                    check,
                    omitted,
                    "{}",
                    cause.text()
                );
            }),
            other => {
                let cause = other.map(Cause::id);
                tracing::debug!(connection, hub, reason, cause, check, "connection ends");
            }
        }
    }
}

impl Member for Connection {
    fn id(&self) -> &str {
        Self::id(self)
    }

    fn user(&self) -> Option<&str> {
        Self::user(self)
    }

    fn protocol(&self) -> Protocol {
        Self::protocol(self)
    }

    fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    fn close_slow(self: &Arc<Self>) {
        self.end(Ending::slow_client());
    }
}
