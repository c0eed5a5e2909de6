//! Does operations to a service, and to the reference.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::Method as Verb;
use hub_core::protocol::{Message, Outcome, Protocol, convert};
use hub_local::{Limits, LocalService};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use super::{
    client::{Client, Requests},
    operations::{Method, Newcomer, Operation, Pass, Reply, SLOTS, Way},
    peer::{self, Call, PIPE, Peer, Stage},
    readers::Reading,
    reference::{self, NEGOTIATED, Reference, expiry},
    rest,
    upstream::{App, encoded},
};
use crate::support::{KEY, settle};

/// What went otherwise than it must.
pub(super) type Failure = String;

/// Far enough that tokio's clock is ahead of the machine's for good.
const AHEAD: u64 = 3600;
/// What clients answer when they are asked.
const ANSWER: u64 = 7;

pub(super) struct Driver {
    pub(super) service: LocalService,
    pub(super) app: App,
    pub(super) began: Instant,
    pub(super) reference: Reference,
    pub(super) clients: Vec<Client>,
    /// The ids of connections; histories have their numbers.
    pub(super) ids: Vec<String>,
    pub(super) slots: [Option<usize>; SLOTS],
    /// Questions to clients that no answer has come to.
    pub(super) asking: Vec<Option<JoinHandle<rest::Answer>>>,
    pub(super) history: String,
    numbers: usize,
}

impl Driver {
    /// A service whose clock shows 300 ms after a second now, whatever the machine's shows.
    pub(super) async fn start() -> Self {
        let limits = Limits::default()
            .client_result_timeout(Duration::from_millis(reference::CLIENT_RESULT))
            .max_outbox_bytes(peer::OUTBOX_BYTES)
            .max_outbox_messages(peer::OUTBOX_MESSAGES)
            .max_resume_bytes(peer::RESUME_BUFFER);
        let app = App::default();
        let builder = LocalService::builder().key(KEY).limits(limits).upstream(app.clone());
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let service = builder.build();
        app.service.set(service.clone()).unwrap();
        let to_second = 1000 - u64::from(wall.subsec_millis());
        tokio::time::advance(Duration::from_millis(AHEAD * 1000 + to_second + 300)).await;
        let began = (wall.as_secs() + AHEAD + 1, 300);
        Self {
            service,
            app,
            began: Instant::now(),
            reference: Reference::new(began),
            clients: Vec::new(),
            ids: Vec::new(),
            slots: [None; SLOTS],
            asking: Vec::new(),
            history: String::new(),
            numbers: 0,
        }
    }

    pub(super) fn number(&mut self) -> usize {
        self.numbers += 1;
        self.numbers
    }

    /// Lets time pass, to a moment at which nothing happens.
    pub(super) async fn pass(&mut self, milliseconds: u64) {
        let at = self.reference.pass(self.reference.now + milliseconds);
        let moment = self.began + Duration::from_millis(at);
        sleep_until(moment).await;
        assert_eq!(Instant::now(), moment, "the runtime's clock is paused and exact");
    }

    pub(super) fn note(&mut self, text: &str) {
        self.history.push_str(" | ");
        self.history.push_str(text);
    }

    /// Notes and compares the answer of the service.
    pub(super) fn answered(&mut self, what: &str, is: u16, must_be: u16) -> Result<(), Failure> {
        self.note(&format!("{what}: {is}"));
        if is == must_be { Ok(()) } else { Err(format!("{what}: {is} instead of {must_be}")) }
    }

    /// Whoever has this slot, as far as the service knows it.
    fn of(&self, slot: usize, stage: Stage) -> Option<usize> {
        self.slots[slot].filter(|it| self.reference.peers[*it].stage == stage)
    }

    /// The same, if it is not away.
    pub(super) fn speaker(&self, slot: usize) -> Option<usize> {
        let is_there = |it: &usize| {
            let peer = &self.reference.peers[*it];
            !peer.suspended && !peer.deaf
        };
        self.of(slot, Stage::Live).filter(is_there)
    }

    /// The first from this slot on of whom that is true, so that it often hits somebody.
    pub(super) fn next(&self, slot: usize, is_meant: impl Fn(usize, &Peer) -> bool) -> usize {
        let peers = &self.reference.peers;
        let fits = |slot: &usize| self.slots[*slot].is_some_and(|it| is_meant(it, &peers[it]));
        (slot..slot + SLOTS).map(|slot| slot % SLOTS).find(fits).unwrap_or(slot)
    }

