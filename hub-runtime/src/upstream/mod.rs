//! One upstream call, from its headers to its answer.

mod body;
mod completion;
mod proof;
pub(crate) mod replay;
mod request;
pub(crate) mod verified;
pub(crate) mod warned;

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header, request::Parts};
use hub_core::{
    Cancellation, Category, ErrorKind, HubError, InvocationParts,
    mounted::MountedHub,
    names,
    outbound::{Change, CloseTarget, Outbound},
    panics::catching,
    protocol::{Outcome, Protocol},
};
use hub_net::body::{BodyLimits, ReadError, UnreadBody};
use tracing::{Instrument, Span};

pub(crate) use self::replay::InvocationIds;
#[cfg(fuzzing)]
pub(crate) use self::request::plain_claims;
use self::{
    body::Body,
    proof::{TokenCheck, VerifiedCache, caller, token_check},
    replay::{Occurrence, RunningCall},
    request::{Caller, Route},
};
use crate::{
    answer::{self, Refusal},
    run_to_end::RunToEnd,
    service_group::ServiceGroup,
    shared::{Hubs, Inner, Mount, UpstreamOptions},
    telemetry::{self, Stopwatch},
};

/// The longest time that a request body may take.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Answers one upstream call. The order of the checks is part of the contract: nothing of the body is
/// read before the signature holds.
///
/// What is kept while the body is read is little, so that the future stays small enough for the caches
/// of allocators: most of the work is in functions that do not wait.
pub(crate) fn handle(
    app: Arc<Inner>,
    parts: Parts,
    body: UnreadBody,
    ids: InvocationIds,
) -> impl Future<Output = Response<Bytes>> + Send {
    let headers = parts.headers;
    async move {
        let token = match token_check(&app, &headers) {
            Some(checking) => Some(checking.await),
            None => None,
        };
        let call = match admit(&app, headers, token) {
            Ok(call) => call,
            Err(refusal) => return *refusal,
        };
        let limits = BodyLimits { max_bytes: app.upstream.max_body, timeout: BODY_TIMEOUT };
        let body = body.read(limits).await;
        match begin(app, call, body, ids) {
            Ok(Dispatch::Call(call)) => call.await,
            Ok(Dispatch::Duplicate(answer)) => answer.await,
            Err(refusal) => *refusal,
        }
    }
}

/// A call whose headers are good.
struct VerifiedCall {
    headers: HeaderMap,
    caller: Caller,
    protocol: Protocol,
    route: Route,
    category: Category,
    mount: Mount,
}

/// Checks everything but the body.
fn admit(app: &Inner, headers: HeaderMap, token: TokenCheck) -> Result<VerifiedCall, Refusal> {
    let options = &app.upstream;
    let (caller, cache) = caller(app, &headers, token).map_err(|error| {
        tracing::warn!(%error, "upstream call refused");
        Box::new(answer::text(
            StatusCode::UNAUTHORIZED,
            "the call is not genuine: check that the access keys of the app and the service are the same",
        ))
    })?;
    warn_once_about_missing_seal(options, &caller, &headers);
    if declared_length(&headers).is_some_and(|length| length > options.max_body as u64) {
        return Err(too_large(options.max_body));
    }
    let protocol = content_type(&headers)?;
    let route = request::route(&headers).ok_or_else(|| {
        refuse(StatusCode::BAD_REQUEST, "X-ASRS-Hub, X-ASRS-Category or X-ASRS-Event is missing")
    })?;
    let mount = find_hub(&app.hubs, &route)?;
    let category = category(&route)?;
    match category {
        Category::Message if cache == VerifiedCache::Miss => {
            app.upstream.verified.remember(&headers, &caller);
        }
        Category::Disconnected => {
            options.verified.forget(&caller.connection_id);
            options.warned.forget(&caller.connection_id);
        }
        Category::Message | Category::Connected => {}
    }
    Ok(VerifiedCall { headers, caller, protocol, route, category, mount })
}

/// What is to be waited for.
enum Dispatch {
    Call(RunToEnd<Response<Bytes>>),
    /// The answer to a call that another copy of it began. It is rare, so it is boxed.
    Duplicate(Pin<Box<dyn Future<Output = Response<Bytes>> + Send>>),
}

