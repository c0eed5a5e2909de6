//! A client that listens all the time and notes what it is sent.

use std::{sync::Arc, time::Instant};

use hub_core::protocol::{Message, Protocol};
use parking_lot::Mutex;
use tokio::{sync::Notify, task::JoinHandle};

use crate::{Shared, check::Messages, client::Client, message::Payloads};

/// Reads in a task of its own. Dropping it drops the client without a goodbye.
pub(crate) struct Listener {
    /// The public id of its connection.
    pub(crate) id: Option<String>,
    heard: Arc<Heard>,
    task: JoinHandle<()>,
}

/// What came, in its order, and when.
#[derive(Default)]
struct Heard {
    numbers: Mutex<Vec<(u64, Instant)>>,
    more: Notify,
}

/// What to make of messages.
struct Reader {
    messages: Messages,
    payloads: Payloads,
    protocol: Protocol,
    shared: Arc<Shared>,
}

impl Listener {
    /// Listens from now on. That the connection ends is an error of the run.
    pub(crate) fn start(client: Client, shared: &Arc<Shared>) -> Self {
        let (id, protocol) = (client.id().map(str::to_owned), client.protocol());
        let heard = Arc::new(Heard::default());
        let reader = Reader {
            messages: Messages::new(protocol),
            payloads: Payloads { length: shared.args.payload },
            protocol,
            shared: Arc::clone(shared),
        };
        let task = tokio::spawn(listen(client, reader, Arc::clone(&heard)));
        Self { id, heard, task }
    }

    /// Waits until the message with this number has come.
    pub(crate) async fn until(&self, number: u64) {
        loop {
            let mut more = std::pin::pin!(self.heard.more.notified());
            more.as_mut().enable();
            if self.heard.numbers.lock().iter().rev().any(|(heard, _)| *heard == number) {
                return;
            }
            more.await;
        }
    }

    /// What came since the last time.
    pub(crate) fn take(&self) -> Vec<(u64, Instant)> {
        std::mem::take(&mut *self.heard.numbers.lock())
    }

    /// Cuts the connection, without a goodbye.
    pub(crate) fn cut(&self) {
        self.task.abort();
    }

    /// Waits until the client is gone after it was cut.
    pub(crate) async fn gone(mut self) {
        // Cancelled, as it should be.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(mut client: Client, mut reader: Reader, heard: Arc<Heard>) {
    loop {
        let mut numbers = Vec::new();
        let read = client.read(|payload| reader.read(payload, &mut numbers)).await;
        if !numbers.is_empty() {
            heard.numbers.lock().append(&mut numbers);
            heard.more.notify_waiters();
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
                None => shared.stats.errors_of(1, "a message is not what was sent"),
            }
        });
    }
}
