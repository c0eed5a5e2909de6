//! Requests of the HTTP transports: Server-Sent Events and long polling.

use std::sync::Arc;

use http::{HeaderMap, Response, StatusCode, header::CONTENT_LENGTH};
use hub_net::body::{BodyLimits, ReadError, UnreadBody};
use tokio::time::timeout;

use super::{
    admission::{self, Admission, AdmissionError, ClientRequest, Principal, Session},
    inbox::PostError,
    long_polling::{self, PollSink, PollSource, Polls},
    negotiations::{OpenTransport, TokenState},
    server_sent_events,
};
use crate::{
    body::{self, Body},
    causes::Cause,
    connection::life,
    socket_control::SocketControl,
    state::State,
};

/// Maximum size in bytes of a body before the first GET. Until the first GET, the inbox is not read, and a
/// client sends little more than its handshake.
const MAX_EARLY_BODY_BYTES: usize = 4 * 1024;
const NO_POSTS: &str = "POST requests are not allowed for WebSocket connections.";
const NO_DELETE: &str = "Cannot terminate this connection using the DELETE endpoint.";

/// The session of the `id` in the query. The `id` is required.
fn named(
    state: &State,
    request: ClientRequest<'_>,
    principal: &Principal,
) -> Result<Session, AdmissionError> {
    admission::find(state, request, principal)?.ok_or_else(|| invalid("Connection ID required"))
}

fn invalid(text: &str) -> AdmissionError {
    AdmissionError::new(StatusCode::BAD_REQUEST, Cause::InvalidClient, text)
}

/// `GET` for events: opens the connection.
pub(super) fn events(
    state: &Arc<State>,
    request: ClientRequest<'_>,
    principal: Principal,
    socket: Option<SocketControl>,
) -> Result<Response<Body>, AdmissionError> {
    let session = named(state, request, &principal)?;
    match &session.state {
        TokenState::Pending => {}
        TokenState::Open(OpenTransport::ServerSentEvents(_)) => {
            return Err(AdmissionError::in_use());
        }
        TokenState::Open(OpenTransport::WebSocket(_) | OpenTransport::LongPolling(_)) => {
            return Err(AdmissionError::transport_changed());
        }
        TokenState::Ended => return Err(AdmissionError::gone()),
    }
    let inbox = state.negotiations.lock().inbox(session.token).ok_or_else(AdmissionError::gone)?;
    let open = OpenTransport::ServerSentEvents(Arc::clone(&inbox));
    let admission = admission::admit(state, request, principal, session, open)?;
    let (response, source, sink) = server_sent_events::open(inbox);
    let (gone, limit) = (source.gone(), state.shared.limits.close_timeout);
    // The outbox bounds pending messages, so the stall timeout of the socket is suspended.
    socket.iter().for_each(SocketControl::suspend_stall_timeout);
    state.shared.tasks.spawn(async move {
        let (connection, lease) = admission.open();
        {
            let (mut source, mut sink) = (source, sink);
            life::run(connection, &mut source, &mut sink).await;
        }
        drop(lease);
        // If the client does not read, the rest of the response would stay in memory.
        if timeout(limit, gone.cancelled()).await.is_err()
            && let Some(socket) = socket
        {
            socket.close();
        }
    });
    Ok(response)
}

/// `GET` of long polling: waits for messages. The first `GET` opens the connection.
pub(super) async fn poll(
    state: &Arc<State>,
    request: ClientRequest<'_>,
    principal: Principal,
) -> Result<Response<Body>, AdmissionError> {
    let session = named(state, request, &principal)?;
    let polls = match &session.state {
        TokenState::Pending => None,
        TokenState::Open(OpenTransport::LongPolling(polls)) => Some(Arc::clone(polls)),
        TokenState::Open(OpenTransport::WebSocket(_) | OpenTransport::ServerSentEvents(_)) => {
            return Err(AdmissionError::transport_changed());
        }
        TokenState::Ended => {
            state.negotiations.lock().forget(session.token);
            return Ok(long_polling::no_content());
        }
    };
    if let Some(polls) = polls {
        return Ok(polls.poll(state.shared.limits.poll_timeout).await);
    }
    let inbox = state.negotiations.lock().inbox(session.token).ok_or_else(AdmissionError::gone)?;
    let polls = Arc::new(Polls::new(inbox));
    let open = OpenTransport::LongPolling(Arc::clone(&polls));
    let admission = admission::admit(state, request, principal, session, open)?;
    start_polling(state, admission, polls);
    Ok(long_polling::started())
}

