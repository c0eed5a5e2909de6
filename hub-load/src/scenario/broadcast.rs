//! Messages to all clients, or to one group with all clients in it, in a closed loop.

use std::sync::{Arc, atomic::Ordering};

use hub_core::protocol::{Message, Outcome};

use super::{Shared, rate::Rate, window::Window};
use crate::{
    LoadArgs, LoadError,
    client::Client,
    messages::{
        count::{Counter, Counts},
        parse::{MessageParser, Sequence},
        payload::{Call, text_call},
    },
};

/// Name of the group.
pub(crate) const GROUP: &str = "load";

/// Joins the group and waits for the completion.
pub(crate) async fn join(mut client: Client, method: &str) -> Result<Client, LoadError> {
    client.queue(&text_call(client.protocol, "join", method, GROUP));
    let (mut messages, mut response) = (MessageParser::new(client.protocol), None);
    while response.is_none() {
        client
            .read(|payload| {
                messages.read(payload, |message| {
                    if let Some(Message::Completion { outcome, .. }) = message {
                        response = Some(match outcome {
                            Outcome::Void | Outcome::Result(_) => Ok(()),
                            Outcome::Error(error) => Err(error),
                        });
                    }
                });
            })
            .await?;
    }
    response.unwrap_or(Ok(())).map(|()| client).map_err(LoadError::Refused)
}

/// Calls the hub method for each message that the window admits.
pub(crate) async fn send(mut client: Client, call: Call, shared: Arc<Shared>, window: Arc<Window>) {
    let (mut counter, mut bytes) = (Counter::new(client.protocol), Vec::new());
    let mut rate = Rate::new(shared.args.rate, 1, 0);
    let mut stopping = std::pin::pin!(shared.stop.cancelled());
    loop {
        let mut counts = Counts::default();
        tokio::select! {
            biased;
            () = &mut stopping => break,
            numbers = rate.next(&window, u64::MAX) => {
                for number in numbers {
                    call.write(&mut bytes, number);
                    client.queue(&bytes);
                }
                if let Err(error) = client.flush().await {
                    return shared.stats.error(error);
                }
            }
            read = client.read(|payload| counter.count(payload, &mut counts)) => {
                shared.stats.errors_of(counts.errors, "a broadcast call completed with an error");
                if let Err(error) = read {
                    return shared.stats.error(error);
                }
            }
        }
    }
    // Keep the connection open until all clients have received the messages.
    tokio::select! {
        () = shared.done.cancelled() => {}
        () = async { while client.read(|_| {}).await.is_ok() {} } => return,
    }
    client.close().await;
}

/// One receiving client.
struct Receiver {
    reader: Reader,
    /// Number of messages received so far.
    at: u64,
}

enum Reader {
    Counting(Counter),
    Checking(MessageParser, Sequence),
}

/// Messages in one read.
#[derive(Default)]
struct ReadCounts {
    new: u64,
    duplicated: u64,
    malformed: u64,
}

/// Receives until the run ends.
pub(crate) async fn receive(
    mut client: Client,
    index: usize,
    shared: Arc<Shared>,
    window: Arc<Window>,
) {
    let reader = if shared.args.check {
        Reader::Checking(MessageParser::new(client.protocol), Sequence::default())
    } else {
        Reader::Counting(Counter::new(client.protocol))
    };
    let mut receiver = Receiver { reader, at: 0 };
    let result = tokio::select! {
        biased;
        result = receiver.listen(&mut client, index, &shared, &window) => result,
        () = shared.done.cancelled() => Ok(()),
    };
    window.leave(receiver.at);
    match result {
        Ok(()) => {
            let lost = window.sent() - receiver.at;
            shared.stats.lost.fetch_add(lost, Ordering::Relaxed);
            client.close().await;
        }
        Err(error) => shared.stats.error(error),
    }
}

impl Receiver {
    async fn listen(
        &mut self,
        client: &mut Client,
        index: usize,
        shared: &Shared,
        window: &Window,
    ) -> Result<(), LoadError> {
        let stats = &shared.stats;
        loop {
            let mut got = ReadCounts::default();
            client.read(|payload| self.read(payload, &shared.args, &mut got)).await?;
            let from = self.at;
            stats.record(index, |record| self.at = window.receive(from, got.new, record));
            let counted = self.at - from;
            stats.received(index, counted);
            let excess = got.new - counted + got.duplicated;
            if excess > 0 {
                stats.duplicated.fetch_add(excess, Ordering::Relaxed);
            }
            stats.errors_of(got.malformed, "a received message differs from the sent message");
        }
    }

    fn read(&mut self, payload: &[u8], args: &LoadArgs, got: &mut ReadCounts) {
        match &mut self.reader {
            Reader::Counting(counter) => {
                let mut counts = Counts::default();
                counter.count(payload, &mut counts);
                got.new += counts.invocations;
            }
            Reader::Checking(messages, sequence) => {
                messages.read_numbers(payload, args, |number| {
                    match number.map(|number| sequence.insert(number)) {
                        Some(true) => got.new += 1,
                        Some(false) => got.duplicated += 1,
                        None => got.malformed += 1,
                    }
                });
            }
        }
    }
}
