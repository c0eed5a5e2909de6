//! A future that is seldom ready, beside one that often is.
//!
//! Whatever wakes a task, all of the task's futures are polled, and polling a timer or a socket that
//! has nothing to say costs as much as some messages do. This one is polled when it asked for it.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use crate::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

/// Polls the future inside only after it was woken.
pub(crate) struct RarelyReady<F> {
    future: F,
    alarm: Arc<Alarm>,
    /// `alarm` as a waker, made once.
    waker: Waker,
    /// Whom the alarm wakes.
    task: Option<Waker>,
}

#[derive(Default)]
struct Alarm {
    rung: AtomicBool,
    /// Stays here when it is used: a wake that comes late must not take it from the next one.
    task: Mutex<Option<Waker>>,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.swap(true, Ordering::AcqRel);
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

impl<F: Future + Unpin> RarelyReady<F> {
    pub(crate) fn new(future: F) -> Self {
        let alarm = Arc::new(Alarm::default());
        Self { future, waker: Waker::from(Arc::clone(&alarm)), alarm, task: None }
    }

    /// The future itself; it is polled next time, since who touches it may change when it is ready.
    pub(crate) fn inner(&mut self) -> &mut F {
        self.task = None;
        &mut self.future
    }
}

impl<F: Future + Unpin> Future for RarelyReady<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let known = this.task.as_ref().is_some_and(|task| task.will_wake(context.waker()));
        if !known {
            this.task = Some(context.waker().clone());
            this.alarm.task.lock().clone_from(&this.task);
        }
        // The swap orders what the waker did before what the future sees; a plain store would not.
        let rung = this.alarm.rung.swap(false, Ordering::AcqRel);
        if known && !rung {
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
    async fn it_is_polled_when_it_was_woken_and_not_when_the_task_was() {
        let (polls, notify) = (Cell::new(0), Notify::new());
        let mut notified = std::pin::pin!(notify.notified());
        let counted = poll_fn(|context| {
            polls.set(polls.get() + 1);
            notified.as_mut().poll(context)
        });
        let mut seldom = RarelyReady::new(counted);

        for _ in 0..5 {
            assert!(futures_util::poll!(&mut seldom).is_pending());
            yield_now().await;
        }
        assert_eq!(polls.get(), 1);
        notify.notify_one();
        seldom.await;

        assert_eq!(polls.get(), 2);
    }

    /// Counts how often the task is woken.
    #[derive(Default)]
    struct Task(std::sync::atomic::AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_wake_that_was_interrupted_half_way_takes_no_later_one_away() {
        let (task, polls) = (Arc::new(Task::default()), Cell::new(0));
        let waker = Waker::from(Arc::clone(&task));
        let mut context = Context::from_waker(&waker);
        let mut seldom = RarelyReady::new(poll_fn(|_| {
            polls.set(polls.get() + 1);
            Poll::<()>::Pending
        }));
        assert!(Pin::new(&mut seldom).poll(&mut context).is_pending());

        // One thread has rung and not yet woken; the task is polled for another reason meanwhile.
        let alarm = Arc::clone(&seldom.alarm);
        alarm.rung.swap(true, Ordering::AcqRel);
        assert!(Pin::new(&mut seldom).poll(&mut context).is_pending());
        alarm.wake_task();
        assert!(Pin::new(&mut seldom).poll(&mut context).is_pending());
        assert_eq!(polls.get(), 2);
        alarm.wake_by_ref();

        assert_eq!(task.0.load(Ordering::SeqCst), 2);
        assert!(Pin::new(&mut seldom).poll(&mut context).is_pending());
        assert_eq!(polls.get(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn it_wakes_whoever_awaits_it_now() {
        let mut seldom = RarelyReady::new(Box::pin(sleep(Duration::from_secs(1))));
        assert!(futures_util::poll!(&mut seldom).is_pending());

        tokio::time::timeout(Duration::from_secs(2), seldom).await.unwrap();
    }
}