/// Reads the body's message and starts the call, unless it is a copy of one.
fn begin(
    app: Arc<Inner>,
    call: VerifiedCall,
    body: Result<Bytes, ReadError>,
    ids: InvocationIds,
) -> Result<Dispatch, Refusal> {
    let body = body.map_err(|error| match error {
        ReadError::TooLarge => too_large(app.upstream.max_body),
        ReadError::TimedOut => refuse(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
        ReadError::Aborted(_) => {
            refuse(StatusCode::BAD_REQUEST, "the body ended before it was whole")
        }
    })?;
    let call = prepare(&app, call, &body)?;
    let parts = &call.parts;
    let replays = &app.upstream.replays;
    let invocation = match ids {
        InvocationIds::OfClients => replays.fingerprint(parts, &body),
        InvocationIds::MadeUp => None,
    };
    let running = match invocation.map(|invocation| replays.begin(invocation)) {
        None => None,
        Some(Occurrence::First(running)) => Some(running),
        Some(Occurrence::Duplicate(duplicate)) => {
            return Ok(Dispatch::Duplicate(Box::pin(duplicate.answer(parts))));
        }
    };
    let span = telemetry::call_span(&call.wire_name, call.method, &parts.connection_id);
    let cancellation = parts.cancellation.clone();
    let tasks = app.tasks.clone();
    let call = run(app, call, running, span.clone()).instrument(span);
    Ok(Dispatch::Call(RunToEnd::new(call, cancellation, tasks)))
}

/// A call that may run.
struct PreparedCall {
    hub: Arc<dyn MountedHub>,
    wire_name: Arc<str>,
    group: Arc<ServiceGroup>,
    /// `None` is a `connected` that no method answers.
    row: Option<usize>,
    /// What telemetry calls the method.
    method: &'static str,
    parts: InvocationParts,
}

fn prepare(app: &Inner, call: VerifiedCall, body: &Bytes) -> Result<PreparedCall, Refusal> {
    let VerifiedCall { mut headers, caller, protocol, route, category, mount } = call;
    let Mount { hub, wire_name, group } = mount;
    let body = parse(protocol, body, category, &route)?;
    let (invocation_id, arguments, error) = match body {
        Body::Connected => (None, Bytes::new(), None),
        Body::Disconnected { error } => (None, Bytes::new(), error),
        Body::Invocation { invocation_id, arguments, .. } => (invocation_id, arguments, None),
    };
    let row = hub.find(category, &route.event);
    match (category, row) {
        (Category::Message, None) => {
            let id = invocation_id.as_deref();
            return Err(Box::new(no_method(app, &*hub, protocol, &route, id, &wire_name)));
        }
        (Category::Disconnected, None) => return Err(Box::new(answer::empty(StatusCode::OK))),
        (_, Some(_)) | (Category::Connected, None) => {}
    }
    let query = request::take_client_query(&mut headers);
    let parts = InvocationParts {
        hub: wire_name.to_string(),
        category,
        event: route.event,
        connection_id: caller.connection_id,
        user_id: caller.user_id,
        claims: caller.claims,
        query,
        headers,
        protocol,
        arguments,
        error,
        invocation_id,
        arrived: app.clock.elapsed(),
        cancellation: Cancellation::new(),
    };
    let method = row.and_then(|row| hub.methods().get(row)).map_or("connected", |row| row.name);
    Ok(PreparedCall { hub, wire_name, group, row, method, parts })
}

/// Runs filters and method, and answers. From here on the call runs to its end.
///
/// Not an `async fn`: that would carry the parts of the call beside what is made of them.
fn run(
    app: Arc<Inner>,
    call: PreparedCall,
    invocation: Option<RunningCall>,
    span: Span,
) -> impl Future<Output = Response<Bytes>> + Send {
    // Shutdown waits for every token.
    let running = app.tasks.token();
    let PreparedCall { hub, wire_name, group, method, row, parts } = call;
    let outbound = Arc::clone(&group.outbound);
    let (category, protocol) = (parts.category, parts.protocol);
    let invocation_id = parts.invocation_id.clone();
    let connected = (category == Category::Connected).then(|| parts.connection_id.clone());
    let watch = Stopwatch::start();
    let calling = hub.call(row, parts, Arc::clone(&outbound), Arc::clone(&wire_name));
    async move {
        let _running = running;
        let result = catching(calling).await;
        app.counts.count(&result);
        span.record("outcome", telemetry::outcome(&result));
        telemetry::call_ended(&wire_name, method, &result, watch);
        if let (Some(connection_id), Err(error)) = (connected, &result)
            && matches!(error.kind(), ErrorKind::Denied | ErrorKind::Unauthenticated)
            && !app.upstream.keep_refused_connections
        {
            close_refused(&*outbound, &wire_name, connection_id, error.text()).await;
        }
        let answer = completion::outcome(category, protocol, invocation_id.as_deref(), result);
        if let Some(invocation) = invocation {
            invocation.finish(answer.body());
        }
        answer
    }
}

/// The service keeps a client whose `connected` was answered 403, so it is closed over REST.
async fn close_refused(outbound: &dyn Outbound, hub: &str, connection_id: String, reason: &str) {
    let change = Change::Close {
        whom: CloseTarget::Connection(connection_id),
        reason: Some(reason.to_owned()),
    };
    if let Err(error) = outbound.change(hub, change).await {
        tracing::error!(%error, "a refused connection could not be closed");
    }
}

fn find_hub(hubs: &Hubs, route: &Route) -> Result<Mount, Refusal> {
    hubs.find_at_service(&route.hub).cloned().ok_or_else(|| {
        tracing::warn!(hub = route.hub, known = ?hubs.names(), "upstream call for an unknown hub");
        Box::new(answer::text(StatusCode::NOT_FOUND, "there is no such hub in this app"))
    })
}

fn category(route: &Route) -> Result<Category, Refusal> {
    Category::from_headers(&route.category, &route.event)
        .ok_or_else(|| refuse(StatusCode::NOT_FOUND, "there is no such category or event"))
}

fn parse(
    protocol: Protocol,
    body: &Bytes,
    category: Category,
    route: &Route,
) -> Result<Body, Refusal> {
    let body = body::parse(protocol, body).map_err(|error| {
        tracing::warn!(%error, "upstream call with a malformed body");
        let text = format!("the body is not a hub message: {error}");
        Box::new(answer::text(StatusCode::BAD_REQUEST, text))
    })?;
    let fits = match (&body, category) {
        (Body::Connected, Category::Connected) => true,
        (Body::Disconnected { .. }, Category::Disconnected) => true,
        (Body::Invocation { target, .. }, Category::Message) => {
            *target == route.event || target.to_lowercase() == route.event.to_lowercase()
        }
        _ => false,
    };
    if fits {
        return Ok(body);
    }
    Err(refuse(StatusCode::BAD_REQUEST, "the body does not fit X-ASRS-Category and X-ASRS-Event"))
}

fn no_method(
    app: &Inner,
    hub: &dyn MountedHub,
    protocol: Protocol,
    route: &Route,
    invocation_id: Option<&str>,
    wire_name: &Arc<str>,
) -> Response<Bytes> {
    let messages = hub.methods().iter().filter(|method| method.category == Category::Message);
    let known: Vec<_> = messages.map(|method| method.name).collect();
    let nearest = names::nearest(&route.event, known.iter().copied());
    tracing::warn!(hub = hub.name(), method = route.event, nearest, ?known, "unknown hub method");
    let unknown = Err::<(), _>(HubError::rejected(""));
    telemetry::call_ended(wire_name, telemetry::UNKNOWN, &unknown, Stopwatch::start());
    let Some(id) = invocation_id else { return answer::empty(StatusCode::NOT_FOUND) };
    let mut text = format!("Unknown hub method '{}'", route.event);
    if let Some(nearest) = nearest.filter(|_| app.upstream.detailed_errors) {
        text.push_str(&format!("; did you mean '{nearest}'?"));
    }
    completion::completion(protocol, id, Outcome::Error(text))
}

fn content_type(headers: &HeaderMap) -> Result<Protocol, Refusal> {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(Protocol::from_content_type)
        .ok_or_else(|| {
            let text = "expected the content type of a hub protocol, such as application/json";
            refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, text)
        })
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(limit: usize) -> Refusal {
    tracing::warn!(limit, "upstream call with a body over the limit");
    let text = format!("the body is over {limit} bytes");
    Box::new(answer::text(StatusCode::PAYLOAD_TOO_LARGE, text))
}

fn refuse(status: StatusCode, text: &'static str) -> Refusal {
    tracing::warn!(status = status.as_u16(), text, "upstream call refused");
    Box::new(answer::text(status, text))
}

fn warn_once_about_missing_seal(options: &UpstreamOptions, caller: &Caller, headers: &HeaderMap) {
    if caller.sealed || options.trust_plain_claims || !request::has_claims(headers) {
        return;
    }
    if options.warned.is_first(&caller.connection_id) {
        tracing::warn!(
            connection = caller.connection_id,
            "a connection's claims are not sealed and are ignored: let this app's `negotiate` make the token, or call `SignalR::trust_plain_claims()` after reading what it risks"
        );
    }
}
