//! Waking many, a few at a time.
//!
//! If thousands were woken at once, whatever else wants to run would wait for all of them: the calls
//! that bring the next messages, above all. So they get in between, and those that are woken later
//! find more to write at once.

use std::{collections::VecDeque, sync::Arc, task::Waker};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use crate::sync::{Mutex, OnceLock};

/// How many are woken at once. Enough for all processors to be busy.
const FEW: usize = 64;

/// Those that are still to be woken.
#[derive(Debug)]
pub(super) struct WakePacer {
    queue: Mutex<Queue>,
    tasks: TaskTracker,
    /// The runtime of the connections. That of a sender may not be driven all the time.
    runtime: OnceLock<Handle>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Waker>,
    /// A task sees to them.
    running: bool,
}

impl WakePacer {
    pub(super) fn new(tasks: TaskTracker) -> Arc<Self> {
        Arc::new(Self { queue: Mutex::default(), tasks, runtime: OnceLock::new() })
    }

    /// A connection that runs here is to be woken from now on.
    pub(super) fn use_current_runtime(&self) {
        if self.runtime.get().is_none()
            && let Ok(handle) = Handle::try_current()
        {
            let _ = self.runtime.set(handle);
        }
    }

    /// Wakes all of them: the first now, the others as soon as what runs already has run.
    pub(super) fn wake(self: &Arc<Self>, mut wakers: Vec<Waker>) {
        if wakers.is_empty() {
            return;
        }
        let Some(runtime) = self.runtime.get() else {
            return wakers.into_iter().for_each(Waker::wake);
        };
        let mut queue = self.queue.lock();
        if queue.running {
            queue.waiting.extend(wakers);
            return;
        }
        let later = wakers.split_off(wakers.len().min(FEW));
        queue.running = !later.is_empty();
        let starts = queue.running.then(|| QueuedWakes(Arc::clone(self)));
        queue.waiting.extend(later);
        drop(queue);
        wakers.into_iter().for_each(Waker::wake);
        if let Some(rest) = starts {
            self.tasks.spawn_on(rest.wake(), runtime);
        }
    }
}

/// Whoever is not woken yet. They are woken at once when the task ends early, with its runtime.
struct QueuedWakes(Arc<WakePacer>);

impl QueuedWakes {
    async fn wake(self) {
        loop {
            // Everything that is ready runs before this does again, the news of sockets included.
            tokio::task::yield_now().await;
            let few: Vec<Waker> = {
                let mut queue = self.0.queue.lock();
                let count = queue.waiting.len().min(FEW);
                queue.waiting.drain(..count).collect()
            };
            if few.is_empty() {
                return;
            }
            few.into_iter().for_each(Waker::wake);
        }
    }
}

impl Drop for QueuedWakes {
    fn drop(&mut self) {
        let waiting = {
            let mut queue = self.0.queue.lock();
            queue.running = false;
            std::mem::take(&mut queue.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
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
        let pace = WakePacer::new(tasks.clone());
        pace.use_current_runtime();

        pace.wake(many(3));
        assert_eq!(count(), 3);
        pace.wake(many(2 * FEW));
        pace.wake(many(1));
        assert_eq!(count(), 3 + FEW);
        tasks.close();
        tasks.wait().await;

        assert_eq!(count(), 4 + 2 * FEW);
        assert!(!pace.queue.lock().running);
    }

    #[test]
    fn a_runtime_that_ends_leaves_nobody_asleep() {
        let (woken, tasks) = (Arc::new(Woken::default()), TaskTracker::new());
        let count = || woken.0.load(Ordering::SeqCst);
        let many = |count| vec![Waker::from(Arc::clone(&woken)); count];
        let pace = WakePacer::new(tasks);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { pace.use_current_runtime() });

        pace.wake(many(3 * FEW));
        assert_eq!(count(), FEW);
        drop(runtime);
        assert_eq!(count(), 3 * FEW);
        pace.wake(many(2 * FEW));

        assert_eq!(count(), 5 * FEW);
    }
}
