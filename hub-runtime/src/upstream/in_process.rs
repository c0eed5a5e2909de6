//! Calls and events of the embedded service, without an HTTP request.
//!
//! The caller is verified once for each connection: the service in this process holds the facts of a connection, and
//! they do not change. A refresh makes new facts, whose caller is verified again. Their seal is opened with the checks of
//! HTTP. A signature is not made: it would show that the service makes the call, which no other code can. Calls are not compared with earlier calls: the service passes each
//! call once, and no network or proxy is in between that repeats calls.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use hub_core::{CallHeaders, Cancellation, Category, InvocationParts, Query, protocol::Protocol};
use hub_local::{Answer, CallCancel, Change, ClientCall, ClientEvent, ConnectionFacts};
use tokio::time::Instant;

use super::{
    InvocationIds,
    admission::{caller_rules, forget, warn_once_about_missing_seal},
    caller::Caller,
    completion, handle, method,
    started_call::StartedCall,
};
use crate::{
    answer::empty,
    shared::{Inner, Mount},
};

/// More than the longest JSON escape of a byte, `\u0000`.
const ESCAPED: usize = 6;
/// More than the names and the delimiters in the body of a call.
const FRAME: usize = 128;

/// What the app derived from the facts of a connection. The service holds it, so it must not hold the hub or a part
/// of the app: these hold the service.
struct Known {
    caller: Caller,
    /// Made on the first message, to save memory of idle clients.
    query: OnceLock<Query>,
}

/// Handles one call. The service polls the future to completion.
///
/// The state of the call is polled in place: a future stores a value again where the value is moved.
pub(crate) async fn answer(app: Arc<Inner>, call: ClientCall<'_>) -> Answer {
    let cancel = call.cancel;
    let mut progress = begin(app, call);
    poll_fn(|context| progress.poll(cancel, context)).await
}

/// A call after its checks.
enum Progress<'a> {
    Started(StartedCall),
    /// The method does not run. `None` after the response.
    Ended(Option<completion::Answer>),
    /// A call that is refused, or that the body must decide about. Boxed, because it is rare.
    OverHttp(Pin<Box<dyn Future<Output = Response<Bytes>> + Send + 'a>>),
}

impl Progress<'_> {
    /// If the client cancels the call, the method can notice that.
    fn poll(&mut self, cancel: &CallCancel, context: &mut Context<'_>) -> Poll<Answer> {
        let answer = match self {
            Self::Started(call) => {
                if cancel.is_cancelled() {
                    call.cancel();
                }
                ready!(Pin::new(call).poll(context))
            }
            // Without a wake, `Pending` would never end.
            Self::Ended(answer) => answer
                .take()
                .unwrap_or(completion::Answer::Empty(StatusCode::INTERNAL_SERVER_ERROR)),
            Self::OverHttp(answering) => {
                return answering.as_mut().poll(context).map(Answer::Response);
            }
        };
        Poll::Ready(match answer {
            completion::Answer::Completion(framed) => Answer::Completion(framed),
            completion::Answer::Empty(status) => Answer::Response(empty(status)),
        })
    }
}

