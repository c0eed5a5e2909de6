//! Delivers upstream calls in the order of [`CallQueue`](super::calls::CallQueue), and sends the completions.
//!
//! A lane is a task. It exists only while calls are queued, so idle connections have none. It is separate
//! from the reading task, because a hub method may wait for a client result of its own caller.

use std::{
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::StatusCode;
use hub_core::{
    protocol::{Message, Outcome, Protocol, error_text},
    upstream::{CONNECTIONS, MESSAGES},
};
use tokio::time::{Instant, sleep};

use super::{
    Connection,
    calls::{Cancelled, Next, UpstreamEvent},
    completion::{self, Checked},
    running::Lane,
    shared::Shared,
};
use crate::{
    causes::Cause,
    inspect::{Address, Conversation, Finished, Origin, RunningCall, Trouble},
    random,
    upstream::{
        Unmatched, Upstream, UpstreamError,
        call::Call,
        cancel::CallCancel,
        explain::{self, CallRecord},
        in_process::{Answer, Change, ClientCall, ClientEvent},
    },
};

const NO_UPSTREAM: &str = "no upstream is configured for this hub";
const NO_COMPLETION: &str = "Invocation failed, response is no completion.";
/// How often a cancelled call is tried whose request may not be ended yet.
const END_RETRY: Duration = Duration::from_millis(250);
/// The text of a call that its client has cancelled.
const CANCELLED: &str = "The invocation was canceled.";
const NO_TEMPLATE: &str = "no upstream is configured for this method";

/// The event of an upstream call, for the log.
#[derive(Clone, Copy, Debug)]
struct Event<'a> {
    category: &'static str,
    name: &'a str,
    protocol: Protocol,
    is_invoke: bool,
    /// Set if the client cancels the call.
    cancel: &'a CallCancel,
}

/// Queues an event.
pub(super) fn submit(connection: &Arc<Connection>, event: UpstreamEvent) {
    if connection.calls.push(event, &connection.results) {
        start_lane(connection);
    }
}

/// The client has gone: its calls that wait are bounded, and the app is told about the end after them.
pub(super) fn leave(connection: &Arc<Connection>, error: Option<String>) {
    let dropped = connection.calls.depart(connection.size(), &connection.shared.departed);
    if dropped != Some(0) {
        let cause = Cause::DroppedCalls;
        if let Some(peer) = &connection.peer {
            peer.refused(None, cause, cause.text());
        }
        connection.shared.log.line(cause.id(), |omitted| {
            tracing::warn!(
                connection = connection.id(),
                hub = connection.hub.name(),
                calls = dropped,
                cause = cause.id(),
                check = cause.check(),
                omitted,
                "{}",
                cause.text()
            );
        });
    }
    if dropped.is_some() {
        submit(connection, UpstreamEvent::Disconnected { error });
    }
}

/// Starts a task for calls that wait.
pub(super) fn start_lane(connection: &Arc<Connection>) {
    // Boxed: the runtime stores a future several times before and after it runs, and this one is large.
    connection.shared.tasks.spawn(Box::pin(lane(Arc::clone(connection))));
}

async fn lane(connection: Arc<Connection>) {
    let Shared { upstream_calls: permits, departed, .. } = &*connection.shared;
    let mut permit = None;
    loop {
        let (event, lane, held) =
            match connection.calls.next(&connection.results, departed, permits, permit.take()) {
                Next::Deliver(event, lane, permit) => (event, lane, permit),
                Next::Wait(size) => {
                    permit = permits.get(size).await;
                    continue;
                }
                Next::End => return,
            };
        match event {
            UpstreamEvent::Call(call) => {
                self::call(&connection, lane, call).await;
                permit = held.filter(|held| permits.may_keep(held));
            }
            // Boxed: rare, and the lane of a call is smaller without them.
            UpstreamEvent::Connected => {
                Box::pin(connected(&connection)).await;
                connection.calls.finish(lane, &connection.results);
            }
            UpstreamEvent::Disconnected { error } => {
                Box::pin(async {
                    let _end = permits.end().await;
                    let _permit = permits.get(0).await;
                    disconnected(&connection, error.as_deref()).await;
                })
                .await;
                connection.calls.finish(lane, &connection.results);
            }
        }
    }
}

