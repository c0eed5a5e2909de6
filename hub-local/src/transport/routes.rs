//! `/client`, `/client/` and `/client/negotiate`.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
    header::{ACCEPT, ALLOW, ORIGIN},
    request::Parts,
};
use hyper::upgrade::OnUpgrade;

use super::{
    admission::{self, AdmissionError, ClientRequest},
    cors, http_requests,
    memory::{self, MemoryConnection},
    negotiate,
    negotiations::OpenTransport,
    websocket::{self, upgrade},
};
use hub_net::{body::UnreadBody, log_limit::shown};

use crate::{
    auth,
    body::{self, Body},
    causes::Cause,
    connection::{life, link::Transport},
    descriptors::LowDescriptors,
    inspect::{Matter, Subject, Trouble},
    query::Query,
    socket_control::SocketControl,
    state::State,
};

/// The client routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientRoute {
    Negotiate,
    Connect,
}

impl ClientRoute {
    pub(crate) fn of(path: &str) -> Option<Self> {
        match path {
            "/client" | "/client/" => Some(Self::Connect),
            "/client/negotiate" | "/client/negotiate/" => Some(Self::Negotiate),
            _ => None,
        }
    }
}

/// Responds to a client request.
pub(crate) async fn respond(
    state: &Arc<State>,
    route: ClientRoute,
    parts: Parts,
    body: UnreadBody,
) -> Response<Body> {
    let origin = parts.headers.get(ORIGIN).cloned();
    let seen = state.shared.recorder.is_some().then(|| parts.uri.clone());
    let mut response = if cors::is_preflight(&parts.method) {
        cors::preflight(&parts.headers)
    } else {
        let answer = match route {
            _ if parts.extensions.get::<LowDescriptors>().is_some() => {
                Err(AdmissionError::of(StatusCode::SERVICE_UNAVAILABLE, Cause::NoDescriptors))
            }
            ClientRoute::Negotiate => negotiate(state, &parts),
            ClientRoute::Connect => connect(state, parts, body).await,
        };
        answer.unwrap_or_else(|refused| {
            if let Some(uri) = &seen {
                record(state, route, uri, &refused);
            }
            refusal(state, &refused)
        })
    };
    cors::allow(origin, &mut response);
    response
}

/// Records a refused request of a client for the inspector.
fn record(state: &State, route: ClientRoute, uri: &Uri, refused: &AdmissionError) {
    let AdmissionError { status, cause, text, .. } = refused;
    let Some(recorder) = &state.shared.recorder else { return };
    // The last request of a client whose connection has ended.
    if *cause == Cause::UnknownConnection && text.is_empty() {
        return;
    }
    let hub = Query::new(uri.query()).first("hub").map(|hub| hub.to_ascii_lowercase().into());
    let matter = match route {
        _ if is_of_token(*cause) => Matter::Token,
        ClientRoute::Negotiate => Matter::Negotiate,
        ClientRoute::Connect => Matter::Connect,
    };
    let text = if text.is_empty() { cause.text() } else { text };
    let trouble = Trouble { cause: Some(*cause), text: text.into() };
    let subject = Subject { hub, ..Subject::default() };
    recorder.refused(subject, matter, Some(status.as_u16()), trouble);
}

fn is_of_token(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::NoToken
            | Cause::LongToken
            | Cause::InvalidToken
            | Cause::WrongKey
            | Cause::ExpiredToken
            | Cause::EarlyToken
            | Cause::WrongAudience
            | Cause::WrongUser
    )
}

fn refusal(state: &State, refused: &AdmissionError) -> Response<Body> {
    let AdmissionError { status, cause, text: reason, .. } = refused;
    let (status, check) = (status.as_u16(), cause.check());
    if is_mistake(*cause) {
        state.shared.log.line(cause.id(), |omitted| {
            tracing::warn!(
                status,
                reason = &*shown(reason),
                cause = cause.id(),
                check,
                omitted,
                "client refused"
            );
        });
    } else {
        tracing::debug!(status, reason, cause = cause.id(), check, "client refused");
    }
    let mut response = body::plain(refused.status, refused.text.clone());
    if let Some(allow) = refused.allow {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    }
    body::challenged(response)
}

