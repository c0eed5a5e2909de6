//! The queue of upstream calls of one connection.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{client_results::ClientResults, ending::Ending};
use crate::{limits::Limits, upstream::call::Call};

/// An event to deliver upstream.
#[derive(Debug)]
pub(crate) enum UpstreamEvent {
    Connected,
    Call(Call),
    Disconnected { error: Option<String> },
}

impl UpstreamEvent {
    fn size(&self) -> usize {
        match self {
            Self::Call(call) => call.size,
            Self::Connected | Self::Disconnected { .. } => 0,
        }
    }
}

/// The queue of one connection.
#[derive(Debug, Default)]
pub(crate) struct CallQueue {
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<UpstreamEvent>,
    bytes: usize,
    running: bool,
}

enum Backpressure {
    None,
    Full,
    DoubleFull,
}

impl CallQueue {
    /// Wakes the reading task if it waits for room. Called when a client result begins, because the reading
    /// task must receive the completion.
    pub(crate) fn wake_reader(&self) {
        self.changed.notify_one();
    }

    fn backpressure(&self, messages: usize, bytes: usize) -> Backpressure {
        let queue = self.queue.lock();
        let filled = |times: usize| {
            queue.waiting.len() >= messages.saturating_mul(times)
                || queue.bytes >= bytes.saturating_mul(times)
        };
        match (filled(1), filled(2)) {
            (_, true) => Backpressure::DoubleFull,
            (true, false) => Backpressure::Full,
            (false, false) => Backpressure::None,
        }
    }

    /// Waits for room in the queue. While a client result of this connection is pending, the limits are
    /// doubled and this function does not wait, because the client may send the completion after further
    /// calls.
    ///
    /// # Errors
    /// When the doubled limits are reached.
    pub(super) async fn wait_for_room(
        &self,
        limits: &Limits,
        results: &ClientResults,
    ) -> Result<(), Ending> {
        loop {
            match self.backpressure(limits.max_queue_messages, limits.max_queue_bytes) {
                Backpressure::None => return Ok(()),
                Backpressure::DoubleFull if results.any() => {
                    return Err(Ending::too_many_waiting());
                }
                Backpressure::Full if results.any() => return Ok(()),
                Backpressure::Full | Backpressure::DoubleFull => self.changed.notified().await,
            }
        }
    }

    /// Queues an event. Returns whether the caller must start the delivery task.
    pub(super) fn push(&self, mut event: UpstreamEvent) -> bool {
        let mut queue = self.queue.lock();
        if let (true, UpstreamEvent::Call(call)) = (queue.running, &mut event) {
            call.detach();
        }
        queue.bytes += event.size();
        queue.waiting.push_back(event);
        !std::mem::replace(&mut queue.running, true)
    }

    /// The next event; after `None` the delivery task must end.
    pub(super) fn next(&self) -> Option<UpstreamEvent> {
        let mut queue = self.queue.lock();
        let event = queue.waiting.pop_front();
        match &event {
            Some(event) => queue.bytes -= event.size(),
            // Free the buffer: most connections are idle most of the time.
            None => (queue.running, queue.waiting) = (false, VecDeque::new()),
        }
        drop(queue);
        self.changed.notify_one();
        event
    }
}