/// Reports a new client. The response has no effect on the client.
async fn connected(connection: &Arc<Connection>) {
    report(connection, Change::Connected).await;
}

/// Reports the end of a connection.
async fn disconnected(connection: &Arc<Connection>, error: Option<&str>) {
    report(connection, Change::Disconnected { error }).await;
}

/// The client cancels a call: it gets the completion at once. An id that no call has is ignored, because the call may
/// just have completed.
pub(super) fn cancel(connection: &Arc<Connection>, invocation_id: String) {
    match connection.calls.cancel(&invocation_id) {
        Cancelled::Unknown => return,
        Cancelled::Waiting(call) => {
            finished(call.seen.as_ref(), || Finished::Error(CANCELLED.into()));
        }
        Cancelled::Running => {}
    }
    tracing::debug!(connection = connection.id(), hub = connection.hub.name(), "call cancelled");
    // The client may use the id again.
    connection.warnings.forget_id();
    let outcome = Outcome::Error(CANCELLED.to_owned());
    let completion = Message::Completion { invocation_id, outcome };
    connection.answer(&connection.protocol().encode(&completion));
}

/// Calls a hub method. If the call has an invocation id, the client receives a completion, unless it has cancelled the
/// call.
async fn call(connection: &Arc<Connection>, lane: Lane, mut call: Call) {
    if connection.shared.upstream.as_ref().is_some_and(|upstream| upstream.is_in_process()) {
        // The method may run for a long time.
        call.detach();
    }
    let Call { invocation_id, target, arguments, trace, seen, .. } = call;
    let protocol = connection.protocol();
    let is_invoke = invocation_id.is_some();
    if invocation_id.as_ref().is_some_and(|id| connection.warnings.is_reused(id)) {
        connection.warn_once(Cause::ReusedId, &target);
    }
    let cancel = CallCancel::default();
    let event = Event { category: MESSAGES, name: &target, protocol, is_invoke, cancel: &cancel };
    let refreshed = connection.refreshed_facts();
    let facts = refreshed.as_ref().unwrap_or(&connection.facts);
    let answer = {
        let mut calling =
            pin!(perform(connection, event, seen.as_ref(), |upstream, request_id, began| {
                upstream.message(ClientCall {
                    connection: facts,
                    protocol,
                    request_id,
                    began,
                    invocation_id: invocation_id.as_deref(),
                    target: &target,
                    arguments,
                    trace: trace.as_deref(),
                    cancel: &cancel,
                })
            }));
        if is_invoke {
            match connection.calls.run(lane, calling.as_mut()).await {
                Some(answer) => answer,
                // Boxed, because it is rare.
                None => Box::pin(unawaited(connection, &cancel, calling)).await,
            }
        } else {
            calling.await
        }
    };
    let is_awaited = connection.calls.finish(lane, &connection.results);
    if invocation_id.is_some() && !is_awaited {
        finished(seen.as_ref(), || Finished::Error(CANCELLED.into()));
    }
    let Some(invocation_id) = invocation_id.filter(|_| is_awaited) else { return };
    let is_unmatched = matches!(answer, Err(UpstreamError::NoTemplate));
    if is_unmatched && connection.shared.unmatched == Unmatched::Silent {
        return;
    }
    let complete = |outcome| {
        finished(seen.as_ref(), || match &outcome {
            Outcome::Error(text) => Finished::Error(text.as_str().into()),
            Outcome::Void | Outcome::Result(_) => Finished::Void,
        });
        let invocation_id = invocation_id.clone();
        connection.answer(&protocol.encode(&Message::Completion { invocation_id, outcome }));
    };
    let relay = |framed| {
        finished(seen.as_ref(), || Finished::Relayed);
        connection.answer(&protocol.relayed(framed));
    };
    match interpret(answer, connection.shared.limits.max_upstream_response_bytes) {
        Ok(Body::Completion(framed)) => relay(framed),
        Ok(Body::Unchecked(body)) if body.is_empty() => complete(Outcome::Void),
        Ok(Body::Unchecked(body)) => match completion::check(protocol, &body, &invocation_id) {
            Checked::Completion => relay(body),
            Checked::Mended(mended) => {
                connection.warn_once(Cause::EmptyError, &target);
                finished(seen.as_ref(), || Finished::Error(error_text("").into()));
                connection.answer(&protocol.relayed(mended));
            }
            Checked::Invalid(problem) => {
                connection.warn_invalid_completion(&target, problem, &body);
                if let Some(of) = &seen {
                    let cause = Cause::NoCompletion;
                    let text = format!("{}: {problem}", cause.text());
                    of.peer.refused(Some(of.call), cause, &text);
                }
                if connection.shared.relay_invalid_completions {
                    relay(body);
                } else {
                    complete(Outcome::Error(NO_COMPLETION.to_owned()));
                }
            }
        },
        Err(_) if is_unmatched && connection.shared.upstream.is_none() => {
            complete(Outcome::Error(NO_UPSTREAM.to_owned()));
        }
        Err(text) => complete(Outcome::Error(text)),
    }
}

