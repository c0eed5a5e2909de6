//! Handles messages of a client, at once or by queueing an upstream call.

use std::sync::Arc;

use hub_core::{
    names::{self, NameError},
    protocol::{Message, Outcome, frame::Frames},
};

use tokio::task::yield_now;

use super::{
    Connection,
    acks::{Acks, counters::SequenceGap},
    calls::UpstreamEvent,
    deliver,
    ending::Ending,
    keep_alive::ClientTimeout,
    link::{Incoming, Source, Transport},
    posts::Posts,
};
use crate::{
    causes::Cause,
    inspect::{Conversation, Origin, Peer},
    upstream::call::Call,
};

/// Maximum length of a hub method name in characters.
const MAX_METHOD_CHARS: usize = 1024;
/// The maximum number of cancels that are handled at once.
const MAX_CANCELS: usize = 64;
const NO_STREAMS: &str = "serverless mode has no streams: call an ordinary method, and let it \
                          send messages to the caller";

/// Reads until the connection ends.
pub(super) async fn messages(
    connection: &Arc<Connection>,
    source: &mut impl Source,
    frames: &mut Frames,
    client_timeout: &ClientTimeout,
) -> Ending {
    match read(connection, source, frames, client_timeout).await {
        Ok(never) => match never {},
        Err(ending) => ending,
    }
}

async fn read(
    connection: &Arc<Connection>,
    source: &mut impl Source,
    frames: &mut Frames,
    client_timeout: &ClientTimeout,
) -> Result<std::convert::Infallible, Ending> {
    let limits = &connection.shared.limits;
    let acks = connection.acks.as_ref().filter(|it| it.are_agreed());
    let mut posts = connection.transport.has_posts().then(Box::<Posts>::default);
    let mut suspended = false;
    loop {
        loop {
            match handle(connection, frames, acks, posts.as_deref_mut(), client_timeout)? {
                Handled::All => break,
                // Boxed: a queue is rarely full, and this future would enlarge that of every idle client.
                Handled::Full(call) => Box::pin(submit_later(connection, call)).await?,
                Handled::ManyCancels => yield_now().await,
            }
        }
        // No client timeout while suspended: the transport limits the time until the client resumes.
        if !suspended {
            client_timeout.begin();
        }
        let incoming = source.receive().await;
        client_timeout.stop();
        match incoming {
            Ok(Incoming::Data(bytes)) => {
                if let Some(peer) = &connection.peer {
                    peer.seen();
                }
                let is_repeated = posts.as_mut().is_some_and(|posts| posts.begin(&bytes));
                if is_repeated && frames.is_empty() {
                    tracing::debug!(
                        connection = connection.id(),
                        "a POST was repeated: not run again"
                    );
                } else {
                    frames.take(bytes);
                }
            }
            Ok(Incoming::Suspended) => suspended = true,
            Ok(Incoming::Resumed) => {
                suspended = false;
                *frames = Frames::new(limits.max_message_bytes);
                frames.switch_to(connection.protocol());
            }
            Ok(Incoming::Closed) if frames.is_empty() => {
                return Err(match connection.transport {
                    Transport::LongPolling => Ending::polling_closed(),
                    _ => Ending::transport_closed(),
                });
            }
            Ok(Incoming::Closed) => return Err(Ending::cut_short()),
            Err(error) => {
                return Err(Ending::broken(&error, connection.detailed_errors()));
            }
        }
    }
}

/// Why the messages in the buffer are no longer handled.
enum Handled {
    All,
    /// The queue has no room for the call.
    Full(Call),
    /// Each cancel may search a long queue: other tasks run in between.
    ManyCancels,
}

/// Handles the complete messages of `frames`. Not async: the future of each idle client would hold the message.
fn handle(
    connection: &Arc<Connection>,
    frames: &mut Frames,
    acks: Option<&Arc<Acks>>,
    mut posts: Option<&mut Posts>,
    client_timeout: &ClientTimeout,
) -> Result<Handled, Ending> {
    let mut cancels = 0;
    let malformed = |error| Ending::malformed(&error, connection.detailed_errors());
    let protocol = connection.protocol();
    while let Some(frame) = frames.next_frame().map_err(malformed)? {
        let Some(message) = protocol.parse(&frame).map_err(malformed)? else { continue };
        if let Some(acks) = acks {
            let failed = |gap: SequenceGap| {
                Ending::failed(Cause::Malformed, gap.to_string(), connection.detailed_errors())
            };
            if !acks.receive(&message).map_err(failed)? {
                continue;
            }
        }
        if let (Some(posts), Message::Invocation { invocation_id: Some(_), .. }) =
            (&mut posts, &message)
        {
            posts.remember();
        }
        cancels += usize::from(matches!(message, Message::CancelInvocation { .. }));
        if let Some(call) = act(connection, message, client_timeout)? {
            return Ok(Handled::Full(call));
        }
        if cancels == MAX_CANCELS {
            return Ok(Handled::ManyCancels);
        }
    }
    Ok(Handled::All)
}

