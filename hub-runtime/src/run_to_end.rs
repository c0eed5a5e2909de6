//! Runs a started call to completion, even when the peer closes the connection.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// A call that can continue in a task of its own.
pub(crate) trait Call: Future<Output: Send + 'static> + Send + Unpin + 'static {
    /// Called when the peer closes the connection before the response, or does not wait for it.
    fn peer_left(&self);

    /// The tasks in which the call continues.
    fn tasks(&self) -> &TaskTracker;
}

/// Runs `call` in place. hyper drops this future when the peer closes the connection. The call then continues in a
/// task of the tracker.
pub(crate) struct RunToEnd<C: Call> {
    /// `None` after the end of the call.
    call: Option<C>,
    progress: Progress,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    NotStarted,
    /// A poll has not returned. If the value is dropped now, the poll panicked.
    Polling,
    Pending,
}

impl<C: Call> RunToEnd<C> {
    pub(crate) fn new(call: C) -> Self {
        Self { call: Some(call), progress: Progress::NotStarted }
    }

    /// Tells the call that its response is not awaited. The call goes on in place.
    pub(crate) fn cancel(&self) {
        self.call.iter().for_each(C::peer_left);
    }
}

impl<C: Call> Future for RunToEnd<C> {
    type Output = C::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Output> {
        let Self { call: Some(call), progress } = &mut *self else { return Poll::Pending };
        *progress = Progress::Polling;
        let Poll::Ready(output) = Pin::new(call).poll(cx) else {
            *progress = Progress::Pending;
            return Poll::Pending;
        };
        self.call = None;
        Poll::Ready(output)
    }
}

impl<C: Call> Drop for RunToEnd<C> {
    fn drop(&mut self) {
        // A call whose poll panicked is not polled again.
        let is_pending = self.progress == Progress::Pending;
        let Some(call) = self.call.take().filter(|_| is_pending) else { return };
        call.peer_left();
        // Outside a runtime the process is shutting down, and no executor could poll the call.
        if Handle::try_current().is_ok() {
            let tasks = call.tasks().clone();
            tasks.spawn(call);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use hub_core::Cancellation;
    use tokio::sync::Notify;

    use super::*;

    struct Cancellable {
        work: Pin<Box<dyn Future<Output = ()> + Send>>,
        cancellation: Cancellation,
        tasks: TaskTracker,
    }

    impl Future for Cancellable {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            self.work.as_mut().poll(cx)
        }
    }

    impl Call for Cancellable {
        fn peer_left(&self) {
            self.cancellation.cancel();
        }

        fn tasks(&self) -> &TaskTracker {
            &self.tasks
        }
    }

    #[tokio::test]
    async fn a_dropped_call_continues_and_its_cancellation_is_cancelled() {
        let (effects, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let (tasks, cancellation) = (TaskTracker::new(), Cancellation::new());
        let work = {
            let (effects, gate, token) = (effects.clone(), gate.clone(), cancellation.clone());
            Box::pin(async move {
                effects.fetch_add(1, Ordering::SeqCst);
                gate.notified().await;
                assert!(token.is_cancelled());
                effects.fetch_add(1, Ordering::SeqCst);
            })
        };
        let call = Cancellable { work, cancellation: cancellation.clone(), tasks: tasks.clone() };
        let mut running = Box::pin(RunToEnd::new(call));
        assert!(futures_util::poll!(&mut running).is_pending());

        drop(running);
        gate.notify_one();
        tasks.close();
        tasks.wait().await;

        assert!(cancellation.is_cancelled());
        assert_eq!(effects.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_call_whose_poll_panicked_does_not_continue() {
        let (tasks, cancellation) = (TaskTracker::new(), Cancellation::new());
        let mut polls = 0;
        let work = Box::pin(std::future::poll_fn(move |_| {
            polls += 1;
            assert!(polls == 1, "the second poll panics");
            Poll::Pending
        }));
        let call = Cancellable { work, cancellation: cancellation.clone(), tasks: tasks.clone() };
        let mut running = Box::pin(RunToEnd::new(call));
        assert!(futures_util::poll!(&mut running).is_pending());

        let polled = tokio::spawn(running).await;

        assert!(polled.unwrap_err().is_panic());
        assert!(tasks.is_empty() && !cancellation.is_cancelled());
    }
}
