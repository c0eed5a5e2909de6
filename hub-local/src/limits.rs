//! Timeouts and maximum sizes. The fields of [`Limits`] are configurable, the constants are not.

use std::time::Duration;

const MIB: usize = 1024 * 1024;

/// Declares [`Limits`]. Each limit is written once, with its documentation, type and default.
macro_rules! limits {
    ($(#[$of_type:meta])* pub struct Limits { $($(#[$doc:meta])* $name:ident: $type:ty = $default:expr,)* }) => {
        $(#[$of_type])*
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub struct Limits {
            $($(#[$doc])* pub $name: $type,)*
        }

        impl Limits {
            $(
                #[doc = concat!("Sets [`", stringify!($name), "`](Self#structfield.", stringify!($name), ").")]
                #[must_use]
                pub fn $name(mut self, $name: $type) -> Self {
                    self.$name = $name;
                    self
                }
            )*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }
    };
}

limits! {
    /// Timeouts and maximum sizes of the service. Where Azure SignalR Service documents a limit, the default
    /// is the same.
    ///
    /// Each limit is a field to read and a method of the same name to set it. More limits may be added
    /// in any version.
    ///
    /// ```
    /// use hub_local::Limits;
    /// let limits = Limits::default().max_message_bytes(32 * 1024).max_groups_per_member(100);
    /// assert_eq!(limits.max_message_bytes, 32_768);
    /// assert_eq!(limits.keep_alive_interval.as_secs(), 15);
    /// ```
    pub struct Limits {
        /// Time in which the head of a request must arrive, from the opening of the socket or the end of the
        /// previous request. The socket is closed after this time. Defaults to 30 s.
        request_head_timeout: Duration = Duration::from_secs(30),
        /// Time in which the body of a request must arrive, and in which the rest of a refused body is read. Defaults
        /// to 30 s.
        request_body_timeout: Duration = Duration::from_secs(30),
        /// Time after which a socket is closed if its peer reads nothing of an HTTP response. For Server-Sent
        /// Events, [`max_outbox_bytes`](Self#structfield.max_outbox_bytes) applies instead. Defaults to 30 s.
        response_stall_timeout: Duration = Duration::from_secs(30),
        /// Maximum number of sockets of all listeners that have received no complete request yet. Above this
        /// limit, the oldest sockets are closed. Sockets younger than 1 s are closed only above twice the limit,
        /// since clients that reconnect together open many sockets before the first request is read. If
        /// [`max_file_descriptors`](Self#structfield.max_file_descriptors) is set, the limit is at most a
        /// quarter of the descriptors that clients may use. Defaults to 16,384.
        max_idle_sockets: usize = 16_384,
        /// Maximum number of negotiated connections that are not open. Either the client has not opened the
        /// connection yet, or the connection has ended and the client has not been told yet. Above this limit,
        /// the oldest connection is evicted. Defaults to 16,384.
        max_pending_negotiations: usize = 16_384,
        /// Maximum size of a client's access token in bytes. Azure SignalR Service refuses longer tokens.
        /// Defaults to 4,096.
        max_token_bytes: usize = 4096,
        /// Time in which a client must send its handshake. Defaults to 15 s.
        handshake_timeout: Duration = Duration::from_secs(15),
        /// Interval between pings to each client; at least 1 ms. Defaults to 15 s.
        keep_alive_interval: Duration = Duration::from_secs(15),
        /// Time without data after which a client is closed. The timeout starts to apply with the client's
        /// first ping. Defaults to 30 s.
        client_timeout: Duration = Duration::from_secs(30),
        /// Maximum age of a connection, at least 1 s. It is then closed with `allowReconnect`, although it is healthy:
        /// so an app and its clients can be tried with a service that ends connections by age. Each connection ends at
        /// its own time in the last tenth, so that clients that came together do not leave together. A resume does
        /// not make a connection younger. Defaults to `None`: connections have no maximum age.
        max_connection_lifetime: Option<Duration> = None,
        /// Time in which a negotiated connection must be opened. Defaults to 15 s.
        connect_timeout: Duration = Duration::from_secs(15),
        /// Time that a long poll waits for messages. Proxies cut responses without data, HAProxy after 50 s, nginx and
        /// Apache after 60 s, and clients give up after 100 s. Defaults to 45 s.
        poll_timeout: Duration = Duration::from_secs(45),
        /// Maximum time between two long polls, after which the connection ends. Defaults to 15 s.
        poll_gap_timeout: Duration = Duration::from_secs(15),
        /// Time in which a client with stateful reconnect may resume its connection after the WebSocket broke.
        /// Defaults to 30 s.
        resume_timeout: Duration = Duration::from_secs(30),
        /// Maximum size in bytes of the unacknowledged messages that are kept for a client with stateful
        /// reconnect. Above this limit, messages wait in the outbox. Defaults to 100,000.
        max_resume_bytes: usize = 100_000,
        /// Timeout for each of the two steps of closing a connection: the client reads its last messages, and
        /// the client closes its side. Defaults to 5 s.
        close_timeout: Duration = Duration::from_secs(5),
        /// Maximum time that the service waits for a client result. Callers usually give up earlier. Defaults
        /// to 10 min.
        client_result_timeout: Duration = Duration::from_mins(10),
        /// Tolerated difference between clocks when tokens are checked. Defaults to 60 s.
        token_leeway: Duration = Duration::from_mins(1),
        /// Maximum size of one hub message of a client in bytes. Defaults to 1 MiB.
        max_message_bytes: usize = MIB,
        /// Maximum size in bytes of the body of a client's POST, which may contain several messages. Before the
        /// client's first GET the limit is at most 4 KiB, since the messages are not read yet. Defaults to 1 MiB.
        max_post_bytes: usize = MIB,
        /// Maximum size in bytes of the messages that wait for one client to read. Above this limit, the client
        /// is closed as slow. Defaults to 1 MiB.
        max_outbox_bytes: usize = MIB,
        /// Maximum number of messages that wait for one client to read. Above this limit, the client is
        /// closed as slow. Defaults to 8,192.
        max_outbox_messages: usize = 8192,
        /// Total size in bytes of the messages that wait for clients, above which responses to sends are
        /// delayed. Messages for clients that read nothing for 5 s do not count. Defaults to 64 MiB.
        max_total_outbox_bytes: usize = 64 * MIB,
        /// Maximum delay of the response to a send. The messages are queued before the delay. Defaults to 1 s.
        max_send_delay: Duration = Duration::from_secs(1),
        /// Maximum memory in bytes of one client's messages that wait for an upstream call; twice as much while an `invoke` of
        /// the client runs, so that the client can cancel it. The message that
        /// reaches the limit is queued. Defaults to 1 MiB.
        max_queue_bytes: usize = MIB,
        /// Maximum number of one client's messages that wait for an upstream call. Defaults to 1,024.
        max_queue_messages: usize = 1024,
        /// Maximum number of groups of one connection. Also the maximum number of groups that one user joins
        /// with a time to live. Defaults to 10,000.
        max_groups_per_member: usize = 10_000,
        /// Maximum number of group memberships of all connections and users of the service. Each 128 bytes of
        /// the names of a membership count as a further membership. Defaults to 1,000,000.
        max_memberships: usize = 1_000_000,
        /// Maximum number of upstream calls at once, over all connections. Further calls wait. Defaults to
        /// 4,096.
        max_upstream_calls: usize = 4096,
        /// Maximum size in bytes of the bodies of all upstream calls that run at once. Further calls wait. Bodies
        /// below 4 KiB do not count. Defaults to 32 MiB.
        max_upstream_bytes: usize = 32 * MIB,
        /// Maximum memory in bytes of connections that have ended while messages of theirs wait for an upstream
        /// call. Above it, the newest of these messages are dropped. Defaults to 16 MiB.
        max_departed_bytes: usize = 16 * MIB,
        /// Maximum size of the body of an upstream response in bytes. Defaults to 16 MiB.
        max_upstream_response_bytes: usize = 16 * MIB,
        /// Maximum size of the body of a REST call in bytes. Defaults to 1 MiB.
        max_rest_body_bytes: usize = MIB,
        /// Maximum size of the headers of a REST call in bytes. Defaults to 16 KiB.
        max_rest_header_bytes: usize = 16 * 1024,
        /// Maximum number of file descriptors of the process. A quarter of the descriptors, at most 4,096, is
        /// reserved for upstream calls and REST calls. When only reserved descriptors are free,
        /// [`serve`](crate::LocalService::serve) refuses new clients with status 503. Defaults to `None`: new
        /// clients are always accepted.
        max_file_descriptors: Option<usize> = None,
    }
}

/// Messages in one segment of a broadcast log.
pub(crate) const MAX_SEGMENT_MESSAGES: usize = 128;
/// A segment of at least this many bytes is complete, even with fewer messages: an idle reader keeps the
/// whole segment at its position in memory.
pub(crate) const MAX_SEGMENT_BYTES: u64 = 64 * 1024;
/// The longest timeout: a timer cannot represent [`Duration::MAX`].
const MAX_TIMEOUT: Duration = Duration::from_hours(24 * 365);
/// The shortest interval between pings: `tokio::time::interval` panics at zero.
const MIN_INTERVAL: Duration = Duration::from_millis(1);
/// The shortest lifetime of a connection: each client that reconnects costs a negotiate request and two events.
const MIN_LIFETIME: Duration = Duration::from_secs(1);

impl Limits {
    /// The same limits, with times that timers can represent.
    pub(crate) fn bounded(mut self) -> Self {
        for time in [
            &mut self.request_head_timeout,
            &mut self.request_body_timeout,
            &mut self.response_stall_timeout,
            &mut self.handshake_timeout,
            &mut self.keep_alive_interval,
            &mut self.client_timeout,
            &mut self.connect_timeout,
            &mut self.poll_timeout,
            &mut self.poll_gap_timeout,
            &mut self.resume_timeout,
            &mut self.close_timeout,
            &mut self.client_result_timeout,
            &mut self.token_leeway,
            &mut self.max_send_delay,
        ] {
            *time = (*time).min(MAX_TIMEOUT);
        }
        self.keep_alive_interval = self.keep_alive_interval.max(MIN_INTERVAL);
        let lifetime = &mut self.max_connection_lifetime;
        *lifetime = lifetime.map(|lifetime| lifetime.clamp(MIN_LIFETIME, MAX_TIMEOUT));
        self
    }

    /// Number of file descriptors, out of `descriptors`, that are reserved for upstream calls and REST.
    #[must_use]
    pub fn reserved_descriptors(descriptors: usize) -> usize {
        crate::descriptors::reserve(descriptors)
    }
}
