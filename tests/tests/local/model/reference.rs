//! The reference: a simplified model of the service.
//!
//! Time is in milliseconds since the start. The agenda contains the future events that no operation causes.

use std::collections::BTreeMap;

use super::{
    client_model::{Call, ClientModel, Expected, Stage},
    members::{Members, Present},
    operations::{ConnectOptions, HUBS, Method, TokenLifetime, Transport},
};

pub(super) const HANDSHAKE: u64 = 15_000;
pub(super) const KEEP_ALIVE: u64 = 15_000;
pub(super) const SILENCE: u64 = 30_000;
pub(super) const NEGOTIATED: u64 = 15_000;
pub(super) const POLL_GAP: u64 = 15_000;
pub(super) const RESUME: u64 = 30_000;
pub(super) const CLOSE: u64 = 5_000;
pub(super) const CLIENT_RESULT: u64 = 40_000;
pub(super) const LOST: &str = "the client's transport was lost without a close handshake";
const SILENT: &str = "the client has sent nothing for 30 s";
/// The duration of slow upstream calls, in milliseconds.
const SLOW: u64 = 3_000;
const SLOW_GREETING: u64 = 2_000;
/// The user whose `connected` call is slow.
const SLOW_USER: Option<usize> = Some(2);
/// The minimum distance between a comparison and an event, in milliseconds.
const MARGIN: u64 = 5;

#[derive(Clone, Copy, Debug)]
enum Effect {
    HandshakeIsLate(usize),
    /// The second field is the number of the timer, as in `Gone`.
    Silent(usize, u64),
    Gone(usize, u64),
    Expired(usize),
    CallBegins(usize, Call),
    CallEnds(usize, Call),
    AskIsLate(usize),
    Pings(usize),
    /// Has no effect, but the driver must not compare near this time.
    Passes,
}

/// A client result that a REST caller awaits.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) connection: usize,
    pub(super) id: String,
    pub(super) status: Option<u16>,
    /// The body of the successful response.
    pub(super) body: &'static str,
}

#[derive(Debug, Default)]
pub(super) struct Reference {
    pub(super) now: u64,
    /// The start time: Unix seconds, and the remaining milliseconds.
    began: (u64, u64),
    agenda: BTreeMap<(u64, usize), Effect>,
    counter: usize,
    pub(super) models: Vec<ClientModel>,
    pub(super) members: [Members; HUBS],
    pub(super) asks: Vec<Ask>,
}

impl Reference {
    /// Creates a reference. `began` is the start time in Unix seconds and remaining milliseconds.
    pub(super) fn new(began: (u64, u64)) -> Self {
        Self { began, ..Self::default() }
    }

    pub(super) fn unix_seconds(&self) -> u64 {
        self.began.0 + (self.began.1 + self.now) / 1000
    }

    /// The live connections of a hub.
    pub(super) fn present(&self, hub: usize) -> Present {
        let models = self.models.iter().enumerate();
        let live = models.filter(|(_, model)| model.is_live() && model.hub == hub);
        live.map(|(number, model)| (number, model.user)).collect()
    }

    fn plan(&mut self, at: u64, effect: Effect) {
        self.counter += 1;
        self.agenda.insert((at, self.counter), effect);
    }

    /// Forbids a comparison near the time `at`.
    pub(super) fn passes(&mut self, at: u64) {
        self.plan(at, Effect::Passes);
    }

    /// Advances to `until`, or to the first later time that is at least [`MARGIN`] away from every event. Returns
    /// the new time.
    pub(super) fn pass(&mut self, until: u64) -> u64 {
        let (began, mut last, mut at) = (self.now, 0, until);
        loop {
            while let Some(entry) = self.agenda.first_entry().filter(|it| it.key().0 <= at) {
                let ((due, _), effect) = entry.remove_entry();
                self.now = due.max(began);
                if due > began {
                    last = due;
                }
                self.happens(effect);
            }
            let next = self.agenda.keys().next().map_or(u64::MAX, |(due, _)| *due);
            // Token expiry is in full seconds of the machine's clock, which the service reads twice. Do not compare
            // just after a full second, because the second value can differ from the first.
            let is_near_second = (self.began.1 + at) % 1000 < 100;
            if last + MARGIN < at.max(MARGIN + 1) && next > at + MARGIN && !is_near_second {
                self.now = at;
                return at;
            }
            at += 2 * MARGIN;
        }
    }