    pub(super) async fn perform(&mut self, operation: &Operation) -> Result<(), Failure> {
        match operation {
            Operation::Connect(slot, newcomer) => self.connect(*slot, newcomer).await?,
            Operation::Greet(slot) => {
                if let Some(it) = self.of(*slot, Stage::Opened) {
                    self.clients[it].greet().await;
                    self.reference.greets(it);
                }
            }
            Operation::Intrude(slot) => {
                if let Some(it) = self.speaker(*slot) {
                    let requests = self.clients[it].requests.of_an_intruder();
                    let refused = self.knock(&requests, self.reference.peers[it].way).await;
                    self.answered("intruder", refused, 403)?;
                }
            }
            Operation::Leave(slot, how) => self.leave(*slot, *how).await?,
            Operation::Cut { slot, sends, heard, calls, said } => {
                self.cut(*slot, *sends, *heard, calls, *said).await?;
            }
            Operation::Resume(slot) => {
                let slot = self.next(*slot, |_, peer| peer.suspended && peer.is_live());
                self.resume(slot).await?;
            }
            Operation::Pause(slot) => {
                let reads = |it: &usize| self.reference.peers[*it].reads;
                if let Some(it) = self.speaker(*slot).filter(reads) {
                    self.clients[it].reads(Reading::Bytes(0));
                    self.reference.pauses(it);
                }
            }
            Operation::Read(slot) => {
                let pauses = |_, peer: &Peer| !peer.reads && !peer.suspended && !peer.deaf;
                let slot = self.next(*slot, pauses);
                let pauses = |it: &usize| pauses(*it, &self.reference.peers[*it]);
                if let Some(it) = self.slots[slot].filter(pauses) {
                    self.clients[it].reads(Reading::All);
                    self.reference.reads(it);
                }
            }
            Operation::Call { slot, calls, part } => {
                if let Some(it) = self.speaker(*slot) {
                    let calls: Vec<_> =
                        calls.iter().map(|(method, wants)| self.call(*method, *wants)).collect();
                    let bytes = self.frames(it, &calls).concat();
                    let (first, second) = bytes.split_at(bytes.len() * part / 100);
                    self.clients[it].write(first).await;
                    settle().await;
                    self.clients[it].write(second).await;
                    self.reference.calls(it, &calls);
                }
            }
            Operation::Ping(slot) => {
                if let Some(it) = self.speaker(*slot) {
                    self.clients[it].say(&Message::Ping).await;
                    self.reference.pinged(it);
                }
            }
            Operation::Acknowledge(slot) => {
                if let Some(it) = self.speaker(*slot) {
                    self.acknowledge(it).await;
                }
            }
            Operation::Answer(slot, reply) => {
                let is_asked =
                    |it: usize, _: &Peer| !self.clients[it].ear.lock().unwrap().asked.is_empty();
                let slot = self.next(*slot, is_asked);
                if let Some(it) = self.speaker(slot) {
                    self.reply(it, *reply).await;
                }
            }
            Operation::Wait(milliseconds) => self.pass(*milliseconds).await,
            other => self.perform_rest(other).await?,
        }
        Ok(())
    }

    async fn connect(&mut self, slot: usize, newcomer: &Newcomer) -> Result<(), Failure> {
        if self.slots[slot].is_some_and(|it| self.reference.peers[it].stage != Stage::Over) {
            return Ok(());
        }
        let unix_seconds = self.reference.unix_seconds();
        let mut requests = Requests::new(&self.service, newcomer, unix_seconds);
        let id = match requests.negotiate(newcomer.resumes).await {
            Ok(id) => id,
            Err(status) => {
                let must_be = if newcomer.pass == Pass::Stale { 401 } else { 200 };
                return self.answered("negotiate", status, must_be);
            }
        };
        let negotiated = self.reference.now;
        self.reference.passes(negotiated + NEGOTIATED);
        if newcomer.dawdles > 0 {
            self.pass(newcomer.dawdles * 1000).await;
        }
        let is_late = self.reference.now >= negotiated + NEGOTIATED;
        let mut client = match Client::open(requests, newcomer, PIPE).await {
            Ok(client) => client,
            Err(status) => {
                return self.answered("connect", status, if is_late { 404 } else { 200 });
            }
        };
        self.answered("connect", 200, if is_late { 404 } else { 200 })?;
        let expires = expiry(newcomer.pass, unix_seconds);
        let it = self.reference.opens(newcomer, expires);
        self.note(&format!("c{it}"));
        if newcomer.greets {
            client.greet().await;
            self.reference.greets(it);
        }
        self.slots[slot] = Some(it);
        self.ids.push(id);
        self.clients.push(client);
        Ok(())
    }

    /// A request for a connection of another; returns the status.
    async fn knock(&self, requests: &Requests, way: Way) -> u16 {
        let accept = match way {
            Way::WebSockets => return requests.web_socket(PIPE).await.err().unwrap_or(101),
            Way::Events => "text/event-stream",
            Way::Polling => "",
        };
        requests.ask(Verb::GET, accept, Bytes::new()).await.0
    }

    pub(super) fn call(&mut self, method: Method, wants_answer: bool) -> Call {
        Call { method, number: self.number(), wants_answer }
    }

    pub(super) fn frames(&mut self, it: usize, calls: &[Call]) -> Vec<Bytes> {
        let client = &mut self.clients[it];
        let message = |call: &Call| Message::Invocation {
            invocation_id: call.wants_answer.then(|| call.number.to_string()),
            target: format!("{:?}", call.method),
            arguments: arguments(client.protocol, call.number),
            stream_ids: Vec::new(),
        };
        let messages: Vec<_> = calls.iter().map(message).collect();
        messages.iter().map(|message| client.count(message)).collect()
    }

    pub(super) async fn acknowledge(&mut self, it: usize) -> bool {
        let peer = &self.reference.peers[it];
        let can = peer.resumes && peer.is_live() && peer.listens();
        if can {
            self.reference.peers[it].acknowledged = self.clients[it].acknowledge().await;
            self.reference.hears_from(it);
        }
        can
    }

    async fn reply(&mut self, it: usize, reply: Reply) {
        let client = &mut self.clients[it];
        let Some(id) = client.ear.lock().unwrap().asked.pop_front() else { return };
        let (outcome, answer) = match reply {
            Reply::Result => {
                (Outcome::Result(encoded(client.protocol, ANSWER)), (200, r#"{"result":7}"#))
            }
            Reply::Void => (Outcome::Void, (200, "{}")),
            Reply::Error => (Outcome::Error("no".to_owned()), (400, "")),
        };
        let framed = client.count(&Message::Completion { invocation_id: id.clone(), outcome });
        client.write(&framed).await;
        self.reference.answers(it, &id, answer);
    }
}

/// The arguments of a call: its number.
fn arguments(protocol: Protocol, number: usize) -> Bytes {
    convert(&format!("[{number}]").into(), Protocol::Json, protocol).unwrap()
}