/// Whether a client or the app that gave it its token must be changed. The other causes occur in normal use.
fn is_mistake(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::NoToken
            | Cause::LongToken
            | Cause::InvalidToken
            | Cause::WrongKey
            | Cause::EarlyToken
            | Cause::WrongAudience
            | Cause::WrongUser
            | Cause::InvalidClient
            | Cause::LostUpgrade
            | Cause::OldHttp
    )
}

fn negotiate(state: &Arc<State>, parts: &Parts) -> Result<Response<Body>, AdmissionError> {
    if parts.method != Method::POST {
        return Err(AdmissionError::method("OPTIONS, POST", ""));
    }
    let query = Query::new(parts.uri.query());
    let token = auth::bearer(&parts.headers).flatten();
    let request = ClientRequest { query, token };
    let principal = admission::authenticate(state, request)?;
    admission::check_open(state)?;
    Ok(negotiate::answer(state, query, principal.hub, principal.identity.user))
}

async fn connect(
    state: &Arc<State>,
    mut parts: Parts,
    body: UnreadBody,
) -> Result<Response<Body>, AdmissionError> {
    let socket = parts.extensions.get::<SocketControl>().cloned();
    let upgrading = upgrading(&mut parts);
    let is_get = parts.method == Method::GET;
    let is_upgrade = is_get && upgrade::is_asked(&parts.headers);
    if is_upgrade && parts.version < Version::HTTP_11 {
        return Err(AdmissionError::of(StatusCode::BAD_REQUEST, Cause::OldHttp));
    }
    if is_get && !is_upgrade && upgrade::is_lost(&parts.headers) {
        return Err(AdmissionError::of(StatusCode::BAD_REQUEST, Cause::LostUpgrade));
    }
    let is_events = is_get && wants_events(&parts.headers);
    let query = Query::new(parts.uri.query());
    let in_query = query.all("access_token").last();
    let token = match auth::bearer(&parts.headers) {
        Some(token) => token,
        None => in_query.as_deref().filter(|_| is_upgrade || is_events),
    };
    let request = ClientRequest { query, token };
    let principal = admission::authenticate(state, request)?;
    match parts.method {
        Method::POST => http_requests::post(state, request, &principal, &parts.headers, body).await,
        Method::GET if is_events => http_requests::events(state, request, principal, socket),
        Method::GET if is_upgrade => {
            // The outbox bounds pending messages, so the stall timeout of the socket is suspended.
            socket.iter().for_each(SocketControl::suspend_stall_timeout);
            websocket::connect::connect(state, request, principal, &parts.headers, upgrading)
        }
        Method::GET => http_requests::poll(state, request, principal).await,
        Method::DELETE => http_requests::delete(state, request, &principal),
        _ => Err(AdmissionError::method("DELETE, GET, OPTIONS, POST", "")),
    }
}

/// The stream of the request after the response with status 101.
pub(super) fn upgrading(parts: &mut Parts) -> OnUpgrade {
    let mut request = Request::new(());
    *request.extensions_mut() = std::mem::take(&mut parts.extensions);
    hyper::upgrade::on(request)
}

/// Opens an in-memory connection after the same checks as over a socket.
pub(crate) fn connect_memory(
    state: &Arc<State>,
    url: &Uri,
    token: &str,
) -> Result<MemoryConnection, AdmissionError> {
    let connected = open_memory(state, url, token);
    connected.inspect_err(|refused| record(state, ClientRoute::Connect, url, refused))
}

fn open_memory(
    state: &Arc<State>,
    url: &Uri,
    token: &str,
) -> Result<MemoryConnection, AdmissionError> {
    if ClientRoute::of(url.path()) != Some(ClientRoute::Connect) {
        let text = "the path must be /client/";
        return Err(AdmissionError::new(StatusCode::NOT_FOUND, Cause::InvalidClient, text));
    }
    let request = ClientRequest { query: Query::new(url.query()), token: Some(token) };
    let principal = admission::authenticate(state, request)?;
    let admission = match admission::find(state, request, &principal)? {
        Some(session) => {
            admission::admit(state, request, principal, session, OpenTransport::WebSocket(None))?
        }
        None => admission::admit_directly(state, request, principal, Transport::Memory)?,
    };
    let (client, mut source, mut sink) = memory::pipe();
    state.shared.tasks.spawn(async move {
        let (connection, lease) = admission.open();
        life::run(connection, &mut source, &mut sink).await;
        drop(lease);
    });
    Ok(client)
}

fn wants_events(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case("text/event-stream"))
}
