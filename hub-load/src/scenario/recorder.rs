//! A client that records the messages it receives.

use std::{sync::Arc, time::Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use super::Shared;
use crate::{client::Client, messages::parse::MessageParser};

/// Reads messages in a task. Dropping the recorder drops the connection without a close message.
pub(crate) struct Recorder {
    /// Connection id.
    pub(crate) id: Option<String>,
    recorded: Arc<Recorded>,
    task: AbortOnDropHandle<()>,
}

/// Numbers of the received messages in order, with their times.
#[derive(Default)]
struct Recorded {
    numbers: Mutex<Vec<(u64, Instant)>>,
    changed: Notify,
}

impl Recorder {
    /// Starts recording. The end of the connection counts as an error of the run.
    pub(crate) fn start(mut client: Client, shared: &Arc<Shared>) -> Self {
        let (id, recorded) = (client.id.take(), Arc::new(Recorded::default()));
        let task = tokio::spawn(record(client, Arc::clone(shared), Arc::clone(&recorded)));
        Self { id, recorded, task: AbortOnDropHandle::new(task) }
    }

    /// Waits until the message with this number has been received.
    pub(crate) async fn wait_for(&self, number: u64) {
        loop {
            let mut changed = std::pin::pin!(self.recorded.changed.notified());
            changed.as_mut().enable();
            if self.recorded.numbers.lock().iter().rev().any(|(recorded, _)| *recorded == number) {
                return;
            }
            changed.await;
        }
    }

    /// Returns the messages received since the last call.
    pub(crate) fn take(&self) -> Vec<(u64, Instant)> {
        std::mem::take(&mut *self.recorded.numbers.lock())
    }

    /// Drops the connections without close messages, and waits until they are dropped.
    pub(crate) async fn disconnect(recorders: Vec<Self>) {
        recorders.iter().for_each(|recorder| recorder.task.abort());
        for recorder in recorders {
            // The result is a cancellation error, as intended.
            let _ = recorder.task.await;
        }
    }
}

async fn record(mut client: Client, shared: Arc<Shared>, recorded: Arc<Recorded>) {
    let mut messages = MessageParser::new(client.protocol);
    loop {
        let mut numbers = Vec::new();
        let mut each = |number| match number {
            Some(number) => numbers.push((number, Instant::now())),
            None => shared.stats.error("a received message differs from the sent message"),
        };
        let read = client.read(|payload| messages.read_numbers(payload, &shared.args, &mut each));
        let read = read.await;
        if !numbers.is_empty() {
            recorded.numbers.lock().append(&mut numbers);
            recorded.changed.notify_waiters();
        }
        if let Err(error) = read {
            return shared.stats.error(error);
        }
    }
}