    fn happens(&mut self, effect: Effect) {
        let now = self.now;
        match effect {
            Effect::HandshakeIsLate(it) if self.models[it].stage == Stage::Opened => {
                self.refuse(it, "Handshake was canceled.");
            }
            Effect::Silent(it, timer) if self.models[it].silence == timer => {
                let last_line = close(Some("Connection closed with an error."), true);
                self.end(it, Some(last_line), Some(SILENT));
            }
            Effect::Gone(it, timer) if self.models[it].absence == timer => {
                self.models[it].deaf = true;
                self.end(it, None, Some(LOST));
            }
            Effect::Expired(it) => self.end(it, Some(close(None, true)), None),
            Effect::CallBegins(it, call) if call.method == Method::Tells => {
                if self.models[it].is_live() {
                    let told = Expected::Line(format!("told {}", call.number));
                    self.models[it].tell(told, 1, 0);
                }
            }
            Effect::CallEnds(it, call) if self.models[it].is_live() && call.wants_answer => {
                let line = format!("completion {}{}", call.number, outcome(call));
                self.models[it].tell(Expected::Line(line), 1, 0);
            }
            Effect::AskIsLate(ask) if self.asks[ask].status.is_none() => {
                self.asks[ask].status = Some(504);
            }
            Effect::Pings(it) if self.models[it].is_live() => {
                self.plan(self.now + KEEP_ALIVE, Effect::Pings(it));
            }
            Effect::HandshakeIsLate(_)
            | Effect::Pings(_)
            | Effect::Silent(..)
            | Effect::Gone(..)
            | Effect::CallBegins(..)
            | Effect::CallEnds(..)
            | Effect::AskIsLate(_)
            | Effect::Passes => {}
        }
        debug_assert!(now == self.now);
    }

    /// Adds a client whose transport is open.
    pub(super) fn opens(&mut self, options: &ConnectOptions, expires: Option<u64>) -> usize {
        let number = self.models.len();
        self.models.push(ClientModel::new(options, expires));
        self.plan(self.now + HANDSHAKE, Effect::HandshakeIsLate(number));
        number
    }

    pub(super) fn greets(&mut self, it: usize) {
        let (now, unix) = (self.now, self.unix_seconds());
        let model = &mut self.models[it];
        if model.transport == Transport::Events && model.messagepack {
            self.refuse(
                it,
                "Cannot use the 'messagepack' protocol on the current transport. The transport \
                 does not support 'Binary' transfer format.",
            );
            return;
        }
        model.stage = Stage::Live;
        model.live_since = now;
        self.members[model.hub].greet(it, model.user, now);
        model.tell(Expected::Line("accepted".to_owned()), 0, 0);
        let takes = if model.user == SLOW_USER { SLOW_GREETING } else { 0 };
        let text = format!("connected {} at h{}", user_name(model.user), model.hub);
        let (_, ends) = model.report(text, now, now, takes);
        let expires = model.expires;
        self.plan(ends, Effect::Passes);
        self.plan(now + KEEP_ALIVE, Effect::Pings(it));
        if let Some(at) = expires {
            self.plan(now + at.saturating_sub(unix) * 1000, Effect::Expired(it));
        }
    }

    fn refuse(&mut self, it: usize, text: &str) {
        let model = &mut self.models[it];
        model.stage = Stage::Closed;
        model.hears.push_back(Expected::Line(format!("refused {text}")));
        model.hears.push_back(Expected::Line(over(model.transport)));
    }

    /// Records that bytes of the client have arrived.
    pub(super) fn hears_from(&mut self, it: usize) {
        if self.models[it].armed {
            self.models[it].silence += 1;
            let timer = self.models[it].silence;
            self.plan(self.now + SILENCE, Effect::Silent(it, timer));
        }
    }

    pub(super) fn pinged(&mut self, it: usize) {
        // Polls keep the connection alive without pings.
        if self.models[it].transport != Transport::Polling {
            self.models[it].armed = true;
        }
        self.hears_from(it);
    }

    /// Records that the service has received these calls.
    pub(super) fn calls(&mut self, it: usize, calls: &[Call]) {
        for call in calls {
            let takes = if call.method == Method::Slow { SLOW } else { 0 };
            let text = format!("{:?} {}", call.method, call.number);
            let now = self.now;
            let (begins, ends) = self.models[it].report(text, now, now, takes);
            self.plan(begins, Effect::CallBegins(it, *call));
            self.plan(ends, Effect::CallEnds(it, *call));
        }
        if !calls.is_empty() {
            self.hears_from(it);
        }
        self.settle();
    }

    /// Applies the effects that are due.
    pub(super) fn settle(&mut self) {
        while let Some(entry) = self.agenda.first_entry().filter(|it| it.key().0 <= self.now) {
            let effect = entry.remove();
            self.happens(effect);
        }
    }

