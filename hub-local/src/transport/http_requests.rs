//! The requests of the transports that are HTTP: Server-Sent Events and long polling.

use std::sync::Arc;

use http::{HeaderMap, Response, StatusCode, header::CONTENT_LENGTH};
use tokio::time::timeout;

use super::{
    admission::{self, Admission, Asked, Guest, Known, Refused},
    inbox::Refusal,
    long_polling::{self, PollSink, PollSource, Polls},
    negotiations::{Found, Open},
    server_sent_events,
};
use crate::{
    body::{self, Body, Bounds, ReadError, RequestBody},
    connection,
    serve::HangUp,
    state::State,
    sync::lock,
};

/// The biggest body of a client that has not said how it will listen: nobody reads it yet, and it has
/// hardly more to say than its handshake.
const EARLY: usize = 4 * 1024;
const CHANGE: &str = "Cannot change transports mid-connection";
const NO_POSTS: &str = "POST requests are not allowed for WebSocket connections.";
const NO_DELETE: &str = "Cannot terminate this connection using the DELETE endpoint.";

/// The connection that a request names; it must name one.
fn named(state: &State, asked: Asked<'_>, guest: &Guest) -> Result<Known, Refused> {
    admission::find(state, asked, guest)?
        .ok_or_else(|| Refused::new(StatusCode::BAD_REQUEST, "Connection ID required"))
}

/// Another transport was used first.
pub(super) fn changed() -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, CHANGE)
}

fn gone() -> Refused {
    Refused::new(StatusCode::NOT_FOUND, "")
}

/// `GET` for events: opens the connection.
pub(super) fn events(
    state: &Arc<State>,
    asked: Asked<'_>,
    guest: Guest,
    hang_up: Option<HangUp>,
) -> Result<Response<Body>, Refused> {
    let known = named(state, asked, &guest)?;
    match &known.found {
        Found::Waiting => {}
        Found::Open(Open::ServerSentEvents(_)) => {
            return Err(Refused::new(StatusCode::CONFLICT, ""));
        }
        Found::Open(Open::WebSocket(_) | Open::LongPolling(_)) => return Err(changed()),
        Found::Over => return Err(gone()),
    }
    let inbox = lock(&state.negotiations).inbox(&known.token).ok_or_else(gone)?;
    let open = Open::ServerSentEvents(Arc::clone(&inbox));
    let admission = admission::admit(state, asked, guest, known, open)?;
    let (response, source, sink) = server_sent_events::open(inbox);
    let (gone, limit) = (source.gone(), state.limits.close_timeout);
    // What waits for the client is bounded by its outbox.
    hang_up.iter().for_each(HangUp::unhurried);
    state.tasks.spawn(async move {
        let (connection, place) = admission.open();
        {
            let (mut source, mut sink) = (source, sink);
            connection::run(connection, &mut source, &mut sink).await;
        }
        drop(place);
        // A client that does not read would keep the rest of its answer in memory.
        if timeout(limit, gone.cancelled()).await.is_err()
            && let Some(hang_up) = hang_up
        {
            hang_up.now();
        }
    });
    Ok(response)
}

/// `GET` that waits for messages. The first opens the connection.
pub(super) async fn poll(
    state: &Arc<State>,
    asked: Asked<'_>,
    guest: Guest,
) -> Result<Response<Body>, Refused> {
    let known = named(state, asked, &guest)?;
    let polls = match &known.found {
        Found::Waiting => None,
        Found::Open(Open::LongPolling(polls)) => Some(Arc::clone(polls)),
        Found::Open(Open::WebSocket(_) | Open::ServerSentEvents(_)) => return Err(changed()),
        Found::Over => {
            lock(&state.negotiations).forget(&known.token);
            return Ok(long_polling::no_content());
        }
    };
    if let Some(polls) = polls {
        return Ok(polls.poll(state.limits.poll_timeout).await);
    }
    let inbox = lock(&state.negotiations).inbox(&known.token).ok_or_else(gone)?;
    let polls = Arc::new(Polls::new(inbox));
    let open = Open::LongPolling(Arc::clone(&polls));
    let admission = admission::admit(state, asked, guest, known, open)?;
    start_polling(state, admission, polls);
    Ok(long_polling::started())
}

fn start_polling(state: &Arc<State>, admission: Admission, polls: Arc<Polls>) {
    let mut source = PollSource { polls: Arc::clone(&polls), gap: state.limits.poll_gap_timeout };
    state.tasks.spawn(async move {
        let (connection, place) = admission.open();
        connection::run(connection, &mut source, &mut PollSink(polls)).await;
        drop(place);
    });
}

/// `POST`: what the client sends. It is answered when the bytes are queued.
pub(super) async fn post(
    state: &Arc<State>,
    asked: Asked<'_>,
    guest: &Guest,
    headers: &HeaderMap,
    body: RequestBody,
) -> Result<Response<Body>, Refused> {
    let known = named(state, asked, guest)?;
    match &known.found {
        Found::Waiting | Found::Open(Open::ServerSentEvents(_) | Open::LongPolling(_)) => {}
        Found::Open(Open::WebSocket(_)) => {
            return Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, NO_POSTS));
        }
        Found::Over => return Err(gone()),
    }
    let inbox = lock(&state.negotiations).inbox(&known.token).ok_or_else(gone)?;
    let size = match known.found {
        Found::Waiting => state.limits.max_post_bytes.min(EARLY),
        Found::Open(_) | Found::Over => state.limits.max_post_bytes,
    };
    let bounds = Bounds { size, time: state.limits.request_body_timeout };
    // What is declared to be too big need not even be its turn.
    let taken = if is_over(headers, size) {
        Err(Refusal::Body(ReadError::TooLarge))
    } else {
        inbox.take(body, bounds).await
    };
    match taken {
        Ok(()) => Ok(body::plain(StatusCode::OK, "")),
        Err(Refusal::Body(ReadError::TooLarge)) => {
            let text = match known.found {
                Found::Waiting => format!("before the first GET a body has at most {size} bytes"),
                Found::Open(_) | Found::Over => format!("a body has at most {size} bytes"),
            };
            Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, text))
        }
        Err(Refusal::Body(ReadError::TooSlow)) => {
            Err(Refused::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"))
        }
        Err(Refusal::Body(ReadError::Aborted)) => Err(Refused::new(StatusCode::BAD_REQUEST, "")),
        Err(Refusal::Closed) => Err(gone()),
    }
}

fn is_over(headers: &HeaderMap, limit: usize) -> bool {
    let declared = headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok());
    declared.is_some_and(|length: u64| length > limit as u64)
}

/// `DELETE`: the client of long polling ends the connection.
pub(super) fn delete(
    state: &State,
    asked: Asked<'_>,
    guest: &Guest,
) -> Result<Response<Body>, Refused> {
    match named(state, asked, guest)?.found {
        Found::Open(Open::LongPolling(polls)) => {
            polls.leave();
            Ok(body::plain(StatusCode::ACCEPTED, ""))
        }
        Found::Waiting | Found::Open(Open::WebSocket(_) | Open::ServerSentEvents(_)) => {
            Err(Refused::new(StatusCode::BAD_REQUEST, NO_DELETE))
        }
        Found::Over => Err(gone()),
    }
}