/// Runs a call that the client has cancelled to its end. Over HTTP its request is ended as soon as the limit of ended
/// requests allows it.
async fn unawaited<T>(
    connection: &Connection,
    cancel: &CallCancel,
    mut calling: Pin<&mut impl Future<Output = T>>,
) -> T {
    cancel.cancel();
    let shared = &connection.shared;
    if shared.upstream.as_ref().is_none_or(|upstream| upstream.is_in_process()) {
        return calling.await;
    }
    loop {
        let now = u64::try_from(shared.clock.elapsed().as_millis()).unwrap_or(u64::MAX);
        if connection.calls.may_end(&shared.ended_requests, now) {
            cancel.end_request();
            return calling.await;
        }
        tokio::select! {
            biased;
            answer = calling.as_mut() => return answer,
            () = sleep(END_RETRY) => {}
        }
    }
}

async fn report(connection: &Arc<Connection>, change: Change<'_>) {
    let (name, protocol) = (change.name(), Protocol::Json);
    let cancel = &CallCancel::default();
    let event = Event { category: CONNECTIONS, name, protocol, is_invoke: false, cancel };
    let refreshed = connection.refreshed_facts();
    let facts = refreshed.as_ref().unwrap_or(&connection.facts);
    let seen = connection.peer.as_ref().map(|peer| peer.recorder.reported(peer, name));
    let _ = perform(connection, event, seen.as_ref(), |upstream, request_id, _| {
        let event = ClientEvent { connection: facts, request_id, change };
        async move { upstream.event(event).await.map(Answer::Response) }
    })
    .await;
}

/// What the client of an `invoke` receives.
#[derive(Debug, PartialEq, Eq)]
enum Body {
    /// The completion of the call.
    Completion(Bytes),
    /// The body of a response. Empty bytes mean a completion without a value.
    Unchecked(Bytes),
}

