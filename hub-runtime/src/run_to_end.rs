//! Runs a started call to completion, even when the peer closes the connection.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use hub_core::Cancellation;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Runs `call` in place. hyper drops this future when the peer closes the connection. The cancellation then
/// fires, and the call continues in a task of the tracker.
pub(crate) struct RunToEnd<T: Send + 'static> {
    call: Option<Boxed<T>>,
    begun: bool,
    cancellation: Cancellation,
    tasks: TaskTracker,
}

impl<T: Send + 'static> RunToEnd<T> {
    pub(crate) fn new(
        call: impl Future<Output = T> + Send + 'static,
        cancellation: Cancellation,
        tasks: TaskTracker,
    ) -> Self {
        Self { call: Some(Box::pin(call)), begun: false, cancellation, tasks }
    }
}

impl<T: Send + 'static> Future for RunToEnd<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.begun = true;
        let Some(call) = self.call.as_mut() else { return Poll::Pending };
        let Poll::Ready(output) = call.as_mut().poll(cx) else { return Poll::Pending };
        self.call = None;
        Poll::Ready(output)
    }
}

impl<T: Send + 'static> Drop for RunToEnd<T> {
    fn drop(&mut self) {
        let Some(call) = self.call.take().filter(|_| self.begun) else { return };
        self.cancellation.cancel();
        // Outside a runtime the process is shutting down, and no executor could poll the call.
        if Handle::try_current().is_ok() {
            self.tasks.spawn(call);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn a_dropped_call_continues_and_its_cancellation_is_cancelled() {
        let (effects, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let (tasks, cancellation) = (TaskTracker::new(), Cancellation::new());
        let call = {
            let (effects, gate, token) = (effects.clone(), gate.clone(), cancellation.clone());
            async move {
                effects.fetch_add(1, Ordering::SeqCst);
                gate.notified().await;
                assert!(token.is_cancelled());
                effects.fetch_add(1, Ordering::SeqCst);
            }
        };
        let mut running = Box::pin(RunToEnd::new(call, cancellation.clone(), tasks.clone()));
        assert!(futures_util::poll!(&mut running).is_pending());

        drop(running);
        gate.notify_one();
        tasks.close();
        tasks.wait().await;

        assert!(cancellation.is_cancelled());
        assert_eq!(effects.load(Ordering::SeqCst), 2);
    }
}
