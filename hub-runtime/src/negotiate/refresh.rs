//! Refresh: a client gives an open connection new claims, and gets a new token.
//!
//! The request and the response are those of `Microsoft.AspNetCore.SignalR.Client` 11.0.0.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use hub_core::{
    Category, ErrorKind, HubError, Negotiation, Query, RefreshRequest, SendErrorKind,
    client_access::CONNECTION_TOKEN, panics::catching,
};
use serde::Serialize;
use tracing::{Instrument, instrument::WithSubscriber};

use super::{issue::checked, lifetime_seconds, retry_after, whole_seconds, with_headers};
use crate::{
    answer::{self, empty},
    endpoints::{ClientTokenError, RefreshFailure},
    error_id::ErrorId,
    shared::{Inner, Mount},
    telemetry,
    upstream::refreshed,
};

/// The methods of the route.
const ALLOWED: &str = "POST, OPTIONS";
/// Longer connection tokens are refused.
const MAX_CONNECTION_TOKEN_CHARS: usize = 1024;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefreshResponse<'a> {
    /// Without it, clients would go on with the token of the app at the service.
    access_token: &'a str,
    /// Without it, clients would not refresh again.
    token_lifetime_seconds: u64,
}

/// A refusal: the code that clients read, and a text for their developers.
struct Refused {
    status: StatusCode,
    code: &'static str,
    text: String,
    retry_after: Option<u64>,
}

impl Refused {
    fn new(status: StatusCode, code: &'static str, text: impl Into<String>) -> Self {
        Self { status, code, text: text.into(), retry_after: None }
    }

    fn disabled(text: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "refresh_disabled", text)
    }

    fn unavailable(text: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", text)
    }

    fn into_response(self) -> Response<Bytes> {
        #[derive(Serialize)]
        struct Body<'a> {
            error: &'a str,
            message: &'a str,
        }
        let Self { status, code, text, .. } = self;
        let mut response = json(&Body { error: code, message: &text });
        *response.status_mut() = status;
        if status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(ALLOWED));
        }
        if let Some(seconds) = self.retry_after {
            retry_after(&mut response, seconds);
        }
        response
    }
}

