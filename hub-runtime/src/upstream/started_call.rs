//! A started call: runs the future of the hub in the span of the call, and creates the response.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use hub_core::{
    Category, HubError, Invocation, InvocationParts, Reply,
    mounted::{HubCall, Owned},
    panics::{caught, poll_catching},
    protocol::Protocol,
};
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};
use tracing::Span;

use super::{
    Method,
    completion::{self, Answer},
    refused::Refused,
    replay::RunningCall,
};
use crate::{
    run_to_end::Call,
    shared::{Inner, Mount},
    telemetry::{self, Stopwatch},
};

/// A call that runs its filters and its method.
///
/// Not an `async fn`: the box of the hub's future is the only one of a call, and the state around it needs none.
pub(super) struct StartedCall {
    work: Work,
    /// The last field, so that it is closed last.
    span: Span,
}

/// What runs in the span.
struct Work {
    app: Arc<Inner>,
    mount: Arc<Mount>,
    state: State,
    /// The method's name in telemetry.
    method: &'static str,
    watch: Stopwatch,
    /// A shutdown waits until every token is dropped.
    _running: TaskTrackerToken,
}

enum State {
    Running {
        outcome: Owned<Result<Reply, HubError>>,
        invocation: Arc<Invocation>,
    },
    /// The close of a connection whose `connected` failed. Rare.
    Closing(Owned<Result<(), HubError>>),
    /// Only the headers of the request are used. `None` if the app still uses them.
    Ended(Option<Arc<Invocation>>),
}

impl StartedCall {
    pub(super) fn new(
        app: Arc<Inner>,
        mount: Arc<Mount>,
        method: Method,
        parts: InvocationParts,
    ) -> Self {
        let Method { row, name: method } = method;
        let span = telemetry::call_span(&mount.wire_name, method, &parts.connection_id);
        if let (Some(trace), Some(propagator)) = (&parts.trace, &app.upstream.propagator.0) {
            propagator.extract(&span, trace);
        }
        let (outbound, hub) = (Arc::clone(&mount.group.outbound), Arc::clone(&mount.hub));
        let watch = Stopwatch::start();
        let HubCall { invocation, outcome } =
            hub.call(row, parts, outbound, Arc::clone(&mount.wire_name));
        let (running, state) = (app.tasks.token(), State::Running { outcome, invocation });
        let work = Work { app, mount, state, method, watch, _running: running };
        Self { work, span }
    }

    /// Tells the method that no response is awaited.
    pub(super) fn cancel(&self) {
        if let State::Running { invocation, .. } = &self.work.state {
            invocation.cancellation().cancel();
        }
    }
}

impl Future for StartedCall {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        let Self { work, span } = &mut *self;
        let _in_span = span.enter();
        work.poll(span, cx)
    }
}

impl Drop for StartedCall {
    fn drop(&mut self) {
        // The values of a method that are dropped may log.
        let _in_span = self.span.enter();
        self.work.state = State::Ended(None);
    }
}

impl Work {
    fn poll(&mut self, span: &Span, cx: &mut Context<'_>) -> Poll<Answer> {
        if let State::Running { outcome, .. } = &mut self.state {
            let result = ready!(poll_catching(outcome.as_mut(), cx));
            if let Some(answer) = self.ended(span, result) {
                return Poll::Ready(answer);
            }
        }
        if let State::Closing(closing) = &mut self.state {
            let closed = ready!(poll_catching(closing.as_mut(), cx));
            self.state = State::Ended(None);
            if let Err(panicked) = closed {
                // A subscriber that panicked may panic again.
                let _ = caught(|| {
                    tracing::error!(
                        cause = panicked.text(),
                        "the close of a refused connection panicked: the connection may still receive messages"
                    );
                });
            }
            return Poll::Ready(Answer::Empty(StatusCode::FORBIDDEN));
        }
        // The call has ended. Without a wake, `Pending` would never end.
        Poll::Ready(Answer::Empty(StatusCode::INTERNAL_SERVER_ERROR))
    }

    /// The response to the outcome of the hub's future. `None` if the connection is closed before.
    ///
    /// Code of the app runs here too: the `Drop` of extensions and errors, recorders of metrics, and subscribers of
    /// `tracing`. Its panics are errors of the call.
    fn ended(&mut self, span: &Span, result: Result<Reply, HubError>) -> Option<Answer> {
        let state = std::mem::replace(&mut self.state, State::Ended(None));
        let State::Running { outcome, invocation } = state else { return None };
        let (call, values) = invocation.end();
        self.state = State::Ended(call.invocation);
        let work = &*self;
        // A closure that owns the result also drops it, if it panics.
        let result = caught(move || {
            drop((outcome, values));
            result
        });
        let result = caught(move || {
            let result = result.flatten();
            work.record(span, &result);
            result
        });
        let result = result.flatten();
        let detail = self.app.upstream.error_detail;
        let (category, protocol, id) =
            (call.category, call.protocol, call.invocation_id.as_deref());
        match (category, result) {
            (Category::Connected, Err(error)) => {
                self.state = State::Closing(self.close(call.connection_id, error));
                None
            }
            (_, result) => {
                let answer = caught(|| completion::outcome(category, protocol, id, result, detail));
                Some(answer.unwrap_or_else(|_| completion::unlogged(category, protocol, id)))
            }
        }
    }

    fn record(&self, span: &Span, result: &Result<Reply, HubError>) {
        self.app.counts.count(result);
        span.record("outcome", telemetry::outcome(result));
        telemetry::call_ended(&self.mount.wire_name, self.method, result, self.watch);
    }

    fn close(&self, connection_id: Arc<str>, error: HubError) -> Owned<Result<(), HubError>> {
        let refused = Refused {
            app: Arc::clone(&self.app),
            outbound: Arc::clone(&self.mount.group.outbound),
            hub: Arc::clone(&self.mount.wire_name),
            connection_id,
        };
        Box::pin(async move {
            refused.close(error).await;
            Ok(())
        })
    }

    /// The headers of the request, after the end of the call. Empty if the app still uses them.
    fn take_headers(&mut self) -> HeaderMap {
        match &mut self.state {
            State::Ended(Some(invocation)) => {
                Arc::get_mut(invocation).map(Invocation::take_headers).unwrap_or_default()
            }
            State::Ended(None) | State::Running { .. } | State::Closing(_) => HeaderMap::new(),
        }
    }
}

/// A call over HTTP. Dropping this value before its end lets copies of the call fail.
pub(super) struct HttpCall {
    call: StartedCall,
    protocol: Protocol,
    /// Present if copies of the call can be detected.
    running: Option<RunningCall>,
}

impl HttpCall {
    pub(super) fn new(call: StartedCall, protocol: Protocol, running: Option<RunningCall>) -> Self {
        Self { call, protocol, running }
    }
}

impl Future for HttpCall {
    type Output = Response<Bytes>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response<Bytes>> {
        let answer = ready!(Pin::new(&mut self.call).poll(cx));
        let response = answer.into_response(self.protocol, self.call.work.take_headers());
        if let Some(running) = self.running.take() {
            running.finish(&response);
        }
        Poll::Ready(response)
    }
}

impl Call for HttpCall {
    fn peer_left(&self) {
        self.call.cancel();
    }

    fn tasks(&self) -> &TaskTracker {
        &self.call.work.app.tasks
    }
}
