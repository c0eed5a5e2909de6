//! The checks of an upstream call before its body is read: caller, declared length, content type, route.

use std::sync::{Arc, atomic::Ordering};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use hub_core::{
    Category, HubError, Query, TraceContext, protocol::Protocol, upstream::CLIENT_QUERY,
};
use hub_net::log_limit::LogLimit;

use super::{
    caller::{Caller, CallerRules, ProofError, TokenCheck, TokenCheckFuture, VerifiedCache},
    completion::refuse,
    header_lines::HeaderLines,
    refused::Refused,
    route::Route,
};
use crate::{
    answer::{self, Refusal},
    shared::{Inner, Mount, UpstreamOptions},
};

/// The reason that a client without a seal receives.
const NOT_OURS: &str = "the access token was not made by the negotiate of this app";

/// The proofs that a caller who names this hub needs.
pub(super) fn caller_rules<'a>(app: &'a Inner, hub: Option<&str>) -> CallerRules<'a> {
    let mount = hub.and_then(|hub| app.hubs.find_at_service(hub));
    CallerRules {
        group: mount.map_or(&app.first_group, |mount| &mount.group),
        mount,
        accept_unsealed: app.upstream.accept_unsealed,
        groups: &app.groups,
        verified: &app.upstream.verified,
        replays: &app.upstream.replays,
        trust_plain_claims: app.upstream.trust_plain_claims,
        has_code: app.routes.has_code(),
    }
}

/// Starts the check of the call's token, if a token is required.
pub(super) fn check_token<'a>(
    app: &'a Inner,
    headers: &'a HeaderMap,
) -> Option<TokenCheckFuture<'a>> {
    if app.groups.iter().all(|group| group.upstream_tokens.is_none()) {
        return None;
    }
    caller_rules(app, HeaderLines::of(headers).hub.first_text()).check_token(headers)
}

/// A call whose headers have been checked.
pub(super) struct VerifiedCall {
    pub(super) headers: HeaderMap,
    pub(super) caller: Caller,
    pub(super) protocol: Protocol,
    pub(super) route: Route,
    /// The client's query, which is no longer in the headers.
    pub(super) query: Query,
    pub(super) has_request_id: bool,
    has_trace: bool,
}

impl VerifiedCall {
    /// The trace context in the headers. It is read here, because a field for it would make the task of each call larger.
    pub(super) fn trace(&self) -> Option<Box<TraceContext>> {
        if !self.has_trace {
            return None;
        }
        let lines = HeaderLines::of(&self.headers);
        let context = TraceContext::new(lines.traceparent.text()?, lines.tracestate.text());
        context.map(Box::new)
    }
}

/// Checks everything except the body.
pub(super) fn admit(
    app: &Arc<Inner>,
    mut headers: HeaderMap,
    token: TokenCheck,
) -> Result<VerifiedCall, NotAdmitted> {
    let options = &app.upstream;
    let lines = HeaderLines::of(&headers);
    let rules = caller_rules(app, lines.hub.first_text());
    let (caller, cache) =
        rules.check(&lines, token).map_err(|error| not_genuine(app, &lines, &error))?;
    warn_once_about_missing_seal(options, &caller, lines.user_claims.exist());
    if declared_length(&lines).is_some_and(|length| length > options.max_body as u64) {
        return Err(too_large(&app.log, options.max_body).into());
    }
    let protocol = content_type(&app.log, &lines)?;
    let route = Route::of(&lines, rules.mount, app)?;
    match route.category {
        Category::Message if cache == VerifiedCache::Miss => {
            options.verified.remember(&lines, &caller);
        }
        Category::Disconnected => {
            forget(options, &route.mount, &caller.connection_id);
        }
        Category::Message | Category::Connected | Category::Refreshed => {}
    }
    let has_request_id = lines.request_id.exist();
    let query = client_query(&lines);
    let has_trace = lines.traceparent.exist();
    if lines.client_query.exist() {
        headers.remove(&CLIENT_QUERY);
    }
    Ok(VerifiedCall { headers, caller, protocol, route, query, has_request_id, has_trace })
}

