//! `WakePacer` wakes every queued writer.

use std::{future::poll_fn, sync::Arc, task::Poll};

use loom::thread;

use super::{FEW, explore};
use crate::{delivery::pace::WakePacer, task::TaskTracker, threads::block_on};

/// More receivers than a message may have to wake them at once.
const MANY: usize = 1000;

/// Two writers wait for two messages. The task that wakes the first one can end while the second one is queued.
pub fn a_writer_that_is_queued_while_the_task_ends_is_woken() {
    explore(FEW, || {
        let pace = WakePacer::new(TaskTracker);
        pace.use_current_runtime();
        let wait = |pace: Arc<WakePacer>| {
            let mut is_queued = false;
            block_on(poll_fn(|context| {
                if std::mem::replace(&mut is_queued, true) {
                    return Poll::Ready(());
                }
                pace.wake(vec![context.waker().clone()], MANY);
                Poll::Pending
            }));
        };

        let other = Arc::clone(&pace);
        let other = thread::spawn(move || wait(other));
        wait(pace);

        other.join().unwrap();
    });
}
