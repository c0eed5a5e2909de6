//! One upstream call, from its headers to its response.
//!
//! The checks run in this order: caller, declared length, content type, route, body, method, refused
//! connection, copies of the call, filters and arguments.

mod admission;
mod body;
pub(crate) mod caller;
mod completion;
#[cfg(feature = "local")]
pub(crate) mod in_process;
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
use tracing::Instrument;

pub(crate) use self::replay::InvocationIds;
use self::{
    admission::{VerifiedCall, admit, check_token, too_large},
    body::Body,
    completion::{Answer, refuse},
    refused::Refused,
    replay::Occurrence,
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
    let (mount, parts) = parse(&app, call, &body)?;
    let protocol = parts.protocol;
    let call =
        prepare(&app, mount, parts).map_err(|answer| Box::new(answer.into_response(protocol)))?;
    let (parts, replays) = (&call.parts, &app.upstream.replays);
    let fingerprint = replays.fingerprint(parts, &body, ids);
    let running = match fingerprint.map(|fingerprint| replays.begin(fingerprint)) {
        None => None,
        Some(Occurrence::First(running)) => Some(running),
        Some(Occurrence::Duplicate(duplicate)) => {
            warn_once_about_copies(&app.upstream, parts);
            return Ok(Dispatch::Duplicate(Box::pin(duplicate.answer(parts))));
        }
    };
    let cancellation = parts.cancellation.clone();
    let tasks = app.tasks.clone();
    let call = run(app, call);
    let call = async move {
        let answer = call.await.into_response(protocol);
        if let Some(running) = running {
            running.finish(&answer);
        }
        answer
    };
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

/// Finds the method. The response is that of a call without a method, or of a refused connection.
fn prepare(app: &Inner, mount: Mount, parts: InvocationParts) -> Result<PreparedCall, Answer> {
    let row = mount.hub.find(parts.category, &parts.event);
    match (parts.category, row) {
        (Category::Message, None) => {
            let detail = app.upstream.error_detail;
            return Err(route::unknown_method(&app.log, &mount, &parts, detail));
        }
        (Category::Disconnected, None) => return Err(Answer::Empty(StatusCode::OK)),
        (_, Some(_)) | (Category::Connected, None) => {}
    }
    let Mount { hub, wire_name, group } = mount;
    if parts.category == Category::Message
        && app.upstream.refused.contains(&wire_name, &parts.connection_id)
    {
        return Err(refused::answer(&parts));
    }
    let method = row.and_then(|row| hub.methods().get(row)).map_or("connected", |row| row.name);
    Ok(PreparedCall { hub, wire_name, group, row, method, parts })
}

/// Runs filters and method. From here on the call runs to completion.
///
/// Not an `async fn`: the future of an `async fn` would store the parts of the call twice, before and
/// after the move into the hub's future.
fn run(app: Arc<Inner>, call: PreparedCall) -> impl Future<Output = Answer> + Send {
    // A shutdown waits until every token is dropped.
    let running = app.tasks.token();
    let PreparedCall { hub, wire_name, group, method, row, parts } = call;
    let span = telemetry::call_span(&wire_name, method, &parts.connection_id);
    let outbound = Arc::clone(&group.outbound);
    let (category, protocol) = (parts.category, parts.protocol);
    let invocation_id = parts.invocation_id.clone();
    let connected = (category == Category::Connected).then(|| Arc::clone(&parts.connection_id));
    let (watch, detail) = (Stopwatch::start(), app.upstream.error_detail);
    let calling = hub.call(row, parts, Arc::clone(&outbound), Arc::clone(&wire_name));
    let recorded = span.clone();
    let call = async move {
        let _running = running;
        let result = catching(calling).await;
        app.counts.count(&result);
        recorded.record("outcome", telemetry::outcome(&result));
        telemetry::call_ended(&wire_name, method, &result, watch);
        match (connected, result) {
            (Some(connection_id), Err(error)) => {
                let refused = Refused { app, outbound, hub: wire_name, connection_id };
                // Boxed, because it is rare and would enlarge the future of every call.
                Box::pin(refused.close(error)).await;
                Answer::Empty(StatusCode::FORBIDDEN)
            }
            (_, result) => {
                completion::outcome(category, protocol, invocation_id.as_deref(), result, detail)
            }
        }
    };
    call.instrument(span)
}

/// The hub and the parts of a call over HTTP.
fn parse(
    app: &Inner,
    call: VerifiedCall,
    body: &Bytes,
) -> Result<(Mount, InvocationParts), Refusal> {
    let VerifiedCall { mut headers, caller, protocol, route } = call;
    let (invocation_id, arguments, error) = match parse_body(&app.log, protocol, body, &route)? {
        Body::Connected => (None, Bytes::new(), None),
        Body::Disconnected { error } => (None, Bytes::new(), error),
        Body::Invocation { invocation_id, arguments, .. } => (invocation_id, arguments, None),
    };
    let Route { mount, category, event } = route;
    let query = route::take_client_query(&mut headers);
    let parts = InvocationParts {
        hub: Arc::clone(&mount.wire_name),
        category,
        event,
        connection_id: caller.connection_id,
        user_id: caller.user_id,
        claims: caller.claims,
        query,
        headers: headers.into(),
        protocol,
        arguments,
        error,
        invocation_id,
        arrived: app.clock.elapsed(),
        cancellation: Cancellation::new(),
    };
    Ok((mount, parts))
}

/// Parses the body and compares it with the headers.
fn parse_body(
    log: &LogLimit,
    protocol: Protocol,
    body: &Bytes,
    route: &Route,
) -> Result<Body, Refusal> {
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
    if parts.headers().contains_key(&REQUEST_ID) {
        return;
    }
    if options.copied.lock().insert(parts.connection_id.to_string(), ()).is_none() {
        tracing::warn!(
            connection = &*parts.connection_id,
            "two equal calls with one invocation id ran at the same time and share a response: a proxy repeated the call, or the client uses its invocation ids again"
        );
    }
}
