//! One client, as the reference knows it: what it is, what it must still hear, and what the app
//! must still be told of it.

use std::collections::VecDeque;

use super::operations::{Method, Newcomer, Way};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Without its handshake.
    Opened,
    Live,
    /// The service has ended it.
    Over,
}

/// What a client hears next.
#[derive(Debug)]
pub(super) enum Expected {
    Line(String),
    /// What was sent at once comes in any order.
    AnyOrder(Vec<String>),
}

/// An upstream call, and the milliseconds between which it begins.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) from: u64,
    pub(super) until: u64,
    pub(super) text: String,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) number: usize,
    pub(super) wants_answer: bool,
}

/// What was sent to a client that does not read; how many bytes at least and at most.
#[derive(Debug, Default)]
pub(super) struct Unread {
    pub(super) messages: usize,
    pub(super) least: usize,
    pub(super) most: usize,
}

/// What may wait in an outbox of the service under test.
pub(super) const OUTBOX_MESSAGES: usize = 40;
pub(super) const OUTBOX_BYTES: usize = 16 * 1024;
/// The pipe below a WebSocket.
pub(super) const PIPE: usize = 4096;
/// What is kept for a client that may resume.
pub(super) const RESUME_BUFFER: usize = 60_000;
/// No message is bigger, nor smaller.
const BIGGEST: usize = 2200;
const SMALLEST: usize = 20;

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) hub: usize,
    pub(super) user: Option<usize>,
    pub(super) way: Way,
    pub(super) packed: bool,
    pub(super) resumes: bool,
    pub(super) stage: Stage,
    /// The client reads, or polls.
    pub(super) reads: bool,
    /// Its socket broke, and it may come back.
    pub(super) suspended: bool,
    /// It ended while it did not listen, so the last of it may be lost.
    pub(super) loose: bool,
    /// When the last of it is over at the latest.
    pub(super) over_by: u64,
    /// It has gone and hears nothing any more.
    pub(super) deaf: bool,
    pub(super) hears: VecDeque<Expected>,
    pub(super) upstream: VecDeque<Due>,
    /// When the upstream calls that are known are done.
    pub(super) free_at: u64,
    /// It has pinged, so it must go on.
    pub(super) armed: bool,
    /// Numbers of the timers that count.
    pub(super) silence: u64,
    pub(super) absence: u64,
    pub(super) live_since: u64,
    /// It has always read, so that its pings can be counted.
    pub(super) steady: bool,
    /// Seconds since 1970 at which it wants to be closed.
    pub(super) expires: Option<u64>,
    pub(super) asks: u64,
    pub(super) unread: Unread,
    /// The last of our messages that it has acknowledged.
    pub(super) acknowledged: u64,
    /// Calls that were on their way when the socket broke.
    pub(super) kept: Vec<Call>,
}

impl Peer {
    pub(super) fn new(newcomer: &Newcomer, expires: Option<u64>) -> Self {
        Self {
            hub: newcomer.hub,
            user: newcomer.user,
            way: newcomer.way,
            packed: newcomer.packed,
            resumes: newcomer.resumes,
            stage: Stage::Opened,
            reads: true,
            suspended: false,
            loose: false,
            over_by: 0,
            deaf: false,
            hears: VecDeque::new(),
            upstream: VecDeque::new(),
            free_at: 0,
            armed: false,
            silence: 0,
            absence: 0,
            live_since: 0,
            steady: true,
            expires,
            asks: 0,
            unread: Unread::default(),
            acknowledged: 0,
            kept: Vec::new(),
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.stage == Stage::Live
    }

    /// Whether what is sent to it arrives at once.
    pub(super) fn listens(&self) -> bool {
        self.reads && !self.suspended
    }

    pub(super) fn tell(&mut self, expected: Expected, messages: usize, bytes: usize) {
        self.hears.push_back(expected);
        if !self.listens() {
            self.unread.messages += messages;
            self.unread.least += bytes + messages * SMALLEST;
            self.unread.most += bytes + messages * 120;
        }
    }

    /// The app is told of something; returns when the call begins and ends.
    pub(super) fn report(&mut self, text: String, from: u64, until: u64, takes: u64) -> (u64, u64) {
        let (from, until) = (from.max(self.free_at), until.max(self.free_at));
        self.upstream.push_back(Due { from, until, text });
        self.free_at = until + takes;
        (from, self.free_at)
    }

    /// Whether it may have been closed because it does not read.
    pub(super) fn may_be_slow(&self) -> bool {
        let Unread { messages, most, .. } = self.unread;
        // One ping may wait as well.
        self.is_live() && (messages + 1 >= OUTBOX_MESSAGES || most + 20 > OUTBOX_BYTES)
    }

    /// Whether more was sent than everything on the way to it can hold.
    pub(super) fn must_be_slow(&self) -> bool {
        let beside = match (self.way, self.suspended) {
            // What is on its way is in the outbox.
            (Way::Polling, _) => BIGGEST,
            // One event on its way, and one in the writer's hands.
            (Way::Events, _) => 8 * BIGGEST,
            (Way::WebSockets, false) => PIPE + 2 * BIGGEST,
            (Way::WebSockets, true) => PIPE + RESUME_BUFFER + 2 * BIGGEST,
        };
        let Unread { messages, least, .. } = self.unread;
        messages > OUTBOX_MESSAGES + beside / SMALLEST || least > OUTBOX_BYTES + beside
    }
}
