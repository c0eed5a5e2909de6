//! `/client`, `/client/` and `/client/negotiate`.

use std::sync::Arc;

use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header::ACCEPT, request::Parts};
use hyper::upgrade::OnUpgrade;

use super::{
    Transport,
    admission::{self, Asked, Refused},
    cors, http_requests,
    memory::{self, MemoryConnection},
    negotiate,
    negotiations::Open,
    websocket::{self, upgrade},
};
use crate::{
    auth,
    body::{self, Body, RequestBody},
    connection,
    descriptors::{Crowded, NO_ROOM},
    query::Query,
    serve::HangUp,
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

/// Answers a client's request.
pub(crate) async fn respond(
    state: &Arc<State>,
    route: ClientRoute,
    parts: Parts,
    body: RequestBody,
) -> Response<Body> {
    let headers = parts.headers.clone();
    let mut response = if cors::is_preflight(&parts.method) {
        cors::preflight(&headers)
    } else {
        let answer = match route {
            _ if parts.extensions.get::<Crowded>().is_some() => {
                Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, NO_ROOM))
            }
            ClientRoute::Negotiate => negotiate(state, &parts),
            ClientRoute::Connect => connect(state, parts, body).await,
        };
        answer.unwrap_or_else(|refused| refusal(&refused))
    };
    cors::allow(&headers, &mut response);
    response
}

fn refusal(refused: &Refused) -> Response<Body> {
    tracing::debug!(status = refused.status.as_u16(), reason = refused.text, "client refused");
    body::plain(refused.status, refused.text.clone())
}

fn negotiate(state: &Arc<State>, parts: &Parts) -> Result<Response<Body>, Refused> {
    if parts.method != Method::POST {
        return Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, ""));
    }
    let query = Query::new(parts.uri.query());
    let token = auth::bearer(&parts.headers).flatten();
    let asked = Asked { query, token, host: auth::host(parts) };
    let guest = admission::authenticate(state, asked)?;
    admission::check_open(state)?;
    Ok(negotiate::answer(state, query, guest.hub, guest.identity.user))
}

async fn connect(
    state: &Arc<State>,
    mut parts: Parts,
    body: RequestBody,
) -> Result<Response<Body>, Refused> {
    let hang_up = parts.extensions.get::<HangUp>().cloned();
    let upgrading = upgrading(&mut parts);
    let is_get = parts.method == Method::GET;
    let is_upgrade = is_get && upgrade::is_asked(&parts.headers);
    let is_events = is_get && wants_events(&parts.headers);
    let query = Query::new(parts.uri.query());
    let in_query = query.all("access_token").last();
    let token = match auth::bearer(&parts.headers) {
        Some(token) => token,
        None => in_query.as_deref().filter(|_| is_upgrade || is_events),
    };
    let asked = Asked { query, token, host: auth::host(&parts) };
    let guest = admission::authenticate(state, asked)?;
    match parts.method {
        Method::POST => http_requests::post(state, asked, &guest, &parts.headers, body).await,
        Method::GET if is_events => http_requests::events(state, asked, guest, hang_up),
        Method::GET if is_upgrade => {
            // What waits for a WebSocket is bounded by its outbox.
            hang_up.iter().for_each(HangUp::unhurried);
            websocket::connect::connect(state, asked, guest, &parts.headers, upgrading)
        }
        Method::GET => http_requests::poll(state, asked, guest).await,
        Method::DELETE => http_requests::delete(state, asked, &guest),
        _ => Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, "")),
    }
}

/// The stream that the request becomes when it is answered with 101.
fn upgrading(parts: &mut Parts) -> OnUpgrade {
    let mut request = Request::new(());
    *request.extensions_mut() = std::mem::take(&mut parts.extensions);
    hyper::upgrade::on(request)
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
    let guest = admission::authenticate(state, asked)?;
    let admission = match admission::find(state, asked, &guest)? {
        Some(known) => admission::admit(state, asked, guest, known, Open::WebSocket(None))?,
        None => admission::admit_directly(state, asked, guest, Transport::Memory)?,
    };
    let (client, mut source, mut sink) = memory::pipe();
    state.tasks.spawn(async move {
        let (connection, place) = admission.open();
        connection::run(connection, &mut source, &mut sink).await;
        drop(place);
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
