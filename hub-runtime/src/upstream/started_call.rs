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
    panics::poll_catching,
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
    span: Span,
    work: Work,
}

/// What runs in the span.
struct Work {
    app: Arc<Inner>,
    mount: Arc<Mount>,
    invocation: Arc<Invocation>,
    state: State,
    /// The method's name in telemetry.
    method: &'static str,
    watch: Stopwatch,
    /// A shutdown waits until every token is dropped.
    _running: TaskTrackerToken,
}

enum State {
    Running(Owned<Result<Reply, HubError>>),
    /// The close of a connection whose `connected` failed. Rare.
    Closing(Pin<Box<dyn Future<Output = ()> + Send>>),
    Ended,
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
        let (outbound, hub) = (Arc::clone(&mount.group.outbound), Arc::clone(&mount.hub));
        let watch = Stopwatch::start();
        let HubCall { invocation, outcome } =
            hub.call(row, parts, outbound, Arc::clone(&mount.wire_name));
        let (running, state) = (app.tasks.token(), State::Running(outcome));
        let work = Work { app, mount, invocation, state, method, watch, _running: running };
        Self { span, work }
    }
}

impl Future for StartedCall {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        let Self { span, work } = &mut *self;
        let _in_span = span.enter();
        work.poll(span, cx)
    }
}

impl Drop for StartedCall {
    fn drop(&mut self) {
        // The values of a method that are dropped may log.
        let _in_span = self.span.enter();
        self.work.state = State::Ended;
    }
}

impl Work {
    fn poll(&mut self, span: &Span, cx: &mut Context<'_>) -> Poll<Answer> {
        if let State::Running(call) = &mut self.state {
            let result = ready!(poll_catching(call.as_mut(), cx));
            self.state = State::Ended;
            span.record("outcome", telemetry::outcome(&result));
            if let Some(answer) = self.ended(result) {
                return Poll::Ready(answer);
            }
        }
        let State::Closing(closing) = &mut self.state else { return Poll::Pending };
        ready!(closing.as_mut().poll(cx));
        self.state = State::Ended;
        Poll::Ready(Answer::Empty(StatusCode::FORBIDDEN))
    }

    /// The response to the outcome of the hub's future. `None` if the connection is closed before.
    fn ended(&mut self, result: Result<Reply, HubError>) -> Option<Answer> {
        let Self { app, mount, invocation, .. } = self;
        app.counts.count(&result);
        telemetry::call_ended(&mount.wire_name, self.method, &result, self.watch);
        match (invocation.category(), result) {
            (Category::Connected, Err(error)) => {
                let refused = Refused {
                    app: Arc::clone(app),
                    outbound: Arc::clone(&mount.group.outbound),
                    hub: Arc::clone(&mount.wire_name),
                    connection_id: Arc::clone(invocation.shared_connection_id()),
                };
                self.state = State::Closing(Box::pin(refused.close(error)));
                None
            }
            (category, result) => {
                let (protocol, id) = (invocation.protocol(), invocation.invocation_id());
                let detail = app.upstream.error_detail;
                Some(completion::outcome(category, protocol, id, result, detail))
            }
        }
    }

    /// The headers of the request, after the end of the call. Empty if the app still uses them.
    fn take_headers(&mut self) -> HeaderMap {
        Arc::get_mut(&mut self.invocation).map(Invocation::take_headers).unwrap_or_default()
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
    pub(super) fn new(call: StartedCall, running: Option<RunningCall>) -> Self {
        let protocol = call.work.invocation.protocol();
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
        self.call.work.invocation.cancellation().cancel();
    }

    fn tasks(&self) -> &TaskTracker {
        &self.call.work.app.tasks
    }
}
