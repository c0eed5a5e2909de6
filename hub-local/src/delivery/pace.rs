//! Wakes the writers of the receivers of a message, in batches.
//!
//! If a message to many clients woke all writers at once, other tasks, such as the REST calls with the next
//! messages, would wait until all writers have written. Between two batches the runtime reads the requests that have arrived.
//! Writers that are woken later then write more messages with one system call.

use std::{collections::VecDeque, sync::Arc, task::Waker};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use crate::sync::{Mutex, OnceLock};

/// The number of writers that are woken together: enough to keep all processors busy, and few enough that a request
/// waits for a few writes only.
pub(crate) const WAKE_BATCH: usize = 16;
/// The number of batches after which the last queued writer is awake, at most.
const MOST_BATCHES: usize = 64;

/// Queue of wakers.
#[derive(Debug)]
pub(crate) struct WakePacer {
    queue: Mutex<Queue>,
    tasks: TaskTracker,
    /// The runtime of the connections. Not the runtime of a sender, which may not run continuously.
    runtime: OnceLock<Handle>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Waker>,
    /// The number of messages since the last batch.
    messages: usize,
    /// Whether a task is waking the queued wakers.
    running: bool,
}

impl Queue {
    /// Takes the next wakers: one batch, or as many as messages were sent since the last batch. So the messages that
    /// are sent until all queued writers are awake do not outnumber these writers by much, at any rate of sends.
    ///
    /// A writer that wakes for another reason, such as a frame of its client, is queued again with the next message.
    /// With a share of the queue in each batch, the queue has at most [`MOST_BATCHES`] entries for each writer, because a
    /// message adds at most one of each, and no writer waits for long.
    fn next_batch(&mut self) -> Vec<Waker> {
        let messages = std::mem::take(&mut self.messages);
        let share = self.waiting.len().div_ceil(MOST_BATCHES);
        let count = self.waiting.len().min(WAKE_BATCH.max(messages).max(share));
        self.waiting.drain(..count).collect()
    }
}

impl WakePacer {
    pub(crate) fn new(tasks: TaskTracker) -> Arc<Self> {
        Arc::new(Self { queue: Mutex::default(), tasks, runtime: OnceLock::new() })
    }

    /// Uses the current runtime for later batches, unless a runtime is already set.
    pub(crate) fn use_current_runtime(&self) {
        if self.runtime.get().is_none()
            && let Ok(handle) = Handle::try_current()
        {
            let _ = self.runtime.set(handle);
        }
    }

    /// Whether the wake-ups of a message to this many clients may come later.
    pub(crate) fn is_for(receivers: usize) -> bool {
        receivers > WAKE_BATCH
    }

    /// Wakes the writers of one message: at once if the message has at most [`WAKE_BATCH`] receivers, and in batches
    /// from a task if it has more. `wakers` are those of the receivers that wait for a message.
    pub(crate) fn wake(self: &Arc<Self>, wakers: Vec<Waker>, receivers: usize) {
        let runtime = self.runtime.get().filter(|_| Self::is_for(receivers));
        let Some(runtime) = runtime else {
            return wakers.into_iter().for_each(Waker::wake);
        };
        let mut queue = self.queue.lock();
        let starts = !queue.running && !wakers.is_empty();
        if starts {
            (queue.running, queue.messages) = (true, 0);
        }
        queue.messages += 1;
        queue.waiting.extend(wakers);
        drop(queue);
        if starts {
            self.tasks.spawn_on(QueuedWakes(Arc::clone(self)).wake(), runtime);
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
            let batch = self.0.queue.lock().next_batch();
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

    fn many(woken: &Arc<WakeCounter>, count: usize) -> Vec<Waker> {
        vec![Waker::from(Arc::clone(woken)); count]
    }

    #[tokio::test]
    async fn a_message_to_few_clients_wakes_them_at_once() {
        let woken = Arc::new(WakeCounter::default());
        let pace = WakePacer::new(TaskTracker::new());
        pace.use_current_runtime();
        pace.wake(many(&woken, 2 * WAKE_BATCH), 2 * WAKE_BATCH);

        pace.wake(many(&woken, WAKE_BATCH), WAKE_BATCH);

        assert_eq!(woken.0.load(Ordering::SeqCst), WAKE_BATCH);
    }

    #[tokio::test]
    async fn other_tasks_run_before_each_batch_and_their_messages_need_no_batch_of_their_own() {
        let (woken, tasks) = (Arc::new(WakeCounter::default()), TaskTracker::new());
        let count = || woken.0.load(Ordering::SeqCst);
        let (pace, all) = (WakePacer::new(tasks.clone()), 2 * WAKE_BATCH + 1);
        pace.use_current_runtime();

        pace.wake(many(&woken, all), all);
        pace.wake(Vec::new(), all);
        let mut seen = vec![count()];
        while count() < all {
            tokio::task::yield_now().await;
            seen.push(count());
        }
        tasks.close();
        tasks.wait().await;

        seen.dedup();
        assert_eq!(seen, [0, WAKE_BATCH, 2 * WAKE_BATCH, all]);
        assert!(!pace.queue.lock().running);
    }

    #[tokio::test]
    async fn a_batch_is_as_large_as_the_number_of_messages_since_the_last_one() {
        let woken = Arc::new(WakeCounter::default());
        let (pace, all) = (WakePacer::new(TaskTracker::new()), 10 * WAKE_BATCH);
        pace.use_current_runtime();
        (0..100).for_each(|_| pace.wake(Vec::new(), all));
        pace.wake(many(&woken, all), all);
        for _ in 1..3 * WAKE_BATCH {
            pace.wake(Vec::new(), all);
        }

        let sizes = [0; 3].map(|_| pace.queue.lock().next_batch().len());

        assert_eq!(sizes, [3 * WAKE_BATCH, WAKE_BATCH, WAKE_BATCH]);
    }

    /// Each message queues the writers of the last batch again, and some that wait in the queue already, because they were
    /// polled for another reason.
    #[tokio::test]
    async fn writers_that_are_queued_twice_do_not_pile_up() {
        let (woken, writers) = (Arc::new(WakeCounter::default()), WAKE_BATCH + 4);
        let pace = WakePacer::new(TaskTracker::new());
        pace.use_current_runtime();
        pace.wake(many(&woken, writers), writers);

        for _ in 0..2_000 {
            let awake = pace.queue.lock().next_batch().len();
            pace.wake(many(&woken, writers.min(awake + 2)), writers);
        }

        let waiting = pace.queue.lock().waiting.len();
        assert!(waiting <= MOST_BATCHES * writers, "{waiting}");
    }

    #[test]
    fn the_end_of_a_runtime_wakes_all_waiters() {
        let woken = Arc::new(WakeCounter::default());
        let count = || woken.0.load(Ordering::SeqCst);
        let pace = WakePacer::new(TaskTracker::new());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { pace.use_current_runtime() });
        let all = 3 * WAKE_BATCH;

        pace.wake(many(&woken, all), all);
        assert_eq!(count(), 0);
        drop(runtime);
        assert_eq!(count(), all);
        pace.wake(many(&woken, all), all);

        assert_eq!(count(), 2 * all);
    }
}
