//! Negotiation: which clients may connect, as which user and with which claims.

pub(crate) mod cors;
pub(crate) mod issue;
pub(crate) mod limit;
pub(crate) mod refresh;

#[doc(inline)]
pub use hub_core::{
    AppServiceUser, NegotiateRequest, Negotiation, RefreshRequest,
    token::{TokenError, TokenKeyError, TokenVerifier},
};

pub use self::{
    issue::{ConnectionInfo, NegotiateError},
    limit::NegotiateLimit,
};
pub use crate::client_address::ClientAddress;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header, request::Parts};
use hub_core::{ErrorKind, HubError, Query, client_access::MAX_TOKEN_CHARS, panics::catching};
use hub_net::log_limit::shown;
use serde::Serialize;
use tracing::Instrument;

use self::{
    issue::{Failure, checked, issue},
    limit::Limiter,
};
use crate::{
    answer::{self, Refusal, empty, text},
    client_address,
    endpoints::ClientTokenError,
    error_id::ErrorId,
    shared::{Inner, Mount},
    telemetry::{self, Stopwatch},
};

/// Handles a negotiate request or its preflight. `hub` is the name in the path, if there is one. The future
/// ends when the client hangs up, unlike that of a hub method: anyone can send such requests, and without a
/// client the result is of no use.
pub(crate) async fn handle(app: Arc<Inner>, parts: Parts, hub: Option<&str>) -> Response<Bytes> {
    let _running = app.tasks.token();
    respond(&app, parts, hub).await
}

async fn respond(app: &Inner, parts: Parts, hub: Option<&str>) -> Response<Bytes> {
    let cors = &app.negotiate.cors;
    if parts.method == http::Method::OPTIONS {
        return with_headers(
            empty(StatusCode::NO_CONTENT),
            cors.preflight_headers(&parts.headers, &app.log),
        );
    }
    let cors = cors.headers(&parts.headers);
    let found = match hub {
        Some(name) => app.hubs.find(name),
        None => app.hubs.single(),
    };
    let name = found.as_ref().map(|mount| Arc::clone(&mount.wire_name));
    let name = name.unwrap_or_else(|| telemetry::UNKNOWN.into());
    let (watch, span) = (Stopwatch::start(), telemetry::negotiate_span(&name));
    let redirect = redirect(app, parts, hub, found).instrument(span.clone()).await;
    let response = redirect.unwrap_or_else(|refusal| *refusal);
    let outcome = telemetry::negotiate_outcome(response.status());
    span.record("outcome", outcome);
    telemetry::negotiate_ended(&name, outcome, watch);
    // Also for refusals: otherwise the browser hides status and text from the page.
    with_headers(response, cors)
}

async fn redirect(
    app: &Inner,
    parts: Parts,
    hub: Option<&str>,
    found: Option<Arc<Mount>>,
) -> Result<Response<Bytes>, Refusal> {
    let (limit, now) = (app.negotiate.limit.as_ref(), app.clock.elapsed());
    if let Some(wait) = limit.and_then(|limit| limit.admit(&parts, now).err()) {
        return Err(Box::new(too_often(wait)));
    }
    if app.is_closing() {
        return Err(refuse(StatusCode::SERVICE_UNAVAILABLE, "The app is shutting down"));
    }
    let mount = found.ok_or_else(|| {
        let (hub, known) = (hub.map(shown), app.hubs.names());
        app.log.line("unknown hub", |omitted| {
            tracing::warn!(hub = hub.as_deref(), ?known, omitted, "negotiate for an unknown hub");
        });
        refuse(StatusCode::NOT_FOUND, "There is no such hub")
    })?;
    let request = request(app, parts);
    // The request is needed again only to choose between several endpoints.
    let asked = (mount.group.endpoints.all.len() > 1).then(|| request.clone());
    let judged = Arc::clone(&mount.hub)
        .negotiate(request)
        .ok_or_else(|| refuse(StatusCode::NOT_FOUND, "This hub has no `negotiate`"))?;
    let judged = catching(judged).await.and_then(checked);
    app.counts.count(&judged);
    let negotiation = judged.map_err(|error| refusal(app, &error))?;
    let info = issue(app, &mount, &negotiation, asked.as_ref()).await;
    let info = info.map_err(|failure| match failure {
        Failure::NoEndpoint => without_endpoint(app, &mount.wire_name),
        Failure::Token(error) => without_token(app, error),
        Failure::TooLong(length) => too_long(app, &negotiation, length),
    })?;
    let answer = NegotiateAnswer {
        info: &info,
        token_lifetime_seconds: mount.hub.refreshes().then(|| lifetime_seconds(&negotiation)),
    };
    let body =
        serde_json::to_vec(&answer).map_err(|error| refusal(app, &HubError::internal(error)))?;
    let mut answer = Response::new(body.into());
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// The redirect to the service.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NegotiateAnswer<'a> {
    #[serde(flatten)]
    info: &'a ConnectionInfo,
    /// Clients that read it send requests to refresh, so it is absent if the hub has no `refresh`.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_lifetime_seconds: Option<u64>,
}