fn start_polling(state: &Arc<State>, admission: Admission, polls: Arc<Polls>) {
    let mut source =
        PollSource { polls: Arc::clone(&polls), gap: state.shared.limits.poll_gap_timeout };
    state.shared.tasks.spawn(async move {
        let (connection, lease) = admission.open();
        life::run(connection, &mut source, &mut PollSink(polls)).await;
        drop(lease);
    });
}

/// `POST`: bytes from the client. The response is sent when the bytes are queued.
pub(super) async fn post(
    state: &Arc<State>,
    request: ClientRequest<'_>,
    principal: &Principal,
    headers: &HeaderMap,
    body: UnreadBody,
) -> Result<Response<Body>, AdmissionError> {
    let session = named(state, request, principal)?;
    match &session.state {
        TokenState::Pending
        | TokenState::Open(OpenTransport::ServerSentEvents(_) | OpenTransport::LongPolling(_)) => {}
        TokenState::Open(OpenTransport::WebSocket(_)) => {
            return Err(AdmissionError::method("GET, OPTIONS", NO_POSTS));
        }
        TokenState::Ended => return Ok(posted()),
    }
    let inbox = state.negotiations.lock().inbox(session.token).ok_or_else(AdmissionError::gone)?;
    let size = match session.state {
        TokenState::Pending => state.shared.limits.max_post_bytes.min(MAX_EARLY_BODY_BYTES),
        TokenState::Open(_) | TokenState::Ended => state.shared.limits.max_post_bytes,
    };
    let timeout = state.shared.limits.request_body_timeout;
    let limits = BodyLimits { max_bytes: size, timeout };
    // A declared length above the limit is refused without waiting for earlier posts.
    let taken = if is_over(headers, size) {
        Err(PostError::Body(ReadError::TooLarge))
    } else {
        inbox.take(body, limits).await
    };
    match taken {
        Ok(()) => Ok(posted()),
        Err(PostError::Body(ReadError::TooLarge)) => {
            let text = match session.state {
                TokenState::Pending => {
                    format!("the body has more than {size} bytes, the limit before the first GET")
                }
                TokenState::Open(_) | TokenState::Ended => {
                    inbox.exceed(size);
                    format!("the body has more than {size} bytes; the connection ends")
                }
            };
            Err(AdmissionError::new(StatusCode::PAYLOAD_TOO_LARGE, Cause::LargePost, text))
        }
        Err(PostError::Body(ReadError::TimedOut)) => {
            let text = "the body did not arrive in time";
            Err(AdmissionError::new(StatusCode::REQUEST_TIMEOUT, Cause::LargePost, text))
        }
        Err(PostError::Body(ReadError::Aborted(_))) => Err(invalid("")),
        Err(PostError::Closed) => match named(state, request, principal)?.state {
            TokenState::Ended => Ok(posted()),
            TokenState::Pending | TokenState::Open(_) => Err(AdmissionError::gone()),
        },
    }
}

/// The response to a post. A client of long polling gets it until it has received the end of its connection: as
/// with ASP.NET Core, its last messages are no errors.
fn posted() -> Response<Body> {
    body::plain(StatusCode::OK, "")
}

fn is_over(headers: &HeaderMap, limit: usize) -> bool {
    let declared = headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok());
    declared.is_some_and(|length: u64| length > limit as u64)
}

/// `DELETE`: a long polling client closes the connection.
pub(super) fn delete(
    state: &State,
    request: ClientRequest<'_>,
    principal: &Principal,
) -> Result<Response<Body>, AdmissionError> {
    match named(state, request, principal)?.state {
        TokenState::Open(OpenTransport::LongPolling(polls)) => {
            polls.leave();
            Ok(body::plain(StatusCode::ACCEPTED, ""))
        }
        TokenState::Pending
        | TokenState::Open(OpenTransport::WebSocket(_) | OpenTransport::ServerSentEvents(_)) => {
            Err(invalid(NO_DELETE))
        }
        // The client has not received the end of the connection yet.
        TokenState::Ended => Ok(body::plain(StatusCode::ACCEPTED, "")),
    }
}