/// The query of the client's connect request. It is removed from the headers, since it may contain the client's
/// token.
pub(super) fn client_query(lines: &HeaderLines<'_>) -> Query {
    lines.client_query.text().map(Query::parse).unwrap_or_default()
}

/// Removes what the app has stored about a connection that has ended.
pub(super) fn forget(options: &UpstreamOptions, mount: &Mount, connection_id: &str) {
    options.verified.forget(connection_id);
    options.copied.lock().remove(connection_id);
    options.refused.forget(&mount.wire_name, connection_id);
}

/// A call that is refused before its body is read.
pub(super) struct NotAdmitted {
    answer: Refusal,
    /// The connection of a genuine `connected` without a seal. The service keeps it open, so the app closes it.
    connecting: Option<Box<Refused>>,
}

impl NotAdmitted {
    /// Closes the connection if it must not stay, and returns the response.
    pub(super) async fn answer(self) -> Response<Bytes> {
        if let Some(connecting) = self.connecting {
            // Boxed, because it is rare and would enlarge the future of every call.
            Box::pin(connecting.close(HubError::unauthenticated(NOT_OURS))).await;
        }
        *self.answer
    }
}

impl From<Refusal> for NotAdmitted {
    fn from(answer: Refusal) -> Self {
        Self { answer, connecting: None }
    }
}

fn not_genuine(app: &Arc<Inner>, lines: &HeaderLines<'_>, error: &ProofError) -> NotAdmitted {
    app.log.line("not genuine", |omitted| {
        tracing::warn!(%error, omitted, "upstream call refused");
    });
    let is_unsealed = matches!(error, ProofError::Unsealed);
    let text = match error {
        ProofError::Unsealed => error.to_string(),
        _ => "the call is not genuine: check that the access keys of the app and the service are the same".to_owned(),
    };
    let answer = Box::new(answer::text(StatusCode::UNAUTHORIZED, text));
    let connecting = is_unsealed.then(|| connecting(app, lines).map(Box::new)).flatten();
    NotAdmitted { answer, connecting }
}

/// The connection of a `connected` whose proof is verified.
fn connecting(app: &Arc<Inner>, lines: &HeaderLines<'_>) -> Option<Refused> {
    let category = Category::from_headers(lines.category.first_text()?, lines.event.first_text()?)?;
    let mount = app.hubs.find_at_service(lines.hub.first_text()?)?;
    (category == Category::Connected).then_some(Refused {
        app: Arc::clone(app),
        outbound: Arc::clone(&mount.group.outbound),
        hub: Arc::clone(&mount.wire_name),
        connection_id: lines.connection_id.first_text()?.into(),
    })
}

fn content_type(log: &LogLimit, lines: &HeaderLines<'_>) -> Result<Protocol, Refusal> {
    if lines.content_type.is(Protocol::Json.content_type()) {
        return Ok(Protocol::Json);
    }
    lines.content_type.first_text().and_then(Protocol::from_content_type).ok_or_else(|| {
        let text = "expected the content type of a hub protocol, such as application/json";
        refuse(log, StatusCode::UNSUPPORTED_MEDIA_TYPE, text)
    })
}

fn declared_length(lines: &HeaderLines<'_>) -> Option<u64> {
    lines.content_length.first_text()?.parse().ok()
}

pub(super) fn too_large(log: &LogLimit, limit: usize) -> Refusal {
    log.line("too large", |omitted| {
        tracing::warn!(limit, omitted, "upstream call with a body above the limit");
    });
    let text = format!("the body is larger than {limit} bytes");
    Box::new(answer::text(StatusCode::PAYLOAD_TOO_LARGE, text))
}

pub(super) fn warn_once_about_missing_seal(
    options: &UpstreamOptions,
    caller: &Caller,
    has_claims: bool,
) {
    if caller.sealed || options.trust_plain_claims || !has_claims {
        return;
    }
    if !options.warned_unsealed.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            connection = &*caller.connection_id,
            "the claims of a connection are not sealed and are ignored: create the client's token in this app's `negotiate`, or call `SignalR::trust_plain_claims()` after reading about the risks"
        );
    }
}
