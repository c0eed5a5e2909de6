//! Applies operations to a service and to the reference.

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
    client::{Requests, TestClient},
    client_model::{self, Call, ClientModel, PIPE, Stage},
    operations::{ConnectOptions, Method, Operation, Reply, SLOTS, TokenLifetime, Transport},
    readers::Reading,
    reference::{self, NEGOTIATED, Reference, expiry},
    upstream::{ModelApp, encoded},
};
use crate::support::{KEY, RestResponse, settle};

/// A description of a difference from the reference.
pub(super) type Failure = String;

/// The seconds by which tokio's clock is set ahead of the machine's clock, so that it never falls behind.
const AHEAD: u64 = 3600;
/// The result that clients return when the hub invokes them.
const ANSWER: u64 = 7;

pub(super) struct Driver {
    pub(super) service: LocalService,
    pub(super) app: ModelApp,
    pub(super) began: Instant,
    pub(super) reference: Reference,
    pub(super) clients: Vec<TestClient>,
    /// The connection ids. Histories show the numbers of connections instead.
    pub(super) ids: Vec<String>,
    pub(super) slots: [Option<usize>; SLOTS],
    /// REST calls that invoke clients and have no response yet.
    pub(super) asking: Vec<Option<JoinHandle<RestResponse>>>,
    pub(super) history: String,
    numbers: usize,
}

