//! Messages to everyone, or to a group with everyone in it: a closed loop.

use std::sync::{Arc, atomic::Ordering};

use super::{
    LoadError, Shared,
    check::{Record, Records, Sequence, text},
    client::Client,
    frames::{Counter, Counts},
    message::{Call, Payloads, invocation},
    window::Window,
};

/// The group of the scenario.
pub(super) const GROUP: &str = "load";

/// Joins the group and waits until that is done.
pub(super) async fn join(client: &mut Client, method: &str) -> Result<(), LoadError> {
    client.queue(invocation("join", method, GROUP).as_bytes());
    let (mut records, mut answer) = (Records::default(), None);
    while answer.is_none() {
        client
            .read(|payload| {
                records.read(payload, |record| {
                    if let Some(Record { kind: 3, error, .. }) = record {
                        answer = Some(error.map_or(Ok(()), |error| Err(error.into_owned())));
                    }
                });
            })
            .await?;
    }
    answer.unwrap_or(Ok(())).map_err(LoadError::Refused)
}

/// Calls the hub method for each message that the window lets out.
pub(super) async fn drive(
    mut client: Client,
    call: Call,
    shared: Arc<Shared>,
    window: Arc<Window>,
) {
    let (mut counter, mut text) = (Counter::default(), String::new());
    let mut stopping = std::pin::pin!(shared.stop.cancelled());
    loop {
        let mut counts = Counts::default();
        tokio::select! {
            biased;
            () = &mut stopping => break,
            numbers = window.reserve(u64::MAX) => {
                for number in numbers {
                    call.write(&mut text, number);
                    client.queue(text.as_bytes());
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
        () = async { while client.read(|_| {}).await.is_ok() {} } => {}
    }
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
    Checking { records: Records, sequence: Sequence },
}

/// What one read brought.
#[derive(Default)]
struct Got {
    new: u64,
    again: u64,
    broken: u64,
}

/// Receives until the run is done.
pub(super) async fn receive(
    mut client: Client,
    index: usize,
    shared: Arc<Shared>,
    window: Arc<Window>,
) {
    let mut receiver = Receiver::new(&shared);
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
        }
        Err(error) => shared.stats.error(error),
    }
}

impl Receiver {
    fn new(shared: &Shared) -> Self {
        let args = &shared.args;
        let reader = if args.check {
            Reader::Checking { records: Records::default(), sequence: Sequence::default() }
        } else {
            Reader::Counting(Counter::default())
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
            Reader::Checking { records, sequence } => records.read(payload, |record| {
                judge(record, &self.target, self.payloads, sequence, got);
            }),
        }
    }
}

fn judge(
    record: Option<Record<'_>>,
    target: &str,
    payloads: Payloads,
    sequence: &mut Sequence,
    got: &mut Got,
) {
    let Some(record) = record else {
        got.broken += 1;
        return;
    };
    if record.kind != 1 || record.target.as_deref() != Some(target) {
        return;
    }
    let number = match record.arguments.as_deref() {
        Some([payload]) => text(payload).and_then(|text| payloads.read(&text)),
        _ => None,
    };
    match number.map(|number| sequence.insert(number)) {
        Some(true) => got.new += 1,
        Some(false) => got.again += 1,
        None => got.broken += 1,
    }
}