/// The bytes to send to the client, or an error text.
fn interpret(answer: Result<Answer, UpstreamError>, limit: usize) -> Result<Body, String> {
    match answer {
        Ok(answer) if answer.shown().1.len() > limit && answer.shown().0 == StatusCode::OK => {
            Err(too_large())
        }
        Ok(Answer::Completion(framed)) => Ok(Body::Completion(framed)),
        Ok(Answer::Response(answer)) => match answer.status() {
            StatusCode::NO_CONTENT => Ok(Body::Unchecked(Bytes::new())),
            StatusCode::OK => Ok(Body::Unchecked(answer.into_body())),
            status => Err(failed(status)),
        },
        Err(UpstreamError::TooLarge) => Err(too_large()),
        Err(UpstreamError::Cancelled) => Err("Invocation failed, response cancelled.".to_owned()),
        Err(UpstreamError::Body(error)) => Err(format!("Invocation failed, error: {error}.")),
        Err(UpstreamError::NoTemplate) => Err(NO_TEMPLATE.to_owned()),
        Err(UpstreamError::Name(error)) => Err(error.to_string()),
        Err(UpstreamError::Unreachable(_) | UpstreamError::TimedOut) => {
            Err(failed(StatusCode::INTERNAL_SERVER_ERROR))
        }
    }
}

fn too_large() -> String {
    "Invocation failed, response too large.".to_owned()
}

fn failed(status: StatusCode) -> String {
    format!("Invocation failed, status code {}", status.as_u16())
}

/// Calls the upstream with the id of the request, and logs the result.
async fn perform<'a, F>(
    connection: &'a Arc<Connection>,
    event: Event<'_>,
    seen: Option<&Arc<Conversation>>,
    call: impl FnOnce(&'a dyn Upstream, u64, Instant) -> F,
) -> Result<Answer, UpstreamError>
where
    F: Future<Output = Result<Answer, UpstreamError>>,
{
    let shared = &connection.shared;
    let upstream = shared.upstream.as_deref();
    let Event { category, name, protocol, is_invoke, cancel } = event;
    let mut running = None;
    let began = Instant::now();
    let answer = match upstream {
        None => Err(UpstreamError::NoTemplate),
        Some(upstream) => {
            let id = shared.upstream_requests.fetch_add(1, Ordering::Relaxed);
            running = seen.map(|of| begin(of, upstream, category, name, id));
            // A panic of an in-process upstream must not stop the connection's later calls.
            let calling =
                AssertUnwindSafe(async { call(upstream, id, began).await }).catch_unwind();
            let panicked = |_| Err(UpstreamError::Unreachable("the upstream panicked".into()));
            calling.await.unwrap_or_else(panicked)
        }
    };
    if cancel.ends_request() && answer.is_err() {
        let (connection, hub) = (connection.id(), connection.hub.name());
        let event = name;
        tracing::debug!(
            connection,
            hub,
            event,
            milliseconds = began.elapsed().as_millis(),
            "ended the request of a cancelled call"
        );
        if let (Some(of), Some(running)) = (seen, running) {
            let trouble = Trouble { cause: None, text: CANCELLED.into() };
            of.peer.recorder.answered(running, None, began.elapsed(), Some(trouble));
        }
        return answer;
    }
    let (limit, hub) = (&connection.shared.log, connection.hub.name());
    let connection = connection.id();
    let content_type = protocol.content_type();
    let event = name;
    let record = CallRecord { connection, hub, category, event, content_type, is_invoke, began };
    let shown = answer.as_ref().map(Answer::shown);
    if let Some(of) = seen {
        let trouble = explain::trouble(record, upstream, shown.map(|it| it.0));
        let running = running.unwrap_or_else(|| RunningCall::of_no_app(of));
        let shown = shown.ok().map(|(status, body)| (status.as_u16(), body));
        of.peer.recorder.answered(running, shown, began.elapsed(), trouble);
    }
    explain::log(limit, record, upstream, shown);
    answer
}

/// Records that the app is called.
fn begin(
    of: &Arc<Conversation>,
    upstream: &dyn Upstream,
    category: &str,
    event: &str,
    id: u64,
) -> RunningCall {
    let address = match upstream.is_in_process() {
        true => Some(Address::InProcess),
        false => {
            upstream.address(&of.peer.hub, category, event).map(|url| Address::Url(url.into()))
        }
    };
    of.peer.recorder.calls_app(of, id, address)
}

