//! Each client keeps several calls pending. The called hub method returns its argument.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use hub_core::protocol::{Message, Outcome, Protocol};
use tokio::time::timeout;

use super::{Shared, rate::Rate};
use crate::{
    LoadError,
    client::Client,
    messages::{
        count::{Counter, Counts},
        parse::MessageParser,
        payload::{Call, Payloads},
    },
};

/// Time to wait for the last completions. Calls without a completion by then count as lost.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Pending calls of one client.
struct Echo {
    call: Call,
    payloads: Payloads,
    sent: u64,
    pending: VecDeque<Instant>,
    reader: Reader,
    bytes: Vec<u8>,
}

enum Reader {
    Counting(Counter),
    Checking { messages: MessageParser, unanswered: HashSet<u64> },
}

/// Completions in one read.
#[derive(Default)]
struct Completions {
    ok: u64,
    failed: u64,
    unknown: u64,
}

/// Sends calls until the run stops, then waits for the last completions.
pub(crate) async fn run(mut client: Client, index: usize, shared: Arc<Shared>) {
    let mut echo = Echo::new(&shared, client.protocol);
    let result = echo.exchange(&mut client, index, &shared).await;
    shared.stats.lost.fetch_add(echo.pending.len() as u64, Ordering::Relaxed);
    match result {
        Ok(()) => client.close().await,
        Err(error) => shared.stats.error(error),
    }
}

impl Echo {
    fn new(shared: &Shared, protocol: Protocol) -> Self {
        let args = &shared.args;
        let payloads = Payloads { length: args.payload };
        let reader = if args.check {
            Reader::Checking { messages: MessageParser::new(protocol), unanswered: HashSet::new() }
        } else {
            Reader::Counting(Counter::new(protocol))
        };
        let call = Call::new(protocol, &args.echo, None, payloads);
        Self { call, payloads, sent: 0, pending: VecDeque::new(), reader, bytes: Vec::new() }
    }

    async fn exchange(
        &mut self,
        client: &mut Client,
        index: usize,
        shared: &Shared,
    ) -> Result<(), LoadError> {
        let mut stopping = std::pin::pin!(shared.stop.cancelled());
        let mut rate = Rate::new(shared.args.rate, shared.args.clients, index);
        loop {
            if !rate.is_set() {
                self.fill(client, shared.args.inflight);
            }
            tokio::select! {
                biased;
                () = &mut stopping => break,
                () = rate.turn() => {
                    let one_more = self.pending.len() + 1;
                    self.fill(client, one_more.min(shared.args.inflight));
                    client.flush().await?;
                }
                received = self.receive(client, index, shared) => received?,
            }
        }
        let drain = async {
            while !self.pending.is_empty() {
                self.receive(client, index, shared).await?;
            }
            Ok(())
        };
        timeout(DRAIN_TIMEOUT, drain).await.unwrap_or(Ok(()))
    }

    /// Sends calls until `inflight` are pending.
    fn fill(&mut self, client: &mut Client, inflight: usize) {
        let now = Instant::now();
        while self.pending.len() < inflight {
            self.call.write(&mut self.bytes, self.sent);
            client.queue(&self.bytes);
            if let Reader::Checking { unanswered, .. } = &mut self.reader {
                unanswered.insert(self.sent);
            }
            self.sent += 1;
            self.pending.push_back(now);
        }
    }

    /// Counts the completions of one read. Cancel safe. Assumes that completions arrive in the order
    /// of the calls, so the oldest pending call determines the latency.
    async fn receive(
        &mut self,
        client: &mut Client,
        index: usize,
        shared: &Shared,
    ) -> Result<(), LoadError> {
        let mut completions = Completions::default();
        let read = |payload: &[u8]| self.reader.read(payload, self.payloads, &mut completions);
        client.read(read).await?;
        let completed = usize::try_from(completions.ok + completions.failed).unwrap_or(usize::MAX);
        let excess = completed.saturating_sub(self.pending.len()) as u64;
        let now = Instant::now();
        shared.stats.record(index, |record| {
            for sent in self.pending.drain(..completed.min(self.pending.len())) {
                record(now.duration_since(sent));
            }
        });
        shared.stats.received(index, completions.ok);
        shared.stats.errors_of(completions.failed, "a call failed or returned another value");
        shared.stats.duplicated.fetch_add(excess + completions.unknown, Ordering::Relaxed);
        Ok(())
    }
}

impl Reader {
    fn read(&mut self, payload: &[u8], payloads: Payloads, completions: &mut Completions) {
        match self {
            Self::Counting(counter) => {
                let mut counts = Counts::default();
                counter.count(payload, &mut counts);
                completions.ok += counts.completions - counts.errors;
                completions.failed += counts.errors;
            }
            Self::Checking { messages, unanswered } => {
                let protocol = messages.protocol;
                messages.read(payload, |message| {
                    let (id, outcome) = match message {
                        Some(Message::Completion { invocation_id, outcome }) => {
                            (invocation_id, outcome)
                        }
                        Some(_) => return,
                        None => {
                            completions.failed += 1;
                            return;
                        }
                    };
                    let number = id.parse().ok().filter(|number| unanswered.remove(number));
                    match outcome {
                        _ if number.is_none() => completions.unknown += 1,
                        Outcome::Result(value) if payloads.of_value(protocol, &value) == number => {
                            completions.ok += 1;
                        }
                        _ => completions.failed += 1,
                    }
                });
            }
        }
    }
}
