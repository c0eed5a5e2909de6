//! The recorder: adds events to the ring.

use std::{
    borrow::Cow,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use hub_core::{
    Secret, names,
    protocol::{Outcome, Protocol},
    upstream::DISCONNECTED,
};
use hub_net::log_limit::LogLimit;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::Notify;

use super::{
    activity::{App, Averages},
    body::{self, Body},
    event::{
        Address, Answered, ClientResult, Conversation, Event, Finished, GroupChange, Matter,
        Negotiated, Opened, Origin, Refused, Sent, Subject, Trouble, What,
    },
    hidden::Hidden,
    peer::Peer,
    render::{Render, outcome},
    ring::{MAX_BYTES, Ring},
    time,
};
use crate::{causes::Cause, record::EventSink};

/// How many calls of clients and messages are recorded in a second. Under more load they are counted: recording each of
/// them would slow the service down, and the ring would keep them for a moment only.
const MAX_PER_SECOND: u64 = 4000;
const MICROS: u64 = 1_000_000;
/// The largest size of all conversations. Above it, of further arguments only size and type are kept.
const MAX_ALIVE_BYTES: usize = 2 * MAX_BYTES;
/// The largest text of a failure, in bytes.
const MAX_TEXT_BYTES: usize = 1024;

/// What a recorder keeps and shows.
pub(crate) struct Settings {
    /// Whether events have the values of arguments, bodies and results. Otherwise, only their sizes and types.
    pub(crate) payloads: bool,
    /// The names of fields whose values are not shown.
    pub(crate) masks: Vec<String>,
    /// Texts that no event shows.
    pub(crate) secrets: Vec<Secret>,
    /// Gets each event as JSON.
    pub(crate) sink: Option<Box<dyn EventSink>>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Settings")
    }
}

/// Records the events of a service.
pub(crate) struct Recorder {
    pub(super) ring: Mutex<Ring>,
    /// The size of the events of the ring, with their conversations. Relaxed: changed under the lock of the ring.
    pub(super) bytes: AtomicUsize,
    /// The size of all conversations, also of those that are not in the ring: calls that wait or run. Relaxed: a bound
    /// that is seen late is harmless.
    pub(super) alive: AtomicUsize,
    /// Limits the refusals that are recorded: they need no credentials.
    refusals: LogLimit,
    pub(super) hidden: Hidden,
    payloads: bool,
    masks: Vec<String>,
    sink: Option<Box<dyn EventSink>>,
    /// The number of calls. Relaxed: only uniqueness matters.
    calls: AtomicU64,
    /// The current second, and how much was recorded in it. Relaxed: a wrong count under races is harmless.
    second: AtomicU64,
    recorded: AtomicU64,
    /// The number of calls and messages that were not recorded and not told yet.
    left_out: AtomicU64,
    /// The number of readers that wait or will wait for events.
    readers: AtomicUsize,
    changed: Notify,
    started: u64,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder")
    }
}

/// A call of the app that runs.
#[derive(Debug)]
#[must_use]
pub(crate) struct RunningCall {
    of: Arc<Conversation>,
    /// The number of the request; `None` if there is no app to call.
    id: Option<u64>,
    slot: Option<usize>,
    address: Option<Address>,
}

impl RunningCall {
    /// A call for which no app is configured.
    pub(crate) fn of_no_app(of: &Arc<Conversation>) -> Self {
        Self { of: Arc::clone(of), id: None, slot: None, address: None }
    }
}

/// A call that ends without a response, for example when the runtime stops.
impl Drop for RunningCall {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.of.peer.recorder.ring.lock().running.remove(slot);
        }
    }
}

impl Recorder {
    pub(crate) fn new(settings: Settings) -> Self {
        let Settings { payloads, masks, secrets, sink } = settings;
        Self {
            ring: Mutex::default(),
            bytes: AtomicUsize::new(0),
            alive: AtomicUsize::new(0),
            refusals: LogLimit::default(),
            hidden: Hidden::new(secrets, &masks),
            payloads,
            masks,
            sink,
            calls: AtomicU64::new(0),
            second: AtomicU64::new(0),
            recorded: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
            readers: AtomicUsize::new(0),
            changed: Notify::new(),
            started: time::now(),
        }
    }