fn json(body: &impl Serialize) -> Response<Bytes> {
    // Serialising strings and numbers cannot fail.
    let mut response = Response::new(serde_json::to_vec(body).unwrap_or_default().into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Handles a request to refresh or its preflight. If the client disconnects, the hub's `refresh` ends, and
/// what follows it continues.
pub(crate) async fn handle(app: Arc<Inner>, parts: Parts, mount: Arc<Mount>) -> Response<Bytes> {
    let _running = app.tasks.token();
    let cors = &app.negotiate.cors;
    if parts.method == Method::OPTIONS {
        let headers = cors.preflight_headers(&parts.headers, &app.log);
        return with_headers(empty(StatusCode::NO_CONTENT), headers);
    }
    let headers = cors.headers(&parts.headers);
    let span = telemetry::refresh_span(&mount.wire_name);
    let refreshed = refresh(&app, parts, &mount).instrument(span.clone()).await;
    let response = refreshed.unwrap_or_else(Refused::into_response);
    let outcome = telemetry::negotiate_outcome(response.status());
    span.record("outcome", outcome);
    telemetry::refresh_ended(&mount.wire_name, outcome);
    with_headers(response, headers)
}

async fn refresh(
    app: &Arc<Inner>,
    mut parts: Parts,
    mount: &Arc<Mount>,
) -> Result<Response<Bytes>, Refused> {
    if parts.method != Method::POST {
        let text = "send the request to refresh with POST";
        return Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", text));
    }
    let (limit, now) = (app.negotiate.limit.as_ref(), app.clock.elapsed());
    if let Some(wait) = limit.and_then(|limit| limit.admit(&parts, now).err()) {
        tracing::debug!(?wait, "refresh above the rate limit");
        return Err(throttled("too many requests; try again later", whole_seconds(wait)));
    }
    if app.is_closing() {
        return Err(Refused::unavailable("the app is shutting down"));
    }
    if !mount.hub.refreshes() {
        return Err(Refused::disabled("this hub has no `refresh`"));
    }
    let connection_token = take_connection_token(&mut parts.headers)?;
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let request = RefreshRequest::new(super::request(app, parts));
    let judged = Arc::clone(&mount.hub).refresh(request);
    let judged = judged.ok_or_else(|| Refused::disabled("this hub has no `refresh`"))?;
    let judged = catching(judged).await.and_then(checked);
    let negotiation = judged.map_err(|error| refusal(app, &error))?;
    let applying = apply(Arc::clone(app), Arc::clone(mount), connection_token, negotiation, query);
    // A task, so that `on_refreshed` also runs for a client that disconnects after the service has the new claims.
    let applying = app.tasks.spawn(applying.in_current_span().with_current_subscriber());
    applying.await.unwrap_or_else(|error| Err(refusal(app, &HubError::internal(error))))
}

/// Refreshes the connection at the service, and reports it to the hub.
async fn apply(
    app: Arc<Inner>,
    mount: Arc<Mount>,
    connection_token: String,
    negotiation: Negotiation,
    query: Query,
) -> Result<Response<Bytes>, Refused> {
    let (hub, now) = (&mount.wire_name, app.clock.unix_seconds());
    let refreshed = mount.group.endpoints.refresh(hub, &connection_token, &negotiation, now).await;
    let refreshed = refreshed.map_err(|failure| failed(&app, &mount, failure))?;
    match &refreshed.connection_id {
        Some(id) if app.upstream.refused.contains(hub, id) => {
            return Err(failed(&app, &mount, RefreshFailure::NoConnection));
        }
        Some(id) => refreshed::report(&app, &mount, id, &negotiation, query).await,
        None if mount.hub.find(Category::Refreshed, "").is_some() => {
            app.log.line("refresh without an id", |omitted| {
                tracing::warn!(
                    hub = &**hub,
                    omitted,
                    "`on_refreshed` does not run: the service does not name the connection that it has refreshed"
                );
            });
        }
        None => {}
    }
    Ok(json(&RefreshResponse {
        access_token: &refreshed.access_token,
        token_lifetime_seconds: lifetime_seconds(&negotiation),
    }))
}

/// Removes the token from the headers. The query is not read: a token there would be in access logs.
fn take_connection_token(headers: &mut HeaderMap) -> Result<String, Refused> {
    let mut values = headers.get_all(CONNECTION_TOKEN).iter();
    let only = match (values.next(), values.next()) {
        (Some(only), None) => only.to_str().ok().map(str::to_owned),
        _ => None,
    };
    headers.remove(CONNECTION_TOKEN);
    let fits = |token: &String| !token.is_empty() && token.len() <= MAX_CONNECTION_TOKEN_CHARS;
    only.filter(fits).ok_or_else(|| {
        let text = "the request needs one header X-SignalR-Connection-Token with the token of the connection";
        Refused::new(StatusCode::BAD_REQUEST, "missing_connection_token", text)
    })
}

fn throttled(text: impl Into<String>, seconds: u64) -> Refused {
    let refused = Refused::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", text);
    Refused { retry_after: Some(seconds), ..refused }
}

/// The refusal for an error of the hub's `refresh`.
fn refusal(app: &Inner, error: &HubError) -> Refused {
    let id = error.is_internal().then(ErrorId::random);
    let kind = if id.is_some() { "refresh failed" } else { "refresh refused" };
    app.log.line(kind, |omitted| answer::log(error, id.as_ref(), omitted));
    if let Some(id) = id {
        let text = answer::internal_text(&id);
        return Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", text);
    }
    let text = error.text();
    match error.kind() {
        ErrorKind::Unauthenticated => Refused::new(StatusCode::UNAUTHORIZED, "invalid_token", text),
        ErrorKind::Denied => {
            Refused::new(StatusCode::FORBIDDEN, "permission_change_rejected", text)
        }
        ErrorKind::Throttled => throttled(text, error.wait_seconds().into()),
        _ => Refused::new(StatusCode::BAD_REQUEST, "invalid_request", text),
    }
}

/// The refusal for a connection that was not refreshed, as far as the app knows.
fn failed(app: &Inner, mount: &Mount, failure: RefreshFailure) -> Refused {
    match failure {
        RefreshFailure::NoConnection => {
            let text = "this hub has no open connection with this connection token";
            Refused::new(StatusCode::NOT_FOUND, "connection_not_found", text)
        }
        RefreshFailure::OtherUser => {
            let text =
                "the connection belongs to another user, and a refresh cannot change its user";
            Refused::new(StatusCode::FORBIDDEN, "permission_change_rejected", text)
        }
        RefreshFailure::Unsupported(endpoint) => {
            app.log.line("refresh unsupported", |omitted| {
                tracing::error!(
                    hub = &*mount.wire_name,
                    endpoint,
                    omitted,
                    "the SignalR service cannot refresh the authentication of connections: it does not have the operation POST /api/hubs/{{hub}}/connections/:refreshAuth; remove `refresh` from the hub, or use a service that has the operation"
                );
            });
            Refused::disabled("the SignalR service of this app cannot refresh connections")
        }
        RefreshFailure::TooLong(length) => {
            let text = super::too_long_text(length);
            app.log.line("token too long", |omitted| tracing::error!(length, omitted, "{text}"));
            Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "token_too_long", text)
        }
        RefreshFailure::Token(error @ (ClientTokenError::Sign(_) | ClientTokenError::Role(_))) => {
            refusal(app, &HubError::internal(error))
        }
        RefreshFailure::Token(error) => unavailable(app, "", &HubError::internal(error)),
        // A later attempt fails too: a missing role, a wrong key, a firewall.
        RefreshFailure::Service(_, error)
            if matches!(error.kind(), SendErrorKind::Credentials | SendErrorKind::Invalid) =>
        {
            refusal(app, &HubError::internal(error))
        }
        RefreshFailure::Service(endpoint, error) => {
            unavailable(app, &endpoint, &HubError::internal(error))
        }
    }
}

fn unavailable(app: &Inner, endpoint: &str, error: &HubError) -> Refused {
    let error = error.chain();
    app.log.line("refresh unavailable", |omitted| {
        tracing::error!(
            error,
            endpoint,
            omitted,
            "cannot refresh the authentication of a connection"
        );
    });
    Refused::unavailable("the SignalR service did not confirm the refresh; try again later")
}
