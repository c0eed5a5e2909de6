//! One client in the reference: its state, the messages that it must still receive, and its upstream
//! calls that are still due.

use std::collections::VecDeque;

use super::operations::{ConnectOptions, Method, Transport};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The handshake has not arrived yet.
    Opened,
    Live,
    /// The service has ended the connection.
    Closed,
}

/// The next message that a client receives.
#[derive(Debug)]
pub(super) enum Expected {
    Line(String),
    /// Concurrent messages, which may arrive in any order.
    AnyOrder(Vec<String>),
}

/// An upstream call, with the earliest and the latest millisecond at which it begins.
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

/// Messages for a client that does not read. `least` and `most` are bounds of their total bytes.
#[derive(Debug, Default)]
pub(super) struct Unread {
    pub(super) messages: usize,
    pub(super) least: usize,
    pub(super) most: usize,
}

/// The limits of an outbox in the tested service.
pub(super) const OUTBOX_MESSAGES: usize = 40;
pub(super) const OUTBOX_BYTES: usize = 16 * 1024;
/// The size of the pipe under a WebSocket, in bytes.
pub(super) const PIPE: usize = 4096;
/// The resume buffer of a client, in bytes.
pub(super) const RESUME_BUFFER: usize = 60_000;
/// Bounds of the size of one message, in bytes.
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
    /// Whether the client reads or polls.
    pub(super) reads: bool,
    /// Whether the socket broke and the client may resume.
    pub(super) suspended: bool,
    /// Whether the connection ended while the client did not read. Its last messages may be lost.
    pub(super) loose: bool,
    /// The latest time at which the client receives the end of the connection, in milliseconds.
    pub(super) over_by: u64,
    /// Whether the client has left and receives nothing.
    pub(super) deaf: bool,
    pub(super) hears: VecDeque<Expected>,
    pub(super) upstream: VecDeque<Due>,
    /// The time at which all upstream calls so far have ended, in milliseconds.
    pub(super) free_at: u64,
    /// Whether the client has sent a ping, which activates the client timeout.
    pub(super) armed: bool,
    /// The numbers of the current timers. Timers with older numbers have no effect.
    pub(super) silence: u64,
    pub(super) absence: u64,
    pub(super) live_since: u64,
    /// Whether the client has always read. Only then can the test count its pings.
    pub(super) steady: bool,
    /// The time at which the token closes the connection, in Unix seconds.
    pub(super) expires: Option<u64>,
    pub(super) asks: u64,
    pub(super) unread: Unread,
    /// The id of the last message of the service that the client has acknowledged.
    pub(super) acknowledged: u64,
    /// Calls that the service had not received when the socket broke.
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

    /// Whether the client receives messages immediately.
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

    /// Adds an upstream call. Returns its earliest start and its latest end.
    pub(super) fn report(&mut self, text: String, from: u64, until: u64, takes: u64) -> (u64, u64) {
        let (from, until) = (from.max(self.free_at), until.max(self.free_at));
        self.upstream.push_back(Due { from, until, text });
        self.free_at = until + takes;
        (from, self.free_at)
    }

    /// Whether the service may have closed the client because it does not read.
    pub(super) fn may_be_slow(&self) -> bool {
        let Unread { messages, most, .. } = self.unread;
        // The outbox may also contain a ping.
        self.is_live() && (messages + 1 >= OUTBOX_MESSAGES || most + 20 > OUTBOX_BYTES)
    }

    /// Whether the pending messages exceed the capacity of all buffers.
    pub(super) fn must_be_slow(&self) -> bool {
        let beside = match (self.transport, self.suspended) {
            // Long polling buffers everything in the outbox.
            (Transport::Polling, _) => BIGGEST,
            // One event is in flight, and another one is in the writer.
            (Transport::Events, _) => 8 * BIGGEST,
            (Transport::WebSockets, false) => PIPE + 2 * BIGGEST,
            (Transport::WebSockets, true) => PIPE + RESUME_BUFFER + 2 * BIGGEST,
        };
        let Unread { messages, least, .. } = self.unread;
        messages > OUTBOX_MESSAGES + beside / SMALLEST || least > OUTBOX_BYTES + beside
    }
}
