//! A client that records the messages it receives.

use std::{sync::Arc, time::Instant};

use hub_core::protocol::{Message, Protocol};
use parking_lot::Mutex;
use tokio::{sync::Notify, task::JoinHandle};

use super::Shared;
use crate::{
    client::Client,
    messages::{parse::MessageParser, payload::Payloads},
};

/// Reads in a task. Dropping it drops the connection without a close message.
pub(crate) struct Recorder {
    /// Connection id.
    pub(crate) id: Option<String>,
    recorded: Arc<Recorded>,
    task: JoinHandle<()>,
}

/// Numbers of the received messages in order, with their times.
#[derive(Default)]
struct Recorded {
    numbers: Mutex<Vec<(u64, Instant)>>,
    changed: Notify,
}

/// Extracts the sequence numbers from received bytes.
struct Reader {
    messages: MessageParser,
    payloads: Payloads,
    protocol: Protocol,
    shared: Arc<Shared>,
}

impl Recorder {
    /// Starts recording. If the connection ends, it counts as an error of the run.
    pub(crate) fn start(client: Client, shared: &Arc<Shared>) -> Self {
        let (id, protocol) = (client.id().map(str::to_owned), client.protocol());
        let recorded = Arc::new(Recorded::default());
        let reader = Reader {
            messages: MessageParser::new(protocol),
            payloads: Payloads { length: shared.args.payload },
            protocol,
            shared: Arc::clone(shared),
        };
        let task = tokio::spawn(record(client, reader, Arc::clone(&recorded)));
        Self { id, recorded, task }
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

    /// Drops the connection without a close message.
    pub(crate) fn abort(&self) {
        self.task.abort();
    }

    /// Waits until the connection is dropped, after [`Self::abort`].
    pub(crate) async fn aborted(mut self) {
        // The result is a cancellation error, as intended.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn record(mut client: Client, mut reader: Reader, recorded: Arc<Recorded>) {
    loop {
        let mut numbers = Vec::new();
        let read = client.read(|payload| reader.read(payload, &mut numbers)).await;
        if !numbers.is_empty() {
            recorded.numbers.lock().append(&mut numbers);
            recorded.changed.notify_waiters();
        }
        if let Err(error) = read {
            return reader.shared.stats.error(error);
        }
    }
}

impl Reader {
    fn read(&mut self, payload: &[u8], numbers: &mut Vec<(u64, Instant)>) {
        let Self { messages, payloads, protocol, shared } = self;
        messages.read(payload, |message| {
            let number = match message {
                Some(Message::Invocation { target, arguments, .. })
                    if target == shared.args.message =>
                {
                    payloads.of_arguments(*protocol, &arguments)
                }
                Some(_) => return,
                None => None,
            };
            match number {
                Some(number) => numbers.push((number, Instant::now())),
                None => shared.stats.errors_of(1, "a received message differs from the sent one"),
            }
        });
    }
}
