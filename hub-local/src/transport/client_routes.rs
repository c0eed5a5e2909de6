//! `/client`, `/client/` and `/client/negotiate`.

use std::sync::Arc;

use http::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    header::{ACCEPT, HOST},
    request::Parts,
};
use hyper_util::rt::TokioIo;

use super::{
    accept::{self, Admission, Asked, Refused},
    cors,
    memory::{self, MemoryConnection},
    negotiate,
    websocket::{WebSocketSink, WebSocketSource, upgrade},
};
use crate::{
    body::{self, Body},
    connection,
    query::Query,
    state::State,
    token,
};

const NO_TRANSPORT: &str = "transport not supported by this end point type";

/// The client routes. Bodies do not matter here.
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

/// Answers a client's request.
pub(crate) fn respond(state: &Arc<State>, route: ClientRoute, parts: Parts) -> Response<Body> {
    let headers = parts.headers.clone();
    let mut response = if cors::is_preflight(&parts.method) {
        cors::preflight(&headers)
    } else {
        let answer = match route {
            ClientRoute::Negotiate => negotiate(state, &parts),
            ClientRoute::Connect => connect(state, parts),
        };
        answer.unwrap_or_else(|refused| refusal(&refused))
    };
    cors::allow(&headers, &mut response);
    response
}

fn refusal(refused: &Refused) -> Response<Body> {
    tracing::debug!(status = refused.status.as_u16(), reason = refused.text, "client refused");
    body::text(refused.status, refused.text.clone())
}

fn negotiate(state: &Arc<State>, parts: &Parts) -> Result<Response<Body>, Refused> {
    if parts.method != Method::POST {
        return Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, ""));
    }
    let query = Query::new(parts.uri.query());
    let token = token::bearer(&parts.headers).flatten();
    let asked = Asked { query, token, host: host(parts) };
    let guest = accept::authenticate(state, asked)?;
    Ok(negotiate::answer(state, query, guest.hub, guest.identity.user))
}

fn connect(state: &Arc<State>, parts: Parts) -> Result<Response<Body>, Refused> {
    let is_upgrade = parts.method == Method::GET && upgrade::is_asked(&parts.headers);
    let query = Query::new(parts.uri.query());
    let in_query = query.all("access_token").last();
    let accepts_query = is_upgrade || wants_events(&parts.headers);
    let token = match token::bearer(&parts.headers) {
        Some(token) => token,
        None => in_query.as_deref().filter(|_| accepts_query),
    };
    let asked = Asked { query, token, host: host(&parts) };
    let guest = accept::authenticate(state, asked)?;
    if !is_upgrade {
        return Err(not_there(&parts));
    }
    let response = match upgrade::switch(&parts.headers) {
        Ok(switching) => switching,
        Err(refusal) => return Ok(*refusal),
    };
    let admission = accept::admit(state, asked, guest)?;
    open_web_socket(state, admission, parts);
    Ok(response)
}

/// Transports that are not built yet.
fn not_there(parts: &Parts) -> Refused {
    let text = match parts.method {
        Method::GET if wants_events(&parts.headers) => format!("ServerSentEvents {NO_TRANSPORT}"),
        Method::GET | Method::POST | Method::DELETE => format!("LongPolling {NO_TRANSPORT}"),
        _ => return Refused::new(StatusCode::METHOD_NOT_ALLOWED, ""),
    };
    Refused::new(StatusCode::NOT_FOUND, text)
}

fn open_web_socket(state: &Arc<State>, admission: Admission, parts: Parts) {
    let upgrading = hyper::upgrade::on(Request::from_parts(parts, ()));
    state.tasks.spawn(async move {
        let (connection, ticket) = admission.open();
        match upgrading.await {
            Ok(stream) => {
                let (read, write) = tokio::io::split(TokioIo::new(stream));
                let source = WebSocketSource::new(read, Arc::clone(&connection));
                connection::run(connection, source, WebSocketSink::new(write)).await;
            }
            Err(error) => tracing::debug!(%error, "a client left before it was let in"),
        }
        drop(ticket);
    });
}

/// Opens a connection without a socket; the checks are the same.
pub(crate) fn connect_memory(
    state: &Arc<State>,
    url: &Uri,
    token: &str,
) -> Result<MemoryConnection, Refused> {
    if ClientRoute::of(url.path()) != Some(ClientRoute::Connect) {
        return Err(Refused::new(StatusCode::NOT_FOUND, "the path of a client is /client/"));
    }
    let host = url.authority().map(http::uri::Authority::as_str);
    let asked = Asked { query: Query::new(url.query()), token: Some(token), host };
    let guest = accept::authenticate(state, asked)?;
    let admission = accept::admit(state, asked, guest)?;
    let (client, source, sink) = memory::pipe();
    state.tasks.spawn(async move {
        let (connection, ticket) = admission.open();
        connection::run(connection, source, sink).await;
        drop(ticket);
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

/// The host that the client called.
pub(crate) fn host(parts: &Parts) -> Option<&str> {
    let named = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    parts.uri.authority().map(http::uri::Authority::as_str).or(named)
}
