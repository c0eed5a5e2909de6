//! Times and sizes. Those of [`Limits`] can be set.

use std::time::Duration;

const MIB: usize = 1024 * 1024;

/// Times and sizes of the service. The defaults are those of the cloud where they are known.
///
/// ```
/// use hub_local::Limits;
/// let limits = Limits { max_message: 32 * 1024, ..Limits::default() };
/// assert_eq!(limits.keep_alive.as_secs(), 15);
/// ```
#[derive(Clone, Debug)]
pub struct Limits {
    /// The head of a request must be there within this time, counted from the opening of the socket
    /// or the end of the request before; else the socket is closed.
    pub request_head: Duration,
    /// The body of a request must be there within this time.
    pub request_body: Duration,
    /// A socket is closed when its peer has not taken anything of an HTTP answer for this long.
    /// Server-Sent Events have the bounds of an outbox instead.
    pub answer_stall: Duration,
    /// How many sockets may be open that have not sent a whole request yet, of all listeners. Beyond,
    /// those that have waited longest are closed, so that others get in: after a second at least, since
    /// clients that come back at once open their sockets before the first request is read; with twice
    /// as many at once. Where `descriptors` is known, never more than a quarter of what clients may
    /// have, so that twice as many leave room for half.
    pub silent_sockets: usize,
    /// How many negotiated connections are remembered that nobody has opened yet, or that have ended
    /// and whose clients do not know. Beyond, the oldest is forgotten.
    pub unopened: usize,
    /// The longest token of a client, in bytes. The cloud refuses longer ones.
    pub token: usize,
    /// A client must have sent its handshake within this time.
    pub handshake: Duration,
    /// Pings go to each client this often.
    pub keep_alive: Duration,
    /// A client that has ever sent a ping may be silent for this long.
    pub client_timeout: Duration,
    /// A negotiated connection must be opened within this time.
    pub connect_within: Duration,
    /// A long poll waits this long for messages; clients give up after 100 s.
    pub poll_hold: Duration,
    /// A client of long polling is gone when it has not polled for this long.
    pub poll_gap: Duration,
    /// A client whose WebSocket broke may resume its connection for this long, where stateful
    /// reconnect was agreed.
    pub resume_within: Duration,
    /// What is kept for a client that may resume its connection until it has acknowledged it, in
    /// bytes. Beyond, messages wait in the outbox.
    pub resume_buffer: usize,
    /// A closing connection gets this long to take its last messages, and as long again to close
    /// its side.
    pub close: Duration,
    /// A client result is waited for at most this long; callers usually give up earlier.
    pub client_result: Duration,
    /// Clocks may differ by this much when tokens are checked.
    pub token_leeway: Duration,
    /// The biggest hub message a client may send, in bytes.
    pub max_message: usize,
    /// The biggest body of a client's POST, in bytes; it may hold several messages. Before its first
    /// GET, nobody reads them yet and 4 KiB are the most.
    pub post_body: usize,
    /// What may wait for one client to read, in bytes.
    pub outbox_bytes: usize,
    /// What may wait for one client to read, in messages.
    pub outbox_messages: usize,
    /// What may wait for all clients together before whoever sends is held back, in bytes.
    /// What waits for clients that took nothing for 5 seconds does not count.
    pub all_outboxes_bytes: usize,
    /// For how long a send is held back at most. It is done already; only its answer comes later.
    pub hold_back: Duration,
    /// What may wait for one client's upstream calls, in bytes.
    pub queue_bytes: usize,
    /// What may wait for one client's upstream calls, in messages.
    pub queue_messages: usize,
    /// How many groups one connection may be in, and one user with a time to live.
    pub groups: usize,
    /// How many memberships in groups there may be in the whole service, of connections and users.
    /// One with long names counts once more for each 128 bytes of them.
    pub memberships: usize,
    /// How many upstream calls may run at once, over all connections. More of them wait.
    pub upstream_calls: usize,
    /// The biggest answer of an upstream call, in bytes.
    pub upstream_answer: usize,
    /// The biggest body of a REST call, in bytes.
    pub rest_body: usize,
    /// The biggest headers of a REST call, in bytes.
    pub rest_headers: usize,
    /// How many file descriptors the process may have, where it is known: when fewer than a quarter
    /// of them, at most 4,096, are left, [`serve`](crate::LocalService::serve) answers new clients
    /// with 503. What is left is for upstream calls and REST.
    pub descriptors: Option<usize>,
}

/// Messages of one piece of a log.
pub(crate) const PIECE_MESSAGES: usize = 128;
/// A piece with so many bytes gets no more: an idle reader holds all of the piece it stands in.
pub(crate) const PIECE_BYTES: u64 = 64 * 1024;
/// The longest time that is waited for anything. No clock counts to [`Duration::MAX`].
const LONGEST: Duration = Duration::from_hours(24 * 365);
/// The shortest time between two pings; a timer without any would never rest.
const SHORTEST: Duration = Duration::from_millis(1);

impl Limits {
    /// The same limits, with times that timers take.
    pub(crate) fn bounded(mut self) -> Self {
        for time in [
            &mut self.request_head,
            &mut self.request_body,
            &mut self.answer_stall,
            &mut self.handshake,
            &mut self.keep_alive,
            &mut self.client_timeout,
            &mut self.connect_within,
            &mut self.poll_hold,
            &mut self.poll_gap,
            &mut self.resume_within,
            &mut self.close,
            &mut self.client_result,
            &mut self.token_leeway,
            &mut self.hold_back,
        ] {
            *time = (*time).min(LONGEST);
        }
        self.keep_alive = self.keep_alive.max(SHORTEST);
        self
    }

    /// How many of this many file descriptors are kept back from clients, for upstream calls and
    /// REST.
    #[must_use]
    pub fn reserved_descriptors(descriptors: usize) -> usize {
        crate::descriptors::reserve(descriptors)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_head: Duration::from_secs(30),
            request_body: Duration::from_secs(30),
            answer_stall: Duration::from_secs(30),
            silent_sockets: 16_384,
            unopened: 16_384,
            token: 4096,
            handshake: Duration::from_secs(15),
            keep_alive: Duration::from_secs(15),
            client_timeout: Duration::from_secs(30),
            connect_within: Duration::from_secs(15),
            poll_hold: Duration::from_secs(90),
            poll_gap: Duration::from_secs(15),
            resume_within: Duration::from_secs(30),
            resume_buffer: 100_000,
            close: Duration::from_secs(5),
            client_result: Duration::from_mins(10),
            token_leeway: Duration::from_mins(1),
            max_message: MIB,
            post_body: MIB,
            outbox_bytes: MIB,
            outbox_messages: 8192,
            all_outboxes_bytes: 64 * MIB,
            hold_back: Duration::from_secs(1),
            queue_bytes: MIB,
            queue_messages: 1024,
            groups: 10_000,
            memberships: 1_000_000,
            upstream_calls: 4096,
            upstream_answer: 16 * MIB,
            rest_body: MIB,
            rest_headers: 16 * 1024,
            descriptors: None,
        }
    }
}