    /// Ends the connection unless it has ended already. The client receives `last_line`, and the app
    /// receives `error`.
    pub(super) fn end(&mut self, it: usize, last_line: Option<String>, error: Option<&str>) {
        let (now, model) = (self.now, &mut self.models[it]);
        if model.stage == Stage::Closed {
            return;
        }
        if model.is_live() {
            let text = match error {
                Some(error) => format!("disconnected: {error}"),
                None => "disconnected".to_owned(),
            };
            // A client that does not read has up to `CLOSE` to receive its last messages.
            let is_gone = model.suspended || error == Some(LOST);
            let is_missed =
                !model.listens() && (!model.deaf || model.transport == Transport::Polling);
            let waits = if is_missed && !is_gone { CLOSE } else { 0 };
            let (_, until) = model.report(text, now, now + waits, 0);
            self.agenda.insert((until, usize::MAX - it), Effect::Passes);
        }
        let model = &mut self.models[it];
        model.stage = Stage::Closed;
        model.silence += 1;
        model.absence += 1;
        if model.listens() {
            model.hears.extend(last_line.map(Expected::Line));
            model.hears.push_back(Expected::Line(over(model.transport)));
        } else {
            model.hears.extend(last_line.map(Expected::Line));
            model.loose = true;
            // Closing the transport may take another `CLOSE`.
            model.over_by = now + 2 * CLOSE;
            self.plan(now + 2 * CLOSE, Effect::Passes);
        }
        for ask in self.asks.iter_mut().filter(|ask| ask.connection == it) {
            ask.status.get_or_insert(404);
        }
        let hub = self.models[it].hub;
        self.members[hub].forget(it);
    }

    /// Records that the service closes a client that does not read, at or after `since`.
    pub(super) fn is_slow(&mut self, it: usize, since: u64) {
        let free_at = self.models[it].free_at;
        self.end(it, Some(close(Some("slow client"), true)), Some("slow client"));
        if let Some(last) = self.models[it].upstream.back_mut() {
            last.from = last.from.min(since.max(free_at));
        }
    }

    /// Records that the client stops reading.
    pub(super) fn pauses(&mut self, it: usize) {
        let model = &mut self.models[it];
        (model.reads, model.steady) = (false, false);
        if model.transport == Transport::Polling {
            self.leaves_alone(it, POLL_GAP);
        }
    }

    pub(super) fn reads(&mut self, it: usize) {
        let model = &mut self.models[it];
        model.reads = true;
        model.absence += 1;
        model.unread = Default::default();
    }

    /// Records that the socket of a resumable client breaks.
    pub(super) fn breaks(&mut self, it: usize) {
        let model = &mut self.models[it];
        (model.suspended, model.steady) = (true, false);
        model.silence += 1;
        self.leaves_alone(it, RESUME);
    }

    pub(super) fn resumes(&mut self, it: usize) {
        let model = &mut self.models[it];
        (model.suspended, model.steady) = (false, false);
        let sequence = format!("sequence {}", model.acknowledged + 1);
        model.hears.push_front(Expected::Line(sequence));
        let kept = std::mem::take(&mut model.kept);
        self.reads(it);
        self.hears_from(it);
        self.calls(it, &kept);
    }

    fn leaves_alone(&mut self, it: usize, time: u64) {
        self.models[it].absence += 1;
        let timer = self.models[it].absence;
        self.plan(self.now + time, Effect::Gone(it, timer));
    }

    /// Records that a REST caller invokes a connected client.
    pub(super) fn asks(&mut self, connection: usize, number: usize) {
        let model = &mut self.models[connection];
        let id = format!("s{}", model.asks);
        model.asks += 1;
        model.tell(Expected::Line(format!("asked {id} {number}")), 1, 0);
        self.asks.push(Ask { connection, id, status: None, body: "" });
        self.plan(self.now + CLIENT_RESULT, Effect::AskIsLate(self.asks.len() - 1));
    }

    /// Records a client result. A result without a waiting caller has no effect.
    pub(super) fn answers(
        &mut self,
        connection: usize,
        id: &str,
        (status, body): (u16, &'static str),
    ) {
        let mut asks = self.asks.iter_mut();
        let ask = asks.find(|ask| ask.connection == connection && ask.id == id);
        if let Some(ask) = ask.filter(|ask| ask.status.is_none()) {
            (ask.status, ask.body) = (Some(status), body);
        }
        self.hears_from(connection);
    }
}

/// The line of a close message.
pub(super) fn close(error: Option<&str>, allow_reconnect: bool) -> String {
    let again = if allow_reconnect { " again" } else { "" };
    format!("close{again} {}", error.unwrap_or("-"))
}

fn over(transport: Transport) -> String {
    match transport {
        Transport::WebSockets => "closed 1000".to_owned(),
        Transport::Events | Transport::Polling => "over".to_owned(),
    }
}

fn outcome(call: Call) -> String {
    match call.method {
        Method::Result | Method::Slow | Method::Tells => format!(": {}", call.number),
        Method::Nothing | Method::Empty => String::new(),
        Method::Fails | Method::Unreachable => {
            " failed: Invocation failed, status code 500".to_owned()
        }
    }
}

pub(super) fn user_name(user: Option<usize>) -> String {
    user.map_or_else(|| "-".to_owned(), |user| format!("u{user}"))
}

/// The time at which a token ends its connection, in Unix seconds.
pub(super) fn expiry(token_lifetime: TokenLifetime, unix_seconds: u64) -> Option<u64> {
    match token_lifetime {
        TokenLifetime::ClosesAfter(seconds) => Some(unix_seconds + seconds),
        TokenLifetime::Lasting | TokenLifetime::Expired => None,
    }
}
