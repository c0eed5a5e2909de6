//! `WakePacer` wakes every queued writer.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Poll, Waker},
};

use loom::thread;

use super::{FEW, Hub, SOME, explore, frame, read};
use crate::{
    delivery::{outbox::PushOutcome, pace::WakePacer},
    task::TaskTracker,
    threads::block_on,
};

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

/// The writer sleeps before, between or after a message to its client and one whose wake-up comes later.
pub fn a_writer_is_woken_at_once_or_later_for_each_message() {
    explore(SOME, || {
        let outbox = Hub::new().outbox(100);
        let paced = Arc::clone(&outbox);
        let paced = thread::spawn(move || {
            let (outcome, writer) = paced.push_and_wake_later(frame(1));
            assert_eq!(outcome, PushOutcome::Queued);
            writer.into_iter().for_each(Waker::wake);
        });
        let direct = Arc::clone(&outbox);
        let direct = thread::spawn(move || {
            assert_eq!(direct.push(frame(2)), PushOutcome::Queued);
        });

        let mut seen = read(&outbox, 2);

        seen.sort_unstable();
        assert_eq!(seen, [1, 2]);
        paced.join().unwrap();
        direct.join().unwrap();
    });
}