impl Driver {
    /// Starts a service. Its clock begins 300 ms after a full second, whatever the machine's clock shows.
    pub(super) async fn start() -> Self {
        let limits = Limits::default()
            .client_result_timeout(Duration::from_millis(reference::CLIENT_RESULT))
            .max_outbox_bytes(client_model::OUTBOX_BYTES)
            .max_outbox_messages(client_model::OUTBOX_MESSAGES)
            .max_resume_bytes(client_model::RESUME_BUFFER);
        let app = ModelApp::default();
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

    /// Advances the clock to a moment without events.
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

    /// Compares a response status with the expected one, and adds it to the history.
    pub(super) fn answered(&mut self, what: &str, is: u16, must_be: u16) -> Result<(), Failure> {
        self.note(&format!("{what}: {is}"));
        if is == must_be { Ok(()) } else { Err(format!("{what}: {is} instead of {must_be}")) }
    }

    /// The client in this slot, if it is in this stage.
    fn of(&self, slot: usize, stage: Stage) -> Option<usize> {
        self.slots[slot].filter(|it| self.reference.models[*it].stage == stage)
    }

    /// The live client in this slot, if it is connected.
    pub(super) fn speaker(&self, slot: usize) -> Option<usize> {
        let is_there = |it: &usize| {
            let model = &self.reference.models[*it];
            !model.suspended && !model.deaf
        };
        self.of(slot, Stage::Live).filter(is_there)
    }

    /// The first slot, starting at `slot`, whose client matches. Thus more operations have an effect.
    pub(super) fn next(
        &self,
        slot: usize,
        is_meant: impl Fn(usize, &ClientModel) -> bool,
    ) -> usize {
        let models = &self.reference.models;
        let fits = |slot: &usize| self.slots[*slot].is_some_and(|it| is_meant(it, &models[it]));
        (slot..slot + SLOTS).map(|slot| slot % SLOTS).find(fits).unwrap_or(slot)
    }

    pub(super) async fn perform(&mut self, operation: &Operation) -> Result<(), Failure> {
        match operation {
            Operation::Connect(slot, options) => self.connect(*slot, options).await?,
            Operation::Greet(slot) => {
                if let Some(it) = self.of(*slot, Stage::Opened) {
                    self.clients[it].greet().await;
                    self.reference.greets(it);
                }
            }
            Operation::Intrude(slot) => {
                if let Some(it) = self.speaker(*slot) {
                    let requests = self.clients[it].requests.of_an_intruder();
                    let refused = self
                        .request_connection(&requests, self.reference.models[it].transport)
                        .await;
                    self.answered("intruder", refused, 403)?;
                }
            }
            Operation::Leave(slot, how) => self.leave(*slot, *how).await?,
            Operation::Cut { slot, sends, heard, calls, said } => {
                self.cut(*slot, *sends, *heard, calls, *said).await?;
            }
            Operation::Resume(slot) => {
                let slot = self.next(*slot, |_, model| model.suspended && model.is_live());
                self.resume(slot).await?;
            }
            Operation::Pause(slot) => {
                let reads = |it: &usize| self.reference.models[*it].reads;
                if let Some(it) = self.speaker(*slot).filter(reads) {
                    self.clients[it].reads(Reading::Bytes(0));
                    self.reference.pauses(it);
                }
            }
            Operation::Read(slot) => {
                let pauses =
                    |_, model: &ClientModel| !model.reads && !model.suspended && !model.deaf;
                let slot = self.next(*slot, pauses);
                let pauses = |it: &usize| pauses(*it, &self.reference.models[*it]);
                if let Some(it) = self.slots[slot].filter(pauses) {
                    self.clients[it].reads(Reading::All);
                    self.reference.reads(it);
                }
            }
            Operation::Call { slot, calls, part } => {
                if let Some(it) = self.speaker(*slot) {
                    let calls: Vec<_> =
                        calls.iter().map(|(method, wants)| self.call(*method, *wants)).collect();
                    self.send_calls(it, &calls, *part).await?;
                }
            }
            Operation::Ping(slot) => {
                if let Some(it) = self.speaker(*slot) {
                    self.clients[it].send(&Message::Ping).await;
                    self.reference.pinged(it);
                }
            }
            Operation::Acknowledge(slot) => {
                if let Some(it) = self.speaker(*slot) {
                    self.acknowledge(it).await;
                }
            }
            Operation::Answer(slot, reply) => {
                let is_asked = |it: usize, _: &ClientModel| {
                    !self.clients[it].inbox.lock().unwrap().asked.is_empty()
                };
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

    async fn connect(&mut self, slot: usize, options: &ConnectOptions) -> Result<(), Failure> {
        if self.slots[slot].is_some_and(|it| self.reference.models[it].stage != Stage::Closed) {
            return Ok(());
        }
        let unix_seconds = self.reference.unix_seconds();
        let mut requests = Requests::new(&self.service, options, unix_seconds);
        let id = match requests.negotiate(options.resumes).await {
            Ok(id) => id,
            Err(status) => {
                let must_be =
                    if options.token_lifetime == TokenLifetime::Expired { 401 } else { 200 };
                return self.answered("negotiate", status, must_be);
            }
        };
        let negotiated = self.reference.now;
        self.reference.passes(negotiated + NEGOTIATED);
        if options.delay_seconds > 0 {
            self.pass(options.delay_seconds * 1000).await;
        }
        let is_late = self.reference.now >= negotiated + NEGOTIATED;
        let mut client = match TestClient::open(requests, options, PIPE).await {
            Ok(client) => client,
            Err(status) => {
                return self.answered("connect", status, if is_late { 404 } else { 200 });
            }
        };
        self.answered("connect", 200, if is_late { 404 } else { 200 })?;
        let expires = expiry(options.token_lifetime, unix_seconds);
        let it = self.reference.opens(options, expires);
        self.note(&format!("c{it}"));
        if options.sends_handshake {
            client.greet().await;
            self.reference.greets(it);
        }
        self.slots[slot] = Some(it);
        self.ids.push(id);
        self.clients.push(client);
        Ok(())
    }

    /// Sends a request for another client's connection. Returns the status.
    async fn request_connection(&self, requests: &Requests, transport: Transport) -> u16 {
        let accept = match transport {
            Transport::WebSockets => return requests.web_socket(PIPE).await.err().unwrap_or(101),
            Transport::Events => "text/event-stream",
            Transport::Polling => "",
        };
        requests.ask(Verb::GET, accept, Bytes::new()).await.0
    }

    pub(super) fn call(&mut self, method: Method, wants_answer: bool) -> Call {
        Call { method, number: self.number(), wants_answer }
    }

    /// Sends calls in two writes. `part` is the percentage of the bytes in the first one.
    async fn send_calls(&mut self, it: usize, calls: &[Call], part: usize) -> Result<(), Failure> {
        let frames = self.frames(it, calls);
        let bytes = frames.concat();
        let (first, second) = bytes.split_at(bytes.len() * part / 100);
        let ends = frames.iter().scan(0, |end, frame| {
            *end += frame.len();
            Some(*end)
        });
        let (early, late) = calls.split_at(ends.take_while(|end| *end <= first.len()).count());
        self.clients[it].write(first).await;
        settle().await;
        self.reference.calls(it, early);
        // The first calls may end a client that does not read. The service then does not read the other calls.
        self.find_slow_clients(self.reference.now).await?;
        self.clients[it].write(second).await;
        if self.reference.models[it].is_live() {
            self.reference.calls(it, late);
        }
        Ok(())
    }

    pub(super) fn frames(&mut self, it: usize, calls: &[Call]) -> Vec<Bytes> {
        let client = &mut self.clients[it];
        let message = |call: &Call| Message::Invocation {
            invocation_id: call.wants_answer.then(|| call.number.to_string()),
            target: format!("{:?}", call.method),
            arguments: arguments(client.protocol, call.number),
            stream_ids: Vec::new(),
            trace: None,
        };
        let messages: Vec<_> = calls.iter().map(message).collect();
        messages.iter().map(|message| client.count(message)).collect()
    }

    pub(super) async fn acknowledge(&mut self, it: usize) -> bool {
        let model = &self.reference.models[it];
        let can = model.resumes && model.is_live() && model.listens();
        if can {
            self.reference.models[it].acknowledged = self.clients[it].acknowledge().await;
            self.reference.hears_from(it);
        }
        can
    }

    async fn reply(&mut self, it: usize, reply: Reply) {
        let client = &mut self.clients[it];
        let Some(id) = client.inbox.lock().unwrap().asked.pop_front() else { return };
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

/// The arguments of a call: an array with its number.
fn arguments(protocol: Protocol, number: usize) -> Bytes {
    convert(&format!("[{number}]").into(), Protocol::Json, protocol).unwrap()
}
