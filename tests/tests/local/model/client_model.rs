//! One client in the reference: its state, what it must still receive, and the upstream calls about it
//! that are still due.

use std::collections::VecDeque;

use super::operations::{ConnectOptions, Method, Transport};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The handshake has not arrived.
    Opened,
    Live,
    /// The service has ended the connection.
    Closed,
}

/// What a client receives next.
#[derive(Debug)]
pub(super) enum Expected {
    Line(String),
    /// Concurrent sends arrive in any order.
    AnyOrder(Vec<String>),
}

/// An upstream call, and the earliest and latest millisecond at which it begins.
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

/// Messages to a client that does not read; `least` and `most` bound their bytes.
#[derive(Debug, Default)]
pub(super) struct Unread {
    pub(super) messages: usize,
    pub(super) least: usize,
    pub(super) most: usize,
}

/// The limits of an outbox of the service under test.
pub(super) const OUTBOX_MESSAGES: usize = 40;
pub(super) const OUTBOX_BYTES: usize = 16 * 1024;
/// The size of the pipe below a WebSocket, in bytes.
pub(super) const PIPE: usize = 4096;
/// The resume buffer of a client, in bytes.
pub(super) const RESUME_BUFFER: usize = 60_000;
/// Bounds of the size of a message, in bytes.
const BIGGEST: usize = 2200;
const SMALLEST: usize = 20;

#[derive(Debug)]
pub(super) struct ClientModel {
    pub(super) hub: usize,
    pub(super) user: Option<usize>,
    pub(super) transport: Transport,
    pub(super) messagepack: bool,
    pub(super) resumes: bool,
    pub(super) stage: Stage,
    /// The client reads, or polls.
    pub(super) reads: bool,
    /// Its socket broke, and it may resume.
    pub(super) suspended: bool,
    /// It ended while it did not read, so its last messages may be lost.
    pub(super) loose: bool,
    /// When it must have received the end, in milliseconds.
    pub(super) over_by: u64,
    /// It has left and receives nothing.
    pub(super) deaf: bool,
    pub(super) hears: VecDeque<Expected>,
    pub(super) upstream: VecDeque<Due>,
    /// When the upstream calls so far have ended.
    pub(super) free_at: u64,
    /// It has sent a ping, so the client timeout applies.
    pub(super) armed: bool,
    /// The numbers of the current timers; older ones have no effect.
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
    /// Calls that had not arrived when the socket broke.
    pub(super) kept: Vec<Call>,
}

impl ClientModel {
    pub(super) fn new(options: &ConnectOptions, expires: Option<u64>) -> Self {
        Self {
            hub: options.hub,
            user: options.user,
            transport: options.transport,
            messagepack: options.messagepack,
            resumes: options.resumes,
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

    /// Whether messages arrive immediately.
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

    /// Adds an upstream call; returns when it begins and ends.
    pub(super) fn report(&mut self, text: String, from: u64, until: u64, takes: u64) -> (u64, u64) {
        let (from, until) = (from.max(self.free_at), until.max(self.free_at));
        self.upstream.push_back(Due { from, until, text });
        self.free_at = until + takes;
        (from, self.free_at)
    }

    /// Whether it may have been closed because it does not read.
    pub(super) fn may_be_slow(&self) -> bool {
        let Unread { messages, most, .. } = self.unread;
        // One ping may be pending as well.
        self.is_live() && (messages + 1 >= OUTBOX_MESSAGES || most + 20 > OUTBOX_BYTES)
    }

    /// Whether more was sent than all buffers can hold.
    pub(super) fn must_be_slow(&self) -> bool {
        let beside = match (self.transport, self.suspended) {
            // Everything in flight is in the outbox.
            (Transport::Polling, _) => BIGGEST,
            // One event in flight, and one in the writer.
            (Transport::Events, _) => 8 * BIGGEST,
            (Transport::WebSockets, false) => PIPE + 2 * BIGGEST,
            (Transport::WebSockets, true) => PIPE + RESUME_BUFFER + 2 * BIGGEST,
        };
        let Unread { messages, least, .. } = self.unread;
        messages > OUTBOX_MESSAGES + beside / SMALLEST || least > OUTBOX_BYTES + beside
    }
}
