//! One upstream call, from its headers to its response.
//!
//! The checks run in this order: caller, declared length, content type, route, body, method, refused
//! connection, copies of the call, filters and arguments.

mod admission;
mod body;
pub(crate) mod caller;
mod completion;
pub(crate) mod refused;
pub(crate) mod replay;
mod route;
pub(crate) mod verified;

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Response, StatusCode, request::Parts};
use hub_core::{
    Cancellation, Category, InvocationParts, mounted::MountedHub, panics::catching,
    protocol::Protocol, upstream::REQUEST_ID,
};
use hub_net::{
    body::{BodyLimits, ReadError, UnreadBody},
    log_limit::{LogLimit, shown},
};
use tracing::{Instrument, Span};

pub(crate) use self::replay::InvocationIds;
use self::{
    admission::{VerifiedCall, admit, check_token, too_large},
    body::Body,
    completion::refuse,
    refused::Refused,
    replay::{Occurrence, RunningCall},
    route::Route,
};
use crate::{
    answer::{self, Refusal},
    run_to_end::RunToEnd,
    service_group::ServiceGroup,
    shared::{Inner, Mount, UpstreamOptions},
    telemetry::{self, Stopwatch},
};

/// The longest time that a request body may take.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Handles one upstream call. The body is not read before the caller is verified.
///
/// The future must stay small enough for the size classes that allocators cache. Therefore the future keeps
/// few values across awaits, and most of the work is in functions that are not `async`.
pub(crate) fn handle(
    app: Arc<Inner>,
    parts: Parts,
    body: UnreadBody,
    ids: InvocationIds,
) -> impl Future<Output = Response<Bytes>> + Send {
    let headers = parts.headers;
    async move {
        let token = match check_token(&app, &headers) {
            Some(check) => Some(check.await),
            None => None,
        };
        let call = match admit(&app, headers, token) {
            Ok(call) => call,
            Err(refused) => return refused.answer().await,
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

/// The source of the response.
enum Dispatch {
    Call(RunToEnd<Response<Bytes>>),
    /// The response to an earlier copy of the call. Boxed, since it is rare.
    Duplicate(Pin<Box<dyn Future<Output = Response<Bytes>> + Send>>),
}

/// Parses the body and starts the call, unless it is a copy of an earlier call.
fn begin(
    app: Arc<Inner>,
    call: VerifiedCall,
    body: Result<Bytes, ReadError>,
    ids: InvocationIds,
) -> Result<Dispatch, Refusal> {
    let body = body.map_err(|error| match error {
        ReadError::TooLarge => too_large(&app.log, app.upstream.max_body),
        ReadError::TimedOut => {
            refuse(&app.log, StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")
        }
        ReadError::Aborted(_) => {
            refuse(&app.log, StatusCode::BAD_REQUEST, "the body is incomplete")
        }
    })?;
    let call = prepare(&app, call, &body)?;
    let parts = &call.parts;
    let (replays, refused) = (&app.upstream.replays, &app.upstream.refused);
    if parts.category == Category::Message
        && refused.contains(&call.wire_name, &parts.connection_id)
    {
        return Err(Box::new(refused::answer(parts)));
    }
    let fingerprint = replays.fingerprint(parts, &body, ids);
    let running = match fingerprint.map(|fingerprint| replays.begin(fingerprint)) {
        None => None,
        Some(Occurrence::First(running)) => Some(running),
        Some(Occurrence::Duplicate(duplicate)) => {
            warn_once_about_copies(&app.upstream, parts);
            return Ok(Dispatch::Duplicate(Box::pin(duplicate.answer(parts))));
        }
    };
    let span = telemetry::call_span(&call.wire_name, call.method, &parts.connection_id);
    let cancellation = parts.cancellation.clone();
    let tasks = app.tasks.clone();
    let call = run(app, call, running, span.clone()).instrument(span);
    Ok(Dispatch::Call(RunToEnd::new(call, cancellation, tasks)))
}

/// A call that has passed all checks.
struct PreparedCall {
    hub: Arc<dyn MountedHub>,
    wire_name: Arc<str>,
    group: Arc<ServiceGroup>,
    /// The row of the method; `None` for a `connected` that no method handles.
    row: Option<usize>,
    /// The method's name in telemetry.
    method: &'static str,
    parts: InvocationParts,
}

fn prepare(app: &Inner, call: VerifiedCall, body: &Bytes) -> Result<PreparedCall, Refusal> {
    let VerifiedCall { mut headers, caller, protocol, route } = call;
    let (invocation_id, arguments, error) = match parse(&app.log, protocol, body, &route)? {
        Body::Connected => (None, Bytes::new(), None),
        Body::Disconnected { error } => (None, Bytes::new(), error),
        Body::Invocation { invocation_id, arguments, .. } => (invocation_id, arguments, None),
    };
    let row = route.find_row();
    match (route.category, row) {
        (Category::Message, None) => {
            let (id, detail) = (invocation_id.as_deref(), app.upstream.error_detail);
            return Err(Box::new(route.unknown_method(&app.log, protocol, id, detail)));
        }
        (Category::Disconnected, None) => return Err(Box::new(answer::empty(StatusCode::OK))),
        (_, Some(_)) | (Category::Connected, None) => {}
    }
    let Route { mount: Mount { hub, wire_name, group }, category, event } = route;
    let query = route::take_client_query(&mut headers);
    let parts = InvocationParts {
        hub: wire_name.to_string(),
        category,
        event,
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

/// Runs filters and method. From here on the call runs to completion.
///
/// Not an `async fn`: the future of an `async fn` would store the parts of the call twice, before and
/// after the move into the hub's future.
fn run(
    app: Arc<Inner>,
    call: PreparedCall,
    invocation: Option<RunningCall>,
    span: Span,
) -> impl Future<Output = Response<Bytes>> + Send {
    // A shutdown waits until every token is dropped.
    let running = app.tasks.token();
    let PreparedCall { hub, wire_name, group, method, row, parts } = call;
    let outbound = Arc::clone(&group.outbound);
    let (category, protocol) = (parts.category, parts.protocol);
    let invocation_id = parts.invocation_id.clone();
    let connected = (category == Category::Connected).then(|| parts.connection_id.clone());
    let (watch, detail) = (Stopwatch::start(), app.upstream.error_detail);
    let calling = hub.call(row, parts, Arc::clone(&outbound), Arc::clone(&wire_name));
    async move {
        let _running = running;
        let result = catching(calling).await;
        app.counts.count(&result);
        span.record("outcome", telemetry::outcome(&result));
        telemetry::call_ended(&wire_name, method, &result, watch);
        let answer = match (connected, result) {
            (Some(connection_id), Err(error)) => {
                let refused = Refused { app, outbound, hub: wire_name, connection_id };
                // Boxed, because it is rare and would enlarge the future of every call.
                Box::pin(refused.close(error)).await;
                answer::empty(StatusCode::FORBIDDEN)
            }
            (_, result) => {
                completion::outcome(category, protocol, invocation_id.as_deref(), result, detail)
            }
        };
        if let Some(invocation) = invocation {
            invocation.finish(&answer);
        }
        answer
    }
}

/// Parses the body and compares it with the headers.
fn parse(log: &LogLimit, protocol: Protocol, body: &Bytes, route: &Route) -> Result<Body, Refusal> {
    let body = body::parse(protocol, body).map_err(|error| {
        log.line("body", |omitted| {
            let error = error.to_string();
            let error = &*shown(&error);
            tracing::warn!(error, omitted, "upstream call with a malformed body");
        });
        let text = format!("the body is not a hub message: {error}");
        Box::new(answer::text(StatusCode::BAD_REQUEST, text))
    })?;
    let fits = match &body {
        Body::Connected => route.category == Category::Connected,
        Body::Disconnected { .. } => route.category == Category::Disconnected,
        Body::Invocation { target, .. } => {
            route.category == Category::Message
                && (*target == route.event || target.to_lowercase() == route.event.to_lowercase())
        }
    };
    if fits {
        return Ok(body);
    }
    let text = "the body does not match X-ASRS-Category and X-ASRS-Event";
    Err(refuse(log, StatusCode::BAD_REQUEST, text))
}

/// Without request ids, a client's second call with the same bytes looks like a copy.
fn warn_once_about_copies(options: &UpstreamOptions, parts: &InvocationParts) {
    if parts.headers.contains_key(&REQUEST_ID) {
        return;
    }
    if options.copied.lock().insert(parts.connection_id.clone(), ()).is_none() {
        tracing::warn!(
            connection = parts.connection_id,
            "two equal calls with one invocation id ran at the same time and share a response: a proxy repeated the call, or the client uses its invocation ids again"
        );
    }
}
