//! The upstream calls of one connection: one at a time, in order.
//!
//! A task runs only while there is something to call, so an idle connection costs none. It is not
//! the task that reads: a hub method may wait for its own caller.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use tokio::sync::Notify;

use super::{Connection, Ending, deliver};
use crate::sync::lock;

/// What waits for its upstream call.
#[derive(Debug)]
pub(crate) enum Work {
    Connected,
    Call(Call),
    Disconnected { error: Option<String> },
}

/// A client's call of a hub method.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) invocation_id: Option<String>,
    pub(crate) target: String,
    pub(crate) arguments: Bytes,
    pub(crate) stream_ids: Vec<String>,
    /// What it takes in memory.
    pub(crate) size: usize,
}

impl Call {
    /// A slice of what was read keeps all of it, which may be a thousand times as much. What has to
    /// wait takes the memory that it is counted with.
    fn detach(&mut self) {
        self.arguments = Bytes::copy_from_slice(&self.arguments);
    }
}

impl Work {
    fn size(&self) -> usize {
        match self {
            Self::Call(call) => call.size,
            Self::Connected | Self::Disconnected { .. } => 0,
        }
    }
}

/// The queue of one connection.
#[derive(Debug, Default)]
pub(crate) struct Dispatch {
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Work>,
    bytes: usize,
    running: bool,
}

enum Room {
    Free,
    Full,
    TwiceFull,
}

impl Dispatch {
    /// A client result began: a reader that waits for room must read on.
    pub(crate) fn wake_reader(&self) {
        self.changed.notify_one();
    }

    fn room(&self, messages: usize, bytes: usize) -> Room {
        let queue = lock(&self.queue);
        let filled = |times: usize| {
            queue.waiting.len() >= messages.saturating_mul(times)
                || queue.bytes >= bytes.saturating_mul(times)
        };
        match (filled(1), filled(2)) {
            (_, true) => Room::TwiceFull,
            (true, false) => Room::Full,
            (false, false) => Room::Free,
        }
    }

    /// The next work; `None` ends the task that asks.
    fn next(&self) -> Option<Work> {
        let mut queue = lock(&self.queue);
        let work = queue.waiting.pop_front();
        match &work {
            Some(work) => queue.bytes -= work.size(),
            // Most connections are idle most of the time, and keep nothing for it.
            None => (queue.running, queue.waiting) = (false, VecDeque::new()),
        }
        drop(queue);
        self.changed.notify_one();
        work
    }
}

/// Waits for room in the queue. While a client result of this connection is pending there is
/// always some, up to twice the bound: the answer may be behind the calls.
pub(super) async fn room(connection: &Arc<Connection>) -> Result<(), Ending> {
    let limits = &connection.state.limits;
    loop {
        match connection.dispatch.room(limits.max_queue_messages, limits.max_queue_bytes) {
            Room::Free => return Ok(()),
            Room::TwiceFull if connection.results.any() => return Err(Ending::too_many_waiting()),
            Room::Full if connection.results.any() => return Ok(()),
            Room::Full | Room::TwiceFull => connection.dispatch.changed.notified().await,
        }
    }
}

/// Queues work and sees to it that a task does it.
pub(crate) fn submit(connection: &Arc<Connection>, mut work: Work) {
    let mut queue = lock(&connection.dispatch.queue);
    if let (true, Work::Call(call)) = (queue.running, &mut work) {
        call.detach();
    }
    queue.bytes += work.size();
    queue.waiting.push_back(work);
    if std::mem::replace(&mut queue.running, true) {
        return;
    }
    drop(queue);
    connection.state.tasks.spawn(drain(Arc::clone(connection)));
}

async fn drain(connection: Arc<Connection>) {
    while let Some(work) = connection.dispatch.next() {
        match work {
            Work::Connected => deliver::connected(&connection).await,
            Work::Call(call) => deliver::call(&connection, call).await,
            Work::Disconnected { error } => {
                deliver::disconnected(&connection, error.as_deref()).await;
            }
        }
    }
}
