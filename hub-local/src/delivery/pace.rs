//! Wakes many tasks in batches.
//!
//! If a broadcast woke thousands of tasks at once, other tasks, such as the REST calls with the next
//! messages, would wait until all woken tasks have run. With batches, other tasks run between two batches,
//! and readers that are woken later write more messages at once.

use std::{collections::VecDeque, sync::Arc, task::Waker};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use crate::sync::{Mutex, OnceLock};

/// Number of tasks per batch; enough to keep all processors busy.
const WAKE_BATCH: usize = 64;

/// Queue of wakers.
#[derive(Debug)]
pub(super) struct WakePacer {
    queue: Mutex<Queue>,
    tasks: TaskTracker,
    /// The runtime of the connections. Not the runtime of a sender, which may not run continuously.
    runtime: OnceLock<Handle>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Waker>,
    /// Whether a task is waking the queued wakers.
    running: bool,
}

impl WakePacer {
    pub(super) fn new(tasks: TaskTracker) -> Arc<Self> {
        Arc::new(Self { queue: Mutex::default(), tasks, runtime: OnceLock::new() })
    }

    /// Uses the current runtime for later batches, unless a runtime is already set.
    pub(super) fn use_current_runtime(&self) {
        if self.runtime.get().is_none()
            && let Ok(handle) = Handle::try_current()
        {
            let _ = self.runtime.set(handle);
        }
    }

    /// Wakes the first batch now and the other batches from a task.
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
        let later = wakers.split_off(wakers.len().min(WAKE_BATCH));
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

/// The task that wakes the queued wakers. Dropping the task, for example when its runtime shuts down, wakes
/// the remaining wakers at once.
struct QueuedWakes(Arc<WakePacer>);

impl QueuedWakes {
    async fn wake(self) {
        loop {
            // `yield_now` defers this task until the ready tasks have run and I/O events were polled.
            tokio::task::yield_now().await;
            let batch: Vec<Waker> = {
                let mut queue = self.0.queue.lock();
                let count = queue.waiting.len().min(WAKE_BATCH);
                queue.waiting.drain(..count).collect()
            };
            if batch.is_empty() {
                return;
            }
            batch.into_iter().for_each(Waker::wake);
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
    struct WakeCounter(AtomicUsize);

    impl std::task::Wake for WakeCounter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn waiters_are_woken_in_batches_until_all_are_awake() {
        let (woken, tasks) = (Arc::new(WakeCounter::default()), TaskTracker::new());
        let count = || woken.0.load(Ordering::SeqCst);
        let many = |count| vec![Waker::from(Arc::clone(&woken)); count];
        let pace = WakePacer::new(tasks.clone());
        pace.use_current_runtime();

        pace.wake(many(3));
        assert_eq!(count(), 3);
        pace.wake(many(2 * WAKE_BATCH));
        pace.wake(many(1));
        assert_eq!(count(), 3 + WAKE_BATCH);
        tasks.close();
        tasks.wait().await;

        assert_eq!(count(), 4 + 2 * WAKE_BATCH);
        assert!(!pace.queue.lock().running);
    }

    #[test]
    fn the_end_of_a_runtime_wakes_all_waiters() {
        let (woken, tasks) = (Arc::new(WakeCounter::default()), TaskTracker::new());
        let count = || woken.0.load(Ordering::SeqCst);
        let many = |count| vec![Waker::from(Arc::clone(&woken)); count];
        let pace = WakePacer::new(tasks);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { pace.use_current_runtime() });

        pace.wake(many(3 * WAKE_BATCH));
        assert_eq!(count(), WAKE_BATCH);
        drop(runtime);
        assert_eq!(count(), 3 * WAKE_BATCH);
        pace.wake(many(2 * WAKE_BATCH));

        assert_eq!(count(), 5 * WAKE_BATCH);
    }
}