    /// Whether events have the values of arguments, bodies and results.
    pub(crate) fn has_payloads(&self) -> bool {
        self.payloads
    }

    pub(crate) fn masks(&self) -> &[String] {
        &self.masks
    }

    /// When the recorder was made, in microseconds since 1970.
    pub(crate) fn started(&self) -> u64 {
        self.started
    }

    fn push(&self, what: What) {
        self.push_with(time::now(), what, |_| ());
    }

    fn push_with(&self, now: u64, what: What, also: impl FnOnce(&mut Ring)) {
        let mut ring = self.ring.lock();
        also(&mut ring);
        self.add(&mut ring, now, what);
        drop(ring);
        if self.readers.load(Ordering::Relaxed) > 0 {
            self.changed.notify_waiters();
        }
    }

    /// Whether a call or a message is recorded. Otherwise it is counted. A recording gets all of them.
    fn admits(&self, now: u64) -> bool {
        if self.sink.as_ref().is_some_and(|sink| sink.is_open()) {
            return true;
        }
        let second = now / MICROS;
        if self.second.load(Ordering::Relaxed) != second {
            self.second.store(second, Ordering::Relaxed);
            self.recorded.store(0, Ordering::Relaxed);
            self.tell_left_out();
        }
        if self.recorded.fetch_add(1, Ordering::Relaxed) < MAX_PER_SECOND {
            return true;
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// Adds an event for what was not recorded since the last one.
    pub(super) fn tell_left_out(&self) {
        let count = self.left_out.swap(0, Ordering::Relaxed);
        if count > 0 {
            self.push(What::LeftOut { count });
        }
    }

    fn add(&self, ring: &mut Ring, now: u64, what: What) {
        if let Some(sink) = self.sink.as_ref().filter(|sink| sink.is_open()) {
            // Under the lock, so that the sink gets the events in order.
            let event = Event { seq: ring.last + 1, at: now, what: what.clone() };
            sink.event(&Render::new(&self.hidden).event(&event).to_string());
        }
        ring.push(now, what, &self.bytes);
    }

    /// A client has completed an invocation of the app.
    pub(crate) fn returned(&self, result: ClientResult) {
        self.push(What::ClientResult(result.into()));
    }

    /// A body that is part of a larger buffer.
    pub(crate) fn copied(&self, protocol: Protocol, bytes: &[u8]) -> Body {
        let is_full = self.sink.is_none() && self.alive.load(Ordering::Relaxed) > MAX_ALIVE_BYTES;
        if !self.payloads || is_full {
            return Body::hidden(protocol, bytes);
        }
        Body::copied(protocol, bytes, self.longest())
    }

    /// A body that is a buffer of its own.
    pub(crate) fn shared(&self, protocol: Protocol, bytes: &Bytes) -> Body {
        if !self.payloads {
            return Body::hidden(protocol, bytes);
        }
        Body::shared(protocol, bytes, self.longest())
    }

    /// The longest body that is kept completely: a recording must contain what a replay sends.
    fn longest(&self) -> usize {
        if self.sink.is_some() { body::MAX_RECORDED_BYTES } else { body::MAX_BYTES }
    }

    /// A client has negotiated.
    pub(crate) fn negotiated(&self, hub: &str, user: Option<&Arc<str>>, connection: String) {
        let negotiated = Negotiated { hub: hub.into(), user: user.cloned(), connection };
        self.push(What::Negotiate(negotiated.into()));
    }

    /// A client has completed its handshake.
    pub(crate) fn connected(&self, peer: &Arc<Peer>, opened: Opened) {
        let call = peer.report(false, || self.next_call());
        self.push(What::Connected { peer: Arc::clone(peer), opened: opened.into(), call });
    }

    /// A connection has ended.
    pub(crate) fn disconnected(&self, peer: &Arc<Peer>, trouble: Option<Trouble>) {
        let trouble = trouble.map(Arc::new);
        let call = peer.report(true, || self.next_call());
        self.push(What::Disconnected { peer: Arc::clone(peer), trouble, call });
    }

    /// Something was refused.
    pub(crate) fn refused(
        &self,
        mut subject: Subject,
        what: Matter,
        status: Option<u16>,
        trouble: Trouble,
    ) {
        let kind = trouble.cause.map_or(what.name(), Cause::id);
        let is_anonymous = subject.connection.is_none();
        let record = |omitted| {
            // What is no name of a hub may have any length and content.
            subject.hub = subject.hub.filter(|hub| names::check_hub(hub).is_ok());
            let trouble = trouble.bounded(MAX_TEXT_BYTES);
            let refused = Refused { subject, what, status, trouble, omitted };
            self.push(What::Refused(refused.into()));
        };
        if is_anonymous {
            self.refusals.line(kind, record);
        } else {
            record(None);
        }
    }

    /// Whether the call of a client is recorded, see [`Self::invoked`]. Otherwise it is counted.
    pub(crate) fn admits_call(&self) -> bool {
        let now = time::now();
        let admitted = self.admits(now);
        if !admitted {
            self.ring.lock().rates.call(now, false);
        }
        admitted
    }

    /// A client calls a method. `queued` is whether an earlier call of the client still runs.
    pub(crate) fn invoked(
        &self,
        peer: &Arc<Peer>,
        origin: Origin,
        protocol: Protocol,
        (invocation_id, method): (Option<&str>, &str),
        arguments: &[u8],
        queued: bool,
    ) -> Arc<Conversation> {
        let arguments = self.copied(protocol, arguments);
        let (call, peer) = (self.next_call(), Arc::clone(peer));
        let of = Conversation::new(call, peer, origin, protocol, invocation_id, method, arguments);
        let of = Arc::new(of);
        self.push(What::Invocation { of: Arc::clone(&of), queued });
        of
    }

    /// The app is told that a connection has opened or ended.
    pub(crate) fn reported(&self, peer: &Arc<Peer>, event: &str) -> Arc<Conversation> {
        let (protocol, origin) = (Protocol::Json, Origin::Event);
        let call = peer.report(event == DISCONNECTED, || self.next_call());
        let none = Body::copied(protocol, b"", 0);
        Arc::new(Conversation::new(call, Arc::clone(peer), origin, protocol, None, event, none))
    }

    fn next_call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The app is called. Without an address, no app handles the event.
    pub(crate) fn calls_app(
        &self,
        of: &Arc<Conversation>,
        id: u64,
        address: Option<Address>,
    ) -> RunningCall {
        let Some(address) = address else { return RunningCall::of_no_app(of) };
        let what = What::Upstream { of: Arc::clone(of), id, address: address.clone() };
        let mut slot = 0;
        self.push_with(time::now(), what, |ring| slot = ring.running.add(Arc::clone(of)));
        let (id, slot, address) = (Some(id), Some(slot), Some(address));
        RunningCall { of: Arc::clone(of), id, slot, address }
    }

    /// The app has responded, or cannot be reached.
    pub(crate) fn answered(
        &self,
        mut running: RunningCall,
        answer: Option<(u16, &Bytes)>,
        took: Duration,
        trouble: Option<Trouble>,
    ) {
        let (of, id, slot) = (Arc::clone(&running.of), running.id, running.slot.take());
        let address = running.address.take();
        let body = match answer {
            Some((_, body)) => self.shared(of.protocol, body),
            None => Body::copied(of.protocol, b"", 0),
        };
        let (status, now) = (answer.map(|(status, _)| status), time::now());
        let known = trouble.clone();
        let returned = answer.filter(|_| trouble.is_none()).and_then(|(_, body)| error(&of, body));
        let trouble = trouble.or(returned);
        let failed = trouble.is_some();
        of.answer(Answered { status, body, took, trouble });
        self.push_with(now, What::Answer { of, id }, |ring| {
            slot.into_iter().for_each(|slot| ring.running.remove(slot));
            ring.rates.call(now, failed);
            if let Some(address) = address {
                ring.apps.call(&address, now, status.is_some(), known.as_ref());
            }
        });
    }

    /// The client of an `invoke` receives its completion.
    pub(crate) fn finished(&self, of: &Arc<Conversation>, finished: Finished) {
        self.push(What::Completion { of: Arc::clone(of), finished });
    }

    /// Whether a message to this number of clients is recorded, see [`Self::sent`]. Otherwise it is counted.
    pub(crate) fn admits_message(&self, recipients: usize) -> bool {
        let now = time::now();
        let admitted = self.admits(now);
        if !admitted {
            self.ring.lock().rates.message(now, recipients);
        }
        admitted
    }

    /// A message was sent to clients.
    pub(crate) fn sent(&self, mut sent: Sent) {
        let now = time::now();
        let mut ring = self.ring.lock();
        sent.calls = ring.running.of_hub(&sent.hub);
        ring.rates.message(now, sent.recipients);
        self.add(&mut ring, now, What::Send(sent.into()));
        drop(ring);
        if self.readers.load(Ordering::Relaxed) > 0 {
            self.changed.notify_waiters();
        }
    }

    /// The call of a client with this number, if it is kept.
    pub(crate) fn find(&self, call: u64) -> Option<Arc<Conversation>> {
        let ring = self.ring.lock();
        let found = ring.after(0).rev().filter_map(|event| event.what.conversation());
        let mut found = found.filter(|of| of.call == call && of.origin != Origin::Event);
        found.next().cloned()
    }

    /// The answer of a call as an event, if it is kept.
    pub(crate) fn answer_of(&self, call: u64) -> Option<Value> {
        let found = {
            let ring = self.ring.lock();
            let is_answer =
                |event: &&Event| matches!(&event.what, What::Answer { of, .. } if of.call == call);
            ring.after(0).rev().find(is_answer).cloned()
        };
        found.map(|event| Render::new(&self.hidden).event(&event))
    }

    /// A text without secrets.
    pub(crate) fn shown<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.hidden.text(text)
    }

    /// The claims of a connection as a list.
    pub(crate) fn claims(&self, header: Option<&str>) -> Value {
        Render::new(&self.hidden).claims(header)
    }

    /// A group has changed.
    pub(crate) fn group(&self, change: GroupChange) {
        self.push(What::Group(change.into()));
    }

    /// The service has ended: removes all events, and takes no more. Events refer to the recorder, so without this it would
    /// live for ever.
    pub(super) fn end(&self) {
        self.ring.lock().end(&self.bytes);
    }

    /// Removes all events.
    pub(crate) fn clear(&self) {
        self.ring.lock().clear(&self.bytes);
    }

    pub(crate) fn averages(&self) -> Averages {
        self.ring.lock().rates.averages(time::now())
    }

    pub(crate) fn apps(&self) -> Vec<App> {
        self.ring.lock().apps.all()
    }

    /// A reader: while there is one, events wake it.
    pub(super) fn enter(&self) {
        self.readers.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn leave(&self) {
        self.readers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Waits for an event after this one.
    pub(super) async fn after(&self, seq: u64) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.ring.lock().last > seq {
                return;
            }
            changed.await;
        }
    }
}

/// The error with which the app completes a call. The app has responded, so the failure has no cause of the service.
fn error(of: &Conversation, body: &Bytes) -> Option<Trouble> {
    of.invocation_id()?;
    match outcome(of.protocol, body)? {
        Outcome::Error(text) => {
            Some(Trouble { cause: None, text: text.into() }.bounded(MAX_TEXT_BYTES))
        }
        Outcome::Void | Outcome::Result(_) => None,
    }
}