/// 24 days. Timers of browsers cannot be longer than 2,147,483,647 milliseconds, and end at once otherwise.
const MAX_LIFETIME_SECONDS: u64 = 24 * 24 * 60 * 60;

/// The lifetime of a client's token. Clients read a 32-bit integer, and ignore zero.
fn lifetime_seconds(negotiation: &Negotiation) -> u64 {
    negotiation.token_lifetime().as_secs().clamp(1, MAX_LIFETIME_SECONDS)
}

fn request(app: &Inner, parts: Parts) -> NegotiateRequest {
    let options = &app.negotiate;
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let principal = |name: &header::HeaderName| name.as_str().starts_with("x-ms-client-principal");
    let claimed = parts.headers.keys().any(principal);
    let proxies = options.limit.as_ref().map_or(0, Limiter::proxies);
    let address = client_address::of(&parts, proxies);
    let mut request =
        NegotiateRequest::new(parts.headers, query).received_at(app.clock.system_time());
    if let Some(address) = address {
        request = request.from_address(address);
    }
    if options.trust_app_service {
        return request.behind_app_service();
    }
    if claimed && !options.warned_app_service.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "ignored headers of App Service authentication, since any client can send them; to trust them, set WEBSITE_AUTH_ENABLED=true behind App Service, or call trust_app_service_headers() on the builder elsewhere"
        );
    }
    request
}

fn refusal(app: &Inner, error: &HubError) -> Refusal {
    let id = error.is_internal().then(ErrorId::random);
    let kind = if id.is_some() { "negotiate failed" } else { "negotiate refused" };
    app.log.line(kind, |omitted| answer::log(error, id.as_ref(), omitted));
    if let Some(id) = id {
        return refuse(StatusCode::INTERNAL_SERVER_ERROR, &answer::internal_text(&id));
    }
    let status = match error.kind() {
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Denied => StatusCode::FORBIDDEN,
        ErrorKind::Throttled => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::BAD_REQUEST,
    };
    let mut answer = text(status, error.text());
    if error.kind() == ErrorKind::Throttled {
        retry_after(&mut answer, error.wait_seconds().into());
    }
    Box::new(answer)
}

fn without_endpoint(app: &Inner, hub: &str) -> Refusal {
    app.log.line("no endpoint", |omitted| {
        tracing::error!(hub, omitted, "no endpoint of the service is available for this client");
    });
    let text = "No endpoint of the SignalR service is online; try again later";
    refuse(StatusCode::SERVICE_UNAVAILABLE, text)
}

/// The response to a client for which there is no token. It may try again, unless the settings are wrong.
fn without_token(app: &Inner, error: ClientTokenError) -> Refusal {
    match error {
        ClientTokenError::Sign(_) | ClientTokenError::Role(_) => {
            return refusal(app, &HubError::internal(error));
        }
        // Logged once for all clients.
        ClientTokenError::NoKey(_) => {}
        ClientTokenError::Service(_) | ClientTokenError::TimedOut => {
            let error = HubError::internal(error).chain();
            app.log.line("client token", |omitted| {
                tracing::error!(error, omitted, "cannot make a client token");
            });
        }
    }
    let text = "The app cannot sign in to the SignalR service; try again later";
    refuse(StatusCode::SERVICE_UNAVAILABLE, text)
}

/// The response to a client above the rate limit. `Retry-After` is in whole seconds.
fn too_often(wait: Duration) -> Response<Bytes> {
    // At debug level, so that a flood of requests does not flood the log.
    tracing::debug!(?wait, "negotiate above the rate limit");
    let mut answer =
        text(StatusCode::TOO_MANY_REQUESTS, "Too many attempts to connect; try again later");
    retry_after(&mut answer, whole_seconds(wait));
    answer
}

/// A time in whole seconds, rounded up.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0))
}

fn retry_after(answer: &mut Response<Bytes>, seconds: u64) {
    let headers = answer.headers_mut();
    headers.insert(header::RETRY_AFTER, seconds.into());
    // Otherwise scripts of the page cannot read the header.
    let exposed = HeaderValue::from_static("Retry-After");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
}

fn too_long(app: &Inner, negotiation: &Negotiation, length: usize) -> Refusal {
    let claims = negotiation.claims();
    let mut sizes: Vec<_> =
        claims.iter().map(|(name, value)| (name.len() + value.len(), name)).collect();
    sizes.sort_unstable_by(|left, right| right.cmp(left));
    sizes.truncate(3);
    app.log.line("token too long", |omitted| {
        tracing::error!(
            length,
            limit = MAX_TOKEN_CHARS,
            largest = ?sizes,
            omitted,
            "the client token is too long for the service: use fewer or shorter claims"
        );
    });
    refuse(StatusCode::PAYLOAD_TOO_LARGE, &too_long_text(length))
}

fn too_long_text(length: usize) -> String {
    format!(
        "The token would have {length} characters, and the service accepts {MAX_TOKEN_CHARS}; use fewer or shorter claims"
    )
}

fn refuse(status: StatusCode, shown: &str) -> Refusal {
    Box::new(text(status, shown))
}

fn with_headers(mut answer: Response<Bytes>, headers: HeaderMap) -> Response<Bytes> {
    answer.headers_mut().extend(headers);
    answer
}
