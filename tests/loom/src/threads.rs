//! Blocks a thread on a future. The thread sleeps until its waker is called. If that never happens,
//! loom reports a deadlock.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use loom::sync::Notify;

/// Wakes one thread. Everything before the wake is visible after it, as with every executor.
pub(crate) struct Thread(Notify);

impl Wake for Thread {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }
}

impl Thread {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Notify::new()))
    }

    pub(crate) fn sleep(&self) {
        self.0.wait();
    }
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let thread = Thread::new();
    let waker = Waker::from(Arc::clone(&thread));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        thread.sleep();
    }
}
