//! The lifecycle of a connection, from the handshake to the close.

use std::{sync::Arc, time::Duration};

use hub_core::protocol::frame::Frames;
use hub_net::rarely_ready::RarelyReady;
use tokio::time::timeout;

use super::{
    Connection,
    calls::UpstreamEvent,
    deliver,
    ending::{Ending, Farewell},
    handshake,
    keep_alive::{self, ClientTimeout},
    link::{Incoming, Source},
    receive,
};
use crate::{delivery::sink::Sink, inspect::Matter};

/// How long a client may take to close its side after it has violated the WebSocket protocol.
const AFTER_VIOLATION: Duration = Duration::from_secs(1);

/// Runs a connection until its transport is closed on both sides. The `disconnected` event is queued after
/// the pending upstream calls. Takes `source` and `sink` by reference: if they were moved in, the future
/// would store them twice, and each idle client has such a future.
pub(crate) async fn run<S: Source>(
    connection: Arc<Connection>,
    source: &mut S,
    sink: &mut impl Sink,
) {
    let _registered = EndGuard(Arc::clone(&connection));
    let accepted = exchange(&connection, source, sink).await;
    let ending = connection.ending.get();
    if accepted {
        let error = ending.and_then(|ending| ending.error.clone());
        if let Some(peer) = &connection.peer {
            let trouble = ending.and_then(|ending| ending.trouble());
            peer.recorder.disconnected(peer, trouble);
        }
        deliver::leave(&connection, error);
    } else if let (Some(peer), Some(trouble)) =
        (&connection.peer, ending.and_then(|it| it.trouble()))
    {
        peer.recorder.refused(peer.subject(), Matter::Handshake, None, trouble);
    }
    let farewell = ending.map_or(Farewell::Close, |ending| ending.farewell);
    let limit = connection.shared.limits.close_timeout;
    match farewell {
        Farewell::AwaitClient if S::LINGERS => _ = timeout(limit, linger(source)).await,
        Farewell::ShutFirst if S::LINGERS => {
            sink.shut().await;
            _ = timeout(limit.min(AFTER_VIOLATION), linger(source)).await;
        }
        Farewell::Close | Farewell::AwaitClient | Farewell::ShutFirst => {}
    }
    sink.shut().await;
}

/// Ends the connection when its task is dropped, also after a panic, so that the hub removes the
/// connection.
struct EndGuard(Arc<Connection>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.end(Ending::lost());
        self.0.outbox.forget();
    }
}

/// Reads and writes until the connection has ended and its last frame was written or could not be
/// written. Returns whether the handshake succeeded.
async fn exchange(
    connection: &Arc<Connection>,
    source: &mut impl Source,
    sink: &mut impl Sink,
) -> bool {
    let mut accepted = false;
    let mut writing = std::pin::pin!(sink.drain(&connection.outbox));
    let mut written = false;
    {
        // Most wake-ups come from the outbox; `RarelyReady` then skips the other futures.
        let others = std::pin::pin!(read(connection, source, &mut accepted));
        tokio::select! {
            biased;
            () = connection.closes() => {}
            ending = RarelyReady::new(others) => connection.end(ending),
            result = &mut writing => {
                written = true;
                if result.is_err() {
                    connection.end(Ending::lost());
                }
            }
        }
    }
    if !written {
        let limit = connection.shared.limits.close_timeout;
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
    let mut frames = Frames::new(connection.shared.limits.max_message_bytes);
    if let Err(ending) = handshake::receive(connection, source, &mut frames).await {
        return ending;
    }
    *accepted = true;
    let missed_groups = connection.hub.insert(connection);
    if missed_groups > 0 {
        connection.warn_missed_groups(missed_groups);
    }
    connection.log_connected();
    deliver::submit(connection, UpstreamEvent::Connected);
    // A service that stops ends the connections of its hubs, and may have done so before this one was in its hub.
    if connection.shared.closing.is_cancelled() {
        return Ending::shutdown();
    }
    let client_timeout = ClientTimeout::new(connection.shared.limits.client_timeout);
    let watching = std::pin::pin!(keep_alive::watch(connection, &client_timeout));
    tokio::select! {
        biased;
        ending = receive::messages(connection, source, &mut frames, &client_timeout) => ending,
        ending = RarelyReady::new(watching) => ending,
    }
}

/// Waits for the client to close its side. Closing a socket with unread data sends a TCP reset, which can
/// discard the last frames.
async fn linger(source: &mut impl Source) {
    while let Ok(Incoming::Data(_)) = source.receive().await {}
}
