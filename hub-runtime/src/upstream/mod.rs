//! One upstream call, from its headers to its response.
//!
//! The checks run in this order: caller, declared length, content type, route, body, method, refused
//! connection, copies of the call, filters and arguments.

mod admission;
mod body;
pub(crate) mod caller;
mod completion;
mod header_lines;
#[cfg(feature = "local")]
pub(crate) mod in_process;
pub(crate) mod refreshed;
pub(crate) mod refused;
pub(crate) mod replay;
mod route;
mod started_call;
pub(crate) mod verified;

use std::{future::poll_fn, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::Body as RequestBody;
use hub_core::{Cancellation, Category, InvocationParts, protocol::Protocol, upstream::REQUEST_ID};
use hub_net::{
    BoxError,
    body::{BodyLimits, ReadError, read_request},
    log_limit::{LogLimit, shown},
};

pub(crate) use self::replay::InvocationIds;
use self::{
    admission::{VerifiedCall, admit, check_token, too_large},
    body::Body,
    completion::{Answer, refuse},
    replay::Occurrence,
    route::Route,
    started_call::{HttpCall, StartedCall},
};
use crate::{
    answer::{self, Refusal},
    run_to_end::RunToEnd,
    shared::{Inner, Mount, UpstreamOptions},
};

/// The longest time that a request body may take.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Handles one upstream call. The body is not read before the caller is verified. `is_cancelled` is read in each poll:
/// whether the client has cancelled the call.
///
/// The future must stay small enough for the size classes that allocators cache. Therefore the future keeps
/// few values across awaits, and most of the work is in functions that are neither `async` nor generic.
pub(crate) async fn handle<B>(
    app: Arc<Inner>,
    headers: HeaderMap,
    body: B,
    ids: InvocationIds,
    is_cancelled: impl Fn() -> bool,
) -> Response<Bytes>
where
    B: RequestBody<Data: Send, Error: Into<BoxError>> + Send,
{
    let token = match check_token(&app, &headers) {
        Some(check) => Some(check.await),
        None => None,
    };
    let call = match admit(&app, headers, token) {
        Ok(call) => call,
        Err(refused) => return refused.answer().await,
    };
    let limits = BodyLimits { max_bytes: app.upstream.max_body, timeout: BODY_TIMEOUT };
    let body = read_request(body, limits).await;
    // Polled in place: a call that is moved out of a `match` is stored twice.
    let mut dispatch = match begin(app, call, body, ids) {
        Ok(dispatch) => dispatch,
        Err(refusal) => return *refusal,
    };
    poll_fn(|context| match &mut dispatch {
        Dispatch::Call(call) => {
            if is_cancelled() {
                call.cancel();
            }
            Pin::new(call).poll(context)
        }
        Dispatch::Duplicate(answer) => answer.as_mut().poll(context),
    })
    .await
}

/// The source of the response.
enum Dispatch {
    Call(RunToEnd<HttpCall>),
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
    let (caller, has_request_id) = (call.caller.hash, call.has_request_id);
    let (mount, parts) = parse(&app, call, &body)?;
    let protocol = parts.protocol;
    let method = method(&app, &mount, &parts)
        .map_err(|answer| Box::new(answer.into_response(protocol, HeaderMap::new())))?;
    let running = if ids.identify(has_request_id, parts.invocation_id.as_deref()) {
        let replays = &app.upstream.replays;
        let request_id = if has_request_id { parts.headers().get(&REQUEST_ID) } else { None };
        let request_id = request_id.map(HeaderValue::as_bytes);
        match replays.begin(replays.fingerprint(caller, request_id, &body)) {
            Occurrence::First(running) => Some(running),
            Occurrence::Duplicate(duplicate) => {
                warn_once_about_copies(&app.upstream, &parts);
                return Ok(Dispatch::Duplicate(Box::pin(duplicate.answer(&parts))));
            }
        }
    } else {
        None
    };
    let call = HttpCall::new(StartedCall::new(app, mount, method, parts), protocol, running);
    Ok(Dispatch::Call(RunToEnd::new(call)))
}

/// The method of a call.
#[derive(Clone, Copy)]
struct Method {
    /// The row of the method; `None` for a `connected` that no method handles.
    row: Option<usize>,
    /// The method's name in telemetry.
    name: &'static str,
}

/// Finds the method. The response is that of a call without a method, or of a refused connection.
fn method(app: &Inner, mount: &Mount, parts: &InvocationParts) -> Result<Method, Answer> {
    let row = mount.hub.find(parts.category, &parts.event);
    match (parts.category, row) {
        (Category::Message, None) => {
            let detail = app.upstream.error_detail;
            return Err(route::unknown_method(&app.log, mount, parts, detail));
        }
        (Category::Disconnected | Category::Refreshed, None) => {
            return Err(Answer::Empty(StatusCode::OK));
        }
        (_, Some(_)) | (Category::Connected, None) => {}
    }
    if parts.category == Category::Message
        && app.upstream.refused.contains(&mount.wire_name, &parts.connection_id)
    {
        return Err(refused::answer(parts));
    }
    let methods = mount.hub.methods();
    let name = row.and_then(|row| methods.get(row)).map_or("connected", |row| row.name);
    Ok(Method { row, name })
}

/// The hub and the parts of a call over HTTP.
fn parse(
    app: &Inner,
    call: VerifiedCall,
    body: &Bytes,
) -> Result<(Arc<Mount>, InvocationParts), Refusal> {
    let trace = call.trace();
    let VerifiedCall { headers, caller, protocol, route, query, .. } = call;
    let (invocation_id, arguments, error) = match parse_body(&app.log, protocol, body, &route)? {
        Body::Connected => (None, Bytes::new(), None),
        Body::Disconnected { error } => (None, Bytes::new(), error.map(Into::into)),
        Body::Invocation { invocation_id, arguments, .. } => (invocation_id, arguments, None),
    };
    let Route { mount, category, event } = route;
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
        trace,
    };
    Ok((mount, parts))
}

/// Parses the body and compares it with the headers.
fn parse_body<'a>(
    log: &LogLimit,
    protocol: Protocol,
    body: &'a Bytes,
    route: &Route,
) -> Result<Body<'a>, Refusal> {
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
