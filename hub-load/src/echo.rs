//! Every client calls a hub method that returns its argument, several at a time.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use hub_core::protocol::{Message, Outcome, Protocol};
use tokio::time::timeout;

use crate::{
    LoadError, Shared,
    check::Messages,
    client::Client,
    count::{Counter, Counts},
    message::{Call, Payloads},
    pace::ClientPace,
};

/// How long answers are waited for at the end.
const LAST: Duration = Duration::from_secs(5);

/// The calls of one client that are not answered yet.
struct Echo {
    call: Call,
    payloads: Payloads,
    sent: u64,
    waiting: VecDeque<Instant>,
    reader: Reader,
    bytes: Vec<u8>,
}

enum Reader {
    Counting(Counter),
    Checking { messages: Messages, protocol: Protocol, open: HashSet<u64> },
}

/// What one read brought.
#[derive(Default)]
struct Answers {
    good: u64,
    bad: u64,
    unknown: u64,
}

/// Calls until the run stops, then waits for the last answers.
pub(crate) async fn run(mut client: Client, index: usize, shared: Arc<Shared>) {
    let mut echo = Echo::new(&shared, client.protocol());
    let result = echo.exchange(&mut client, index, &shared).await;
    shared.stats.lost.fetch_add(echo.waiting.len() as u64, Ordering::Relaxed);
    match result {
        Ok(()) => client.leave().await,
        Err(error) => shared.stats.error(error),
    }
}

impl Echo {
    fn new(shared: &Shared, protocol: Protocol) -> Self {
        let args = &shared.args;
        let payloads = Payloads { length: args.payload };
        let reader = if args.check {
            Reader::Checking { messages: Messages::new(protocol), protocol, open: HashSet::new() }
        } else {
            Reader::Counting(Counter::new(protocol))
        };
        let call = Call::new(protocol, &args.echo, None, payloads);
        Self { call, payloads, sent: 0, waiting: VecDeque::new(), reader, bytes: Vec::new() }
    }

    async fn exchange(
        &mut self,
        client: &mut Client,
        index: usize,
        shared: &Shared,
    ) -> Result<(), LoadError> {
        let mut stopping = std::pin::pin!(shared.stop.cancelled());
        let mut pace = ClientPace::new(shared.args.rate, shared.args.clients, index);
        loop {
            if !pace.is_kept() {
                self.fill(client, shared.args.inflight);
            }
            let mut answers = Answers::default();
            tokio::select! {
                biased;
                () = &mut stopping => break,
                () = pace.next() => {
                    let one_more = self.waiting.len() + 1;
                    self.fill(client, one_more.min(shared.args.inflight));
                    client.flush().await?;
                }
                read = client.read(|payload| self.reader.read(payload, self.payloads, &mut answers)) => read?,
            }
            self.note(index, shared, &answers);
        }
        let rest = async {
            while !self.waiting.is_empty() {
                let mut answers = Answers::default();
                client
                    .read(|payload| self.reader.read(payload, self.payloads, &mut answers))
                    .await?;
                self.note(index, shared, &answers);
            }
            Ok(())
        };
        timeout(LAST, rest).await.unwrap_or(Ok(()))
    }

    /// Sends new calls for those that are answered.
    fn fill(&mut self, client: &mut Client, inflight: usize) {
        let now = Instant::now();
        while self.waiting.len() < inflight {
            self.call.write(&mut self.bytes, self.sent);
            client.queue(&self.bytes);
            if let Reader::Checking { open, .. } = &mut self.reader {
                open.insert(self.sent);
            }
            self.sent += 1;
            self.waiting.push_back(now);
        }
    }

    /// Answers come in the order of the calls, as far as time is concerned.
    fn note(&mut self, index: usize, shared: &Shared, answers: &Answers) {
        let answered = usize::try_from(answers.good + answers.bad).unwrap_or(usize::MAX);
        let excess = answered.saturating_sub(self.waiting.len()) as u64;
        let now = Instant::now();
        shared.stats.record(index, |record| {
            for sent in self.waiting.drain(..answered.min(self.waiting.len())) {
                record(now.duration_since(sent));
            }
        });
        shared.stats.received(index, answers.good);
        shared
            .stats
            .errors_of(answers.bad, "a call was answered with an error, or with something else");
        shared.stats.duplicated.fetch_add(excess + answers.unknown, Ordering::Relaxed);
    }
}

impl Reader {
    fn read(&mut self, payload: &[u8], payloads: Payloads, answers: &mut Answers) {
        match self {
            Self::Counting(counter) => {
                let mut counts = Counts::default();
                counter.count(payload, &mut counts);
                answers.good += counts.completions - counts.errors;
                answers.bad += counts.errors;
            }
            Self::Checking { messages, protocol, open } => messages.read(payload, |message| {
                judge(message, |value| payloads.of_value(*protocol, value), open, answers);
            }),
        }
    }
}

fn judge(
    message: Option<Message>,
    number_in: impl Fn(&[u8]) -> Option<u64>,
    open: &mut HashSet<u64>,
    answers: &mut Answers,
) {
    let (invocation_id, outcome) = match message {
        Some(Message::Completion { invocation_id, outcome }) => (invocation_id, outcome),
        Some(_) => return,
        None => {
            answers.bad += 1;
            return;
        }
    };
    let number = invocation_id.parse().ok().filter(|number| open.remove(number));
    let Some(number) = number else {
        answers.unknown += 1;
        return;
    };
    match outcome {
        Outcome::Result(value) if number_in(&value) == Some(number) => answers.good += 1,
        Outcome::Result(_) | Outcome::Void | Outcome::Error(_) => answers.bad += 1,
    }
}
