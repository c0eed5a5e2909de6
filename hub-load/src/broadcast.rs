//! Messages to everyone, or to a group with everyone in it: a closed loop.

use std::sync::{Arc, atomic::Ordering};

use hub_core::protocol::{Message, Outcome, Protocol};

use crate::{
    LoadError, Shared,
    check::{Messages, Sequence},
    client::Client,
    count::{Counter, Counts},
    message::{Call, Payloads, text_call},
    pace::Pace,
    window::Window,
};

/// The group of the scenario.
pub(crate) const GROUP: &str = "load";

/// Joins the group and waits until that is done.
pub(crate) async fn join(mut client: Client, method: &str) -> Result<Client, LoadError> {
    client.queue(&text_call(client.protocol(), "join", method, GROUP));
    let (mut messages, mut answer) = (Messages::new(client.protocol()), None);
    while answer.is_none() {
        client
            .read(|payload| {
                messages.read(payload, |message| {
                    if let Some(Message::Completion { outcome, .. }) = message {
                        answer = Some(match outcome {
                            Outcome::Void | Outcome::Result(_) => Ok(()),
                            Outcome::Error(error) => Err(error),
                        });
                    }
                });
            })
            .await?;
    }
    answer.unwrap_or(Ok(())).map(|()| client).map_err(LoadError::Refused)
}

/// Calls the hub method for each message that the window lets out.
pub(crate) async fn drive(
    mut client: Client,
    call: Call,
    shared: Arc<Shared>,
    window: Arc<Window>,
) {
    let (mut counter, mut bytes) = (Counter::new(client.protocol()), Vec::new());
    let mut pace = Pace::new(shared.args.rate);
    let mut stopping = std::pin::pin!(shared.stop.cancelled());
    loop {
        let mut counts = Counts::default();
        tokio::select! {
            biased;
            () = &mut stopping => break,
            numbers = pace.next(&window, u64::MAX) => {
                for number in numbers {
                    call.write(&mut bytes, number);
                    client.queue(&bytes);
                }
                if let Err(error) = client.flush().await {
                    return shared.stats.error(error);
                }
            }
            read = client.read(|payload| counter.count(payload, &mut counts)) => {
                shared.stats.errors_of(counts.errors, "a broadcast was answered with an error");
                if let Err(error) = read {
                    return shared.stats.error(error);
                }
            }
        }
    }
    // What was sent must arrive, so the connection stays until everyone has it.
    tokio::select! {
        () = shared.done.cancelled() => {}
        () = async { while client.read(|_| {}).await.is_ok() {} } => return,
    }
    client.leave().await;
}

/// One client that listens.
struct Receiver {
    payloads: Payloads,
    target: String,
    reader: Reader,
    /// How many messages it has.
    at: u64,
}

enum Reader {
    Counting(Counter),
    Checking { messages: Messages, protocol: Protocol, sequence: Sequence },
}

/// What one read brought.
#[derive(Default)]
struct Got {
    new: u64,
    again: u64,
    broken: u64,
}

/// Receives until the run is done.
pub(crate) async fn receive(
    mut client: Client,
    index: usize,
    shared: Arc<Shared>,
    window: Arc<Window>,
) {
    let mut receiver = Receiver::new(&shared, client.protocol());
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
            client.leave().await;
        }
        Err(error) => shared.stats.error(error),
    }
}

impl Receiver {
    fn new(shared: &Shared, protocol: Protocol) -> Self {
        let args = &shared.args;
        let reader = if args.check {
            let (messages, sequence) = (Messages::new(protocol), Sequence::default());
            Reader::Checking { messages, protocol, sequence }
        } else {
            Reader::Counting(Counter::new(protocol))
        };
        let payloads = Payloads { length: args.payload };
        Self { payloads, target: args.message.clone(), reader, at: 0 }
    }

    async fn listen(
        &mut self,
        client: &mut Client,
        index: usize,
        shared: &Shared,
        window: &Window,
    ) -> Result<(), LoadError> {
        let stats = &shared.stats;
        loop {
            let mut got = Got::default();
            client.read(|payload| self.read(payload, &mut got)).await?;
            let from = self.at;
            stats.record(index, |record| self.at = window.receive(from, got.new, record));
            let counted = self.at - from;
            stats.received(index, counted);
            let excess = got.new - counted + got.again;
            if excess > 0 {
                stats.duplicated.fetch_add(excess, Ordering::Relaxed);
            }
            stats.errors_of(got.broken, "a message is not what was sent");
        }
    }

    fn read(&mut self, payload: &[u8], got: &mut Got) {
        match &mut self.reader {
            Reader::Counting(counter) => {
                let mut counts = Counts::default();
                counter.count(payload, &mut counts);
                got.new += counts.invocations;
            }
            Reader::Checking { messages, protocol, sequence } => {
                messages.read(payload, |message| {
                    let number =
                        |arguments: &[u8]| self.payloads.of_arguments(*protocol, arguments);
                    judge(message, &self.target, number, sequence, got);
                });
            }
        }
    }
}

fn judge(
    message: Option<Message>,
    expected: &str,
    number_in: impl Fn(&[u8]) -> Option<u64>,
    sequence: &mut Sequence,
    got: &mut Got,
) {
    let arguments = match message {
        Some(Message::Invocation { target, arguments, .. }) if target == expected => arguments,
        Some(_) => return,
        None => {
            got.broken += 1;
            return;
        }
    };
    match number_in(&arguments).map(|number| sequence.insert(number)) {
        Some(true) => got.new += 1,
        Some(false) => got.again += 1,
        None => got.broken += 1,
    }
}
