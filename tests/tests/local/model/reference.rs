//! The reference: what a service must do, small enough to be read.
//!
//! Everything happens at a millisecond of its own time. What will happen by itself is on an agenda.

use std::collections::BTreeMap;

use super::{
    members::{Members, Present},
    operations::{HUBS, Method, Newcomer, Pass, Way},
    peer::{Call, Expected, Peer, Stage},
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
/// How long the app takes.
const SLOW: u64 = 3_000;
const SLOW_GREETING: u64 = 2_000;
/// The user whose `connected` takes long.
const SLOW_USER: Option<usize> = Some(2);
/// Nobody looks closer to an event than this.
const MARGIN: u64 = 5;

#[derive(Clone, Copy, Debug)]
enum Effect {
    HandshakeIsLate(usize),
    /// With the number of the timer, as the next.
    Silent(usize, u64),
    Gone(usize, u64),
    Expired(usize),
    CallBegins(usize, Call),
    CallEnds(usize, Call),
    AskIsLate(usize),
    Pings(usize),
    /// Something that is known already, but not the moment to look.
    Passes,
}

/// A client result that a REST caller waits for.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) connection: usize,
    pub(super) id: String,
    pub(super) status: Option<u16>,
    /// The body of a good answer.
    pub(super) body: &'static str,
}

#[derive(Debug, Default)]
pub(super) struct Reference {
    pub(super) now: u64,
    /// Seconds since 1970 at the beginning, and the milliseconds beyond.
    began: (u64, u64),
    agenda: BTreeMap<(u64, usize), Effect>,
    counter: usize,
    pub(super) peers: Vec<Peer>,
    pub(super) members: [Members; HUBS],
    pub(super) asks: Vec<Ask>,
}

impl Reference {
    /// `began` is in seconds since 1970 and milliseconds.
    pub(super) fn new(began: (u64, u64)) -> Self {
        Self { began, ..Self::default() }
    }

    pub(super) fn unix_seconds(&self) -> u64 {
        self.began.0 + (self.began.1 + self.now) / 1000
    }

    /// Whoever is registered with a hub.
    pub(super) fn present(&self, hub: usize) -> Present {
        let peers = self.peers.iter().enumerate();
        let live = peers.filter(|(_, peer)| peer.is_live() && peer.hub == hub);
        live.map(|(number, peer)| (number, peer.user)).collect()
    }

    fn plan(&mut self, at: u64, effect: Effect) {
        self.counter += 1;
        self.agenda.insert((at, self.counter), effect);
    }

    /// At this moment nobody should look.
    pub(super) fn passes(&mut self, at: u64) {
        self.plan(at, Effect::Passes);
    }

