//! A wrapper for a future that is rarely ready and shares its task with a future that is often ready.
//!
//! Any wake-up of a task polls all futures of a `select!`, and polling an idle timer or socket costs as
//! much as writing a few messages. The wrapper polls its future only after that future's own waker fired.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use crate::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

/// Polls the inner future only after its own waker fired.
pub struct RarelyReady<F> {
    future: F,
    alarm: Arc<Alarm>,
    /// `alarm` as a waker, created once.
    waker: Waker,
    /// The task that the alarm wakes.
    task: Option<Waker>,
}

#[derive(Default)]
struct Alarm {
    fired: AtomicBool,
    /// A wake clones this waker instead of taking it: a delayed wake must not remove the waker of the next
    /// wait.
    task: Mutex<Option<Waker>>,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.fired.swap(true, Ordering::AcqRel);
        self.wake_task();
    }
}

impl Alarm {
    fn wake_task(&self) {
        let task = self.task.lock().clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl<F> fmt::Debug for RarelyReady<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RarelyReady")
    }
}

impl<F: Future + Unpin> RarelyReady<F> {
    /// Wraps a future.
    pub fn new(future: F) -> Self {
        let alarm = Arc::new(Alarm::default());
        Self { future, waker: Waker::from(Arc::clone(&alarm)), alarm, task: None }
    }
}

impl<F: Future + Unpin> Future for RarelyReady<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let is_registered = this.task.as_ref().is_some_and(|task| task.will_wake(context.waker()));
        if !is_registered {
            this.task = Some(context.waker().clone());
            this.alarm.task.lock().clone_from(&this.task);
        }
        // AcqRel swaps on both sides: if this swap reads `true`, the writes before the wake are visible to the
        // future. A plain store would not synchronize with the waker.
        let fired = this.alarm.fired.swap(false, Ordering::AcqRel);
        if is_registered && !fired {
            return Poll::Pending;
        }
        Pin::new(&mut this.future).poll(&mut Context::from_waker(&this.waker))
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::poll_fn, time::Duration};

    use tokio::{sync::Notify, task::yield_now, time::sleep};

    use super::*;

    #[tokio::test]
    async fn the_future_is_polled_only_when_it_was_woken() {
        let (polls, notify) = (Cell::new(0), Notify::new());
        let mut notified = std::pin::pin!(notify.notified());
        let counted = poll_fn(|context| {
            polls.set(polls.get() + 1);
            notified.as_mut().poll(context)
        });
        let mut rarely_ready = RarelyReady::new(counted);

        for _ in 0..5 {
            assert!(futures_util::poll!(&mut rarely_ready).is_pending());
            yield_now().await;
        }
        assert_eq!(polls.get(), 1);
        notify.notify_one();
        rarely_ready.await;

        assert_eq!(polls.get(), 2);
    }

    /// Counts the wake-ups of the task.
    #[derive(Default)]
    struct Task(std::sync::atomic::AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn an_interrupted_wake_does_not_suppress_a_later_one() {
        let (task, polls) = (Arc::new(Task::default()), Cell::new(0));
        let waker = Waker::from(Arc::clone(&task));
        let mut context = Context::from_waker(&waker);
        let mut rarely_ready = RarelyReady::new(poll_fn(|_| {
            polls.set(polls.get() + 1);
            Poll::<()>::Pending
        }));
        assert!(Pin::new(&mut rarely_ready).poll(&mut context).is_pending());

        // A thread has set the flag but not yet woken the task. The task is polled for another reason.
        let alarm = Arc::clone(&rarely_ready.alarm);
        alarm.fired.swap(true, Ordering::AcqRel);
        assert!(Pin::new(&mut rarely_ready).poll(&mut context).is_pending());
        alarm.wake_task();
        assert!(Pin::new(&mut rarely_ready).poll(&mut context).is_pending());
        assert_eq!(polls.get(), 2);
        alarm.wake_by_ref();

        assert_eq!(task.0.load(Ordering::SeqCst), 2);
        assert!(Pin::new(&mut rarely_ready).poll(&mut context).is_pending());
        assert_eq!(polls.get(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wake_reaches_the_current_waiter() {
        let mut rarely_ready = RarelyReady::new(Box::pin(sleep(Duration::from_secs(1))));
        assert!(futures_util::poll!(&mut rarely_ready).is_pending());

        tokio::time::timeout(Duration::from_secs(2), rarely_ready).await.unwrap();
    }
}
