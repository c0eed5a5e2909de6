//! Calls of the embedded service, without an HTTP request.
//!
//! The caller is verified once for each connection, with the same checks as over HTTP: the service in this process
//! holds the headers of a connection, and they do not change. Calls are not compared with earlier calls: the
//! service passes each call once, and no network or proxy is in between that repeats calls.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use hub_core::{
    CallHeaders, Cancellation, Category, InvocationParts, Query, upstream::CLIENT_QUERY,
};
use hub_local::{Answer, ClientCall};

use super::{
    InvocationIds,
    admission::{caller_rules, client_query, warn_once_about_missing_seal},
    caller::Caller,
    completion, handle,
    header_lines::HeaderLines,
    method,
    started_call::StartedCall,
};
use crate::{answer::empty, shared::Inner};

/// More than the longest JSON escape of a byte, `\u0000`.
const ESCAPED: usize = 6;
/// More than the names and the delimiters in the body of a call.
const FRAME: usize = 128;

/// What the app derived from the headers of a connection. The service holds it, so it must not hold the hub or a part
/// of the app: these hold the service.
struct Known {
    /// The hub's name at the service.
    hub: Arc<str>,
    caller: Caller,
    query: Query,
    /// The headers without the client's query.
    headers: Arc<HeaderMap>,
}

/// Handles one call. The service polls the future to completion.
pub(crate) async fn answer(app: Arc<Inner>, call: ClientCall<'_>) -> Answer {
    let Some(known) = known(&app, &call).filter(|_| fits(&call, app.upstream.max_body)) else {
        // A call that is refused, or that the body must decide about.
        let (parts, body) = call.into_request().into_parts();
        let body = http_body_util::Full::new(body);
        let answering = Box::pin(handle(app, parts.headers, body, InvocationIds::OfClients));
        return Answer::Response(answering.await);
    };
    // Hubs are not unmounted.
    let Some(mount) = app.hubs.find_at_service(&known.hub).cloned() else {
        return Answer::Response(empty(StatusCode::NOT_FOUND));
    };
    let parts = parts(&app, &known, &call);
    let answer = match method(&app, &mount, &parts) {
        Ok(method) => StartedCall::new(app, mount, method, parts).await,
        Err(answer) => answer,
    };
    match answer {
        completion::Answer::Completion(framed) => Answer::Completion(framed),
        completion::Answer::Empty(status) => Answer::Response(empty(status)),
    }
}

/// Whether the body over HTTP would certainly be within the limit, and have an event and an id.
fn fits(call: &ClientCall<'_>, max_body: usize) -> bool {
    let names = call.target.len() + call.invocation_id.map_or(0, str::len);
    let size = call.arguments.len().saturating_add(names.saturating_mul(ESCAPED));
    size.saturating_add(FRAME) <= max_body
        && !call.target.is_empty()
        && call.invocation_id.is_none_or(|id| !id.is_empty())
}

/// The caller of a connection, verified on its first call. `None` if the caller is refused, or if each call needs
/// a check.
fn known(app: &Inner, call: &ClientCall<'_>) -> Option<Arc<Known>> {
    if let Some(known) = call.connection.derived() {
        return Some(known);
    }
    let mut headers = call.connection.headers().clone();
    let lines = HeaderLines::of(&headers);
    let rules = caller_rules(app, &lines);
    if rules.group.upstream_tokens.is_some() {
        return None;
    }
    let hub = Arc::clone(&rules.mount?.wire_name);
    let (caller, _) = rules.check(&lines, None).ok()?;
    warn_once_about_missing_seal(&app.upstream, &caller, &lines);
    let query = client_query(&lines);
    headers.remove(&CLIENT_QUERY);
    let known = Arc::new(Known { hub, caller, query, headers: Arc::new(headers) });
    call.connection.derive(&known);
    Some(known)
}

fn parts(app: &Inner, known: &Known, call: &ClientCall<'_>) -> InvocationParts {
    let Known { hub, caller, query, headers } = known;
    InvocationParts {
        hub: Arc::clone(hub),
        category: Category::Message,
        event: call.target.to_owned(),
        connection_id: Arc::clone(&caller.connection_id),
        user_id: caller.user_id.clone(),
        claims: caller.claims.clone(),
        query: query.clone(),
        headers: CallHeaders::of_message(Arc::clone(headers), call.request_id),
        protocol: call.protocol,
        // A slice would keep the read buffer of the client alive while the method runs.
        arguments: Bytes::copy_from_slice(&call.arguments),
        error: None,
        invocation_id: call.invocation_id.map(str::to_owned),
        arrived: app.clock.elapsed(),
        cancellation: Cancellation::new(),
    }
}
