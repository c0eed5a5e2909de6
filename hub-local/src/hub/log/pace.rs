//! Waking many, a few at a time.
//!
//! If thousands were woken at once, whatever else wants to run would wait for all of them: the calls
//! that bring the next messages, above all. So they get in between, and those that are woken later
//! find more to write at once.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    task::Waker,
};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use crate::sync::lock;

/// How many are woken at once. Enough for all processors to be busy.
const FEW: usize = 64;

/// Those that are still to be woken.
#[derive(Debug)]
pub(super) struct Pace {
    queue: Mutex<Queue>,
    tasks: TaskTracker,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Waker>,
    /// A task sees to them.
    running: bool,
}

impl Pace {
    pub(super) fn new(tasks: TaskTracker) -> Arc<Self> {
        Arc::new(Self { queue: Mutex::default(), tasks })
    }

    /// Wakes all of them: the first now, the others as soon as what runs already has run.
    pub(super) fn wake(self: &Arc<Self>, mut wakers: Vec<Waker>) {
        if wakers.is_empty() {
            return;
        }
        let is_free = Handle::try_current().is_ok();
        let mut queue = lock(&self.queue);
        if !queue.running {
            let now = if is_free { wakers.len().min(FEW) } else { wakers.len() };
            let later = wakers.split_off(now);
            let starts = !later.is_empty();
            queue.waiting.extend(later);
            queue.running = starts;
            drop(queue);
            wakers.into_iter().for_each(Waker::wake);
            if starts {
                self.tasks.spawn(Arc::clone(self).run());
            }
            return;
        }
        queue.waiting.extend(wakers);
    }

    async fn run(self: Arc<Self>) {
        loop {
            // Everything that is ready runs before this does again, the news of sockets included.
            tokio::task::yield_now().await;
            let few: Vec<Waker> = {
                let mut queue = lock(&self.queue);
                let count = queue.waiting.len().min(FEW);
                queue.running = count > 0;
                queue.waiting.drain(..count).collect()
            };
            if few.is_empty() {
                return;
            }
            few.into_iter().for_each(Waker::wake);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn many_are_woken_a_few_at_a_time_and_all_of_them() {
        let (woken, tasks) = (Arc::new(Woken::default()), TaskTracker::new());
        let count = || woken.0.load(Ordering::SeqCst);
        let many = |count| vec![Waker::from(Arc::clone(&woken)); count];
        let pace = Pace::new(tasks.clone());

        pace.wake(many(3));
        assert_eq!(count(), 3);
        pace.wake(many(2 * FEW));
        pace.wake(many(1));
        assert_eq!(count(), 3 + FEW);
        tasks.close();
        tasks.wait().await;

        assert_eq!(count(), 4 + 2 * FEW);
        assert!(!lock(&pace.queue).running);
    }
}