/// Checks a call and starts it.
fn begin(app: Arc<Inner>, call: ClientCall<'_>) -> Progress<'_> {
    let names = call.target.len() + call.invocation_id.map_or(0, str::len);
    let has_names = !call.target.is_empty() && call.invocation_id.is_none_or(|id| !id.is_empty());
    let fits = has_names && fits(&app, names, call.arguments.len());
    let Some((mount, known)) = known(&app, call.connection).filter(|_| fits) else {
        let cancel = call.cancel;
        return Progress::OverHttp(Box::pin(over_http(app, call.into_request(), cancel)));
    };
    let mut parts = parts(&app, &mount, &known, call.connection, call.request_id, call.began);
    parts.query = known.query(call.connection);
    parts.event = call.target.to_owned();
    parts.protocol = call.protocol;
    parts.arguments = call.arguments;
    parts.invocation_id = call.invocation_id.map(str::to_owned);
    parts.trace = call.trace.map(|trace| Box::new(trace.clone()));
    match method(&app, &mount, &parts) {
        Ok(method) => Progress::Started(StartedCall::new(app, mount, method, parts)),
        Err(answer) => Progress::Ended(Some(answer)),
    }
}

/// Handles one event. The service polls the future to completion.
pub(crate) async fn report(app: Arc<Inner>, event: ClientEvent<'_>) -> Response<Bytes> {
    let (category, error) = match event.change {
        Change::Connected => (Category::Connected, None),
        Change::Disconnected { error } => (Category::Disconnected, error),
    };
    let fits = fits(&app, error.map_or(0, str::len), 0);
    let Some((mount, known)) = known(&app, event.connection).filter(|_| fits) else {
        return over_http(app, event.into_request(), &CallCancel::default()).await;
    };
    if category == Category::Disconnected {
        forget(&app.upstream, &mount, &known.caller.connection_id);
    }
    let mut parts = parts(&app, &mount, &known, event.connection, event.request_id, Instant::now());
    parts.query = Query::parse(event.connection.query());
    parts.category = category;
    parts.event = event.change.name().to_owned();
    parts.error = error.map(Box::from);
    let answer = match method(&app, &mount, &parts) {
        Ok(method) => StartedCall::new(app, mount, method, parts).await,
        Err(answer) => answer,
    };
    answer.into_response(Protocol::Json, HeaderMap::new())
}

async fn over_http(
    app: Arc<Inner>,
    request: Request<Bytes>,
    cancel: &CallCancel,
) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    let body = http_body_util::Full::new(body);
    // Boxed, because it is rare and would enlarge the future of every call.
    let is_cancelled = || cancel.is_cancelled();
    Box::pin(handle(app, parts.headers, body, InvocationIds::OfClients, is_cancelled)).await
}

/// Whether the body over HTTP would certainly be within the limit. `texts` is the size of the texts that JSON would
/// escape.
fn fits(app: &Inner, texts: usize, arguments: usize) -> bool {
    let size = arguments.saturating_add(texts.saturating_mul(ESCAPED));
    size.saturating_add(FRAME) <= app.upstream.max_body
}

/// The hub and the caller of a connection, who is verified once. `None` if the caller is refused, or if each call needs
/// a check.
fn known(app: &Inner, facts: &ConnectionFacts) -> Option<(Arc<Mount>, Arc<Known>)> {
    if let Some(known) = facts.derived() {
        // Hubs are not unmounted.
        return Some((app.hubs.find_at_service(facts.hub())?.clone(), known));
    }
    let rules = caller_rules(app, Some(facts.hub()));
    // The service of another group signs with other keys. A call of the embedded service for its hub is checked as
    // over HTTP, and refused.
    if rules.group.upstream_tokens.is_some() || !rules.group.is_embedded {
        return None;
    }
    let mount = rules.mount?.clone();
    let caller = rules.check_facts(facts).ok()?;
    warn_once_about_missing_seal(&app.upstream, &caller, facts.claims().is_some());
    let known = Arc::new(Known { caller, query: OnceLock::new() });
    facts.derive_with(|| (Arc::clone(&known), known.size(facts)));
    Some((mount, known))
}

impl Known {
    fn query(&self, facts: &ConnectionFacts) -> Query {
        self.query.get_or_init(|| Query::parse(facts.query())).clone()
    }

    /// The memory that this uses and the facts do not, at most: a decoded query is as long as the raw one.
    fn size(&self, facts: &ConnectionFacts) -> usize {
        let pairs = |query: &str| query.split('&').count();
        let query = 2 * facts.query().len() + pairs(facts.query()) * size_of::<(String, String)>();
        let claims = self.caller.claims.iter().map(|(name, value)| name.len() + value.len());
        let claims =
            claims.sum::<usize>() + self.caller.claims.len() * size_of::<(String, String)>();
        size_of::<Self>() + query + claims
    }
}

/// The parts that calls and events have in common.
fn parts(
    app: &Inner,
    mount: &Mount,
    known: &Known,
    facts: &Arc<ConnectionFacts>,
    request_id: u64,
    began: Instant,
) -> InvocationParts {
    let Caller { connection_id, user_id, claims, .. } = known.caller.clone();
    InvocationParts {
        hub: Arc::clone(&mount.wire_name),
        category: Category::Message,
        event: String::new(),
        connection_id,
        user_id,
        claims,
        query: Query::default(),
        headers: CallHeaders::of_connection(Arc::clone(facts) as _, request_id),
        protocol: Protocol::Json,
        arguments: Bytes::new(),
        error: None,
        invocation_id: None,
        arrived: app.clock.elapsed_at(began),
        cancellation: Cancellation::new(),
        trace: None,
    }
}