/// Records what the client of an `invoke` receives.
fn finished(seen: Option<&Arc<Conversation>>, with: impl FnOnce() -> Finished) {
    if let Some(of) = seen {
        of.peer.recorder.finished(of, with());
    }
}

/// Runs a call of the client again for the inspector. The client receives nothing. Returns the number of the new call, or
/// `None` without an upstream.
pub(crate) async fn run_again(
    connection: &Arc<Connection>,
    of: &Conversation,
    arguments: Bytes,
) -> Option<u64> {
    connection.shared.upstream.as_ref()?;
    let (peer, protocol, target) = (&of.peer, of.protocol, of.method());
    let _permit = connection.shared.upstream_calls.get(arguments.len()).await;
    // No invocation of a client has this id.
    let id = of.invocation_id().map(|id| format!("{id}-again-{}", random::Id::random().text()));
    let invocation_id = id.as_deref();
    let (names, origin) = ((invocation_id, target), Origin::Again(of.call));
    let again = peer.recorder.invoked(peer, origin, protocol, names, &arguments, false);
    let is_invoke = invocation_id.is_some();
    let cancel = &CallCancel::default();
    let event = Event { category: MESSAGES, name: target, protocol, is_invoke, cancel };
    let refreshed = connection.refreshed_facts();
    let facts = refreshed.as_ref().unwrap_or(&connection.facts);
    let _ = perform(connection, event, Some(&again), |upstream, request_id, began| {
        upstream.message(ClientCall {
            connection: facts,
            protocol,
            request_id,
            began,
            invocation_id,
            target,
            arguments,
            trace: None,
            cancel,
        })
    })
    .await;
    Some(again.call)
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    fn answer(status: u16, body: &'static str) -> Result<Bytes, String> {
        let response = Response::builder().status(status).body(Bytes::from_static(body.as_bytes()));
        match interpret(Ok(Answer::Response(response.unwrap())), 5)? {
            Body::Unchecked(body) => Ok(body),
            Body::Completion(framed) => Err(format!("a completion: {framed:?}")),
        }
    }

    #[test]
    fn a_completion_of_this_process_passes_unless_it_is_too_large() {
        let completion = |framed| interpret(Ok(Answer::Completion(Bytes::from_static(framed))), 5);

        assert_eq!(completion(b"12345"), Ok(Body::Completion(Bytes::from_static(b"12345"))));
        assert_eq!(completion(b"123456"), Err(too_large()));
    }

    #[test]
    fn answers_follow_the_table() {
        assert_eq!(answer(200, "bytes"), Ok(Bytes::from_static(b"bytes")));
        assert_eq!(answer(200, ""), Ok(Bytes::new()));
        assert_eq!(answer(204, "x"), Ok(Bytes::new()));
        assert_eq!(answer(200, "123456"), Err(too_large()));
        for status in [201, 202, 301, 400, 401, 404, 500, 503] {
            let text = format!("Invocation failed, status code {status}");
            assert_eq!(answer(status, "x"), Err(text));
        }
    }

    #[test]
    fn failures_follow_the_table() {
        let interpret = |error| interpret(Err(error), 5).unwrap_err();
        let status = "Invocation failed, status code 500";

        assert_eq!(interpret(UpstreamError::Unreachable("x".into())), status);
        assert_eq!(interpret(UpstreamError::TimedOut), status);
        assert_eq!(interpret(UpstreamError::NoTemplate), NO_TEMPLATE);
        assert_eq!(interpret(UpstreamError::TooLarge), "Invocation failed, response too large.");
        assert_eq!(interpret(UpstreamError::Cancelled), "Invocation failed, response cancelled.");
        assert_eq!(interpret(UpstreamError::Body("x".into())), "Invocation failed, error: x.");
    }
}