    /// Lets time pass, to this moment or a little later, when nothing happens.
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
            // The machine's clock, which tokens go by, is read twice and may be late by a little.
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
            Effect::HandshakeIsLate(it) if self.peers[it].stage == Stage::Opened => {
                self.refuse(it, "Handshake was canceled.");
            }
            Effect::Silent(it, timer) if self.peers[it].silence == timer => {
                let says = close(Some("Connection closed with an error."), true);
                self.end(it, Some(says), Some(SILENT));
            }
            Effect::Gone(it, timer) if self.peers[it].absence == timer => {
                self.peers[it].deaf = true;
                self.end(it, None, Some(LOST));
            }
            Effect::Expired(it) => self.end(it, Some(close(None, true)), None),
            Effect::CallBegins(it, call) if call.method == Method::Tells => {
                if self.peers[it].is_live() {
                    let told = Expected::Line(format!("told {}", call.number));
                    self.peers[it].tell(told, 1, 0);
                }
            }
            Effect::CallEnds(it, call) if self.peers[it].is_live() && call.wants_answer => {
                let line = format!("completion {}{}", call.number, outcome(call));
                self.peers[it].tell(Expected::Line(line), 1, 0);
            }
            Effect::AskIsLate(ask) if self.asks[ask].status.is_none() => {
                self.asks[ask].status = Some(504);
            }
            Effect::Pings(it) if self.peers[it].is_live() => {
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

    /// A client's transport is open.
    pub(super) fn opens(&mut self, newcomer: &Newcomer, expires: Option<u64>) -> usize {
        let number = self.peers.len();
        self.peers.push(Peer::new(newcomer, expires));
        self.plan(self.now + HANDSHAKE, Effect::HandshakeIsLate(number));
        number
    }

    pub(super) fn greets(&mut self, it: usize) {
        let (now, unix) = (self.now, self.unix_seconds());
        let peer = &mut self.peers[it];
        if peer.way == Way::Events && peer.packed {
            self.refuse(
                it,
                "Cannot use the 'messagepack' protocol on the current transport. The transport \
                 does not support 'Binary' transfer format.",
            );
            return;
        }
        peer.stage = Stage::Live;
        peer.live_since = now;
        peer.tell(Expected::Line("accepted".to_owned()), 0, 0);
        let takes = if peer.user == SLOW_USER { SLOW_GREETING } else { 0 };
        let text = format!("connected {} at h{}", user_name(peer.user), peer.hub);
        let (_, ends) = peer.report(text, now, now, takes);
        let expires = peer.expires;
        self.plan(ends, Effect::Passes);
        self.plan(now + KEEP_ALIVE, Effect::Pings(it));
        if let Some(at) = expires {
            self.plan(now + at.saturating_sub(unix) * 1000, Effect::Expired(it));
        }
    }

    fn refuse(&mut self, it: usize, text: &str) {
        let peer = &mut self.peers[it];
        peer.stage = Stage::Over;
        peer.hears.push_back(Expected::Line(format!("refused {text}")));
        peer.hears.push_back(Expected::Line(over(peer.way)));
    }

    /// Bytes of the client have come.
    pub(super) fn hears_from(&mut self, it: usize) {
        if self.peers[it].armed {
            self.peers[it].silence += 1;
            let timer = self.peers[it].silence;
            self.plan(self.now + SILENCE, Effect::Silent(it, timer));
        }
    }

    pub(super) fn pinged(&mut self, it: usize) {
        // Polls are signs of life by themselves.
        if self.peers[it].way != Way::Polling {
            self.peers[it].armed = true;
        }
        self.hears_from(it);
    }

    /// The service has got these calls.
    pub(super) fn calls(&mut self, it: usize, calls: &[Call]) {
        for call in calls {
            let takes = if call.method == Method::Slow { SLOW } else { 0 };
            let text = format!("{:?} {}", call.method, call.number);
            let now = self.now;
            let (begins, ends) = self.peers[it].report(text, now, now, takes);
            self.plan(begins, Effect::CallBegins(it, *call));
            self.plan(ends, Effect::CallEnds(it, *call));
        }
        if !calls.is_empty() {
            self.hears_from(it);
        }
        self.settle();
    }

    /// What happens now happens before anything else does.
    pub(super) fn settle(&mut self) {
        while let Some(entry) = self.agenda.first_entry().filter(|it| it.key().0 <= self.now) {
            let effect = entry.remove();
            self.happens(effect);
        }
    }

    /// The connection ends, unless it has: with this for the client, and that for the app.
    pub(super) fn end(&mut self, it: usize, says: Option<String>, error: Option<&str>) {
        let (now, peer) = (self.now, &mut self.peers[it]);
        if peer.stage == Stage::Over {
            return;
        }
        if peer.is_live() {
            let text = match error {
                Some(error) => format!("disconnected: {error}"),
                None => "disconnected".to_owned(),
            };
            // Who does not read is given a little time for the last messages.
            let is_gone = peer.suspended || error == Some(LOST);
            let is_missed = !peer.listens() && (!peer.deaf || peer.way == Way::Polling);
            let waits = if is_missed && !is_gone { CLOSE } else { 0 };
            let (_, until) = peer.report(text, now, now + waits, 0);
            self.agenda.insert((until, usize::MAX - it), Effect::Passes);
        }
        let peer = &mut self.peers[it];
        peer.stage = Stage::Over;
        peer.silence += 1;
        peer.absence += 1;
        if peer.listens() {
            peer.hears.extend(says.map(Expected::Line));
            peer.hears.push_back(Expected::Line(over(peer.way)));
        } else {
            peer.hears.extend(says.map(Expected::Line));
            peer.loose = true;
            // As long again as it takes to close its side.
            peer.over_by = now + 2 * CLOSE;
            self.plan(now + 2 * CLOSE, Effect::Passes);
        }
        for ask in self.asks.iter_mut().filter(|ask| ask.connection == it) {
            ask.status.get_or_insert(404);
        }
        let hub = self.peers[it].hub;
        self.members[hub].forget(it);
    }

    /// The service has closed a client that does not read, since this moment at the earliest.
    pub(super) fn is_slow(&mut self, it: usize, since: u64) {
        let free_at = self.peers[it].free_at;
        self.end(it, Some(close(Some("slow client"), true)), Some("slow client"));
        if let Some(last) = self.peers[it].upstream.back_mut() {
            last.from = last.from.min(since.max(free_at));
        }
    }

    /// The client does not read any more.
    pub(super) fn pauses(&mut self, it: usize) {
        let peer = &mut self.peers[it];
        (peer.reads, peer.steady) = (false, false);
        if peer.way == Way::Polling {
            self.leaves_alone(it, POLL_GAP);
        }
    }

    pub(super) fn reads(&mut self, it: usize) {
        let peer = &mut self.peers[it];
        peer.reads = true;
        peer.absence += 1;
        peer.unread = Default::default();
    }

    /// The socket of a client broke that may come back.
    pub(super) fn breaks(&mut self, it: usize) {
        let peer = &mut self.peers[it];
        (peer.suspended, peer.steady) = (true, false);
        peer.silence += 1;
        self.leaves_alone(it, RESUME);
    }

    pub(super) fn resumes(&mut self, it: usize) {
        let peer = &mut self.peers[it];
        (peer.suspended, peer.steady) = (false, false);
        let sequence = format!("sequence {}", peer.acknowledged + 1);
        peer.hears.push_front(Expected::Line(sequence));
        let kept = std::mem::take(&mut peer.kept);
        self.reads(it);
        self.hears_from(it);
        self.calls(it, &kept);
    }

    fn leaves_alone(&mut self, it: usize, time: u64) {
        self.peers[it].absence += 1;
        let timer = self.peers[it].absence;
        self.plan(self.now + time, Effect::Gone(it, timer));
    }

    /// A REST caller asks a client that is there; returns the number of the message.
    pub(super) fn asks(&mut self, connection: usize, number: usize) {
        let peer = &mut self.peers[connection];
        let id = format!("s{}", peer.asks);
        peer.asks += 1;
        peer.tell(Expected::Line(format!("asked {id} {number}")), 1, 0);
        self.asks.push(Ask { connection, id, status: None, body: "" });
        self.plan(self.now + CLIENT_RESULT, Effect::AskIsLate(self.asks.len() - 1));
    }

    /// The client answers; an answer that nobody waits for is ignored.
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

/// How a client that is closed at this moment is told so.
pub(super) fn close(error: Option<&str>, allow_reconnect: bool) -> String {
    let again = if allow_reconnect { " again" } else { "" };
    format!("close{again} {}", error.unwrap_or("-"))
}

fn over(way: Way) -> String {
    match way {
        Way::WebSockets => "closed 1000".to_owned(),
        Way::Events | Way::Polling => "over".to_owned(),
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

/// When a pass ends the connection that it opens.
pub(super) fn expiry(pass: Pass, unix_seconds: u64) -> Option<u64> {
    match pass {
        Pass::ClosesAfter(seconds) => Some(unix_seconds + seconds),
        Pass::Lasting | Pass::Stale => None,
    }
}