/// Returns a call for which the queue has no room.
fn act(
    connection: &Arc<Connection>,
    message: Message,
    client_timeout: &ClientTimeout,
) -> Result<Option<Call>, Ending> {
    match message {
        Message::Invocation { invocation_id, target, arguments, stream_ids, trace } => {
            if stream_ids.is_empty() {
                let call = Call::new(invocation_id, target, arguments, trace);
                return Ok(invoke(connection, call));
            }
            if invocation_id.is_none() {
                connection.warn_once(Cause::Streams, &target);
            }
            refuse(connection, invocation_id, Cause::Streams, NO_STREAMS);
        }
        Message::Completion { invocation_id, outcome } => {
            // Some clients complete messages without an invocation id: philippseith/signalr in Go.
            if invocation_id.is_empty() {
                connection.warn_once(Cause::EmptyId, "");
            }
            connection.results.complete(&invocation_id, outcome);
        }
        Message::StreamInvocation { invocation_id, .. } => {
            refuse(connection, Some(invocation_id), Cause::Streams, NO_STREAMS);
        }
        Message::CancelInvocation { invocation_id } => deliver::cancel(connection, invocation_id),
        Message::Ping if connection.transport.needs_pings() => client_timeout.arm(),
        Message::Close { error, .. } => return Err(Ending::by_client(error)),
        // Ignored: items of streams that are not open, and acks without a negotiated stateful reconnect.
        Message::Ping
        | Message::StreamItem { .. }
        | Message::Ack { .. }
        | Message::Sequence { .. } => {}
        // Message types of later protocol versions.
        _ => {}
    }
    Ok(None)
}

fn invoke(connection: &Arc<Connection>, mut call: Call) -> Option<Call> {
    let checked =
        names::check_upstream_event(&call.target).and_then(|()| check_length(&call.target));
    if let Err(error) = checked {
        refuse(connection, call.invocation_id, Cause::RefusedName, &error.to_string());
        return None;
    }
    if let Some(peer) = connection.peer.as_ref().filter(|peer| peer.recorder.admits_call()) {
        call.seen = Some(seen(connection, peer, &call));
    }
    if !connection.calls.has_room(&connection.shared.limits) {
        return Some(call);
    }
    deliver::submit(connection, UpstreamEvent::Call(call));
    None
}

/// Records a call for the inspector.
fn seen(connection: &Connection, peer: &Arc<Peer>, call: &Call) -> Arc<Conversation> {
    let names = (call.invocation_id.as_deref(), &*call.target);
    let (protocol, is_queued) = (connection.protocol(), connection.calls.is_busy());
    peer.recorder.invoked(peer, Origin::Client, protocol, names, &call.arguments, is_queued)
}

async fn submit_later(connection: &Arc<Connection>, call: Call) -> Result<(), Ending> {
    connection.calls.wait_for_room(&connection.shared.limits, &connection.results).await?;
    deliver::submit(connection, UpstreamEvent::Call(call));
    Ok(())
}

/// Limits the length of a method name: the name becomes a header value of the upstream call and appears in
/// the log.
fn check_length(target: &str) -> Result<(), NameError> {
    if target.chars().count() <= MAX_METHOD_CHARS {
        return Ok(());
    }
    Err(NameError::TooLong { kind: "method name", limit: MAX_METHOD_CHARS })
}

/// Completes a call with an error. A call without an invocation id gets no completion.
fn refuse(connection: &Arc<Connection>, invocation_id: Option<String>, cause: Cause, text: &str) {
    if let Some(peer) = &connection.peer {
        peer.refused(None, cause, text);
    }
    let (id, check) = (connection.id(), cause.check());
    tracing::debug!(connection = id, text, cause = cause.id(), check, "call refused");
    let Some(invocation_id) = invocation_id else { return };
    let outcome = Outcome::Error(text.to_owned());
    let completion = Message::Completion { invocation_id, outcome };
    connection.answer(&connection.protocol().encode(&completion));
}
