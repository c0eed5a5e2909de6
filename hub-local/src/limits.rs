//! Times and sizes, all settable.

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
    /// A client must have sent its handshake within this time.
    pub handshake: Duration,
    /// Pings go to each client this often.
    pub keep_alive: Duration,
    /// A client that has ever sent a ping may be silent for this long.
    pub client_timeout: Duration,
    /// A negotiated connection must be opened within this time.
    pub connect_within: Duration,
    /// A closing connection gets this long to take its last messages, and as long again to close
    /// its side.
    pub close: Duration,
    /// A client result is waited for at most this long; callers usually give up earlier.
    pub client_result: Duration,
    /// Clocks may differ by this much when tokens are checked.
    pub token_leeway: Duration,
    /// The biggest hub message a client may send, in bytes.
    pub max_message: usize,
    /// What may wait for one client to read, in bytes.
    pub outbox_bytes: usize,
    /// What may wait for one client to read, in messages.
    pub outbox_messages: usize,
    /// What may wait for one client's upstream calls, in bytes.
    pub queue_bytes: usize,
    /// What may wait for one client's upstream calls, in messages.
    pub queue_messages: usize,
    /// The biggest answer of an upstream call, in bytes.
    pub upstream_answer: usize,
    /// The biggest body of a REST call, in bytes.
    pub rest_body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(15),
            keep_alive: Duration::from_secs(15),
            client_timeout: Duration::from_secs(30),
            connect_within: Duration::from_secs(15),
            close: Duration::from_secs(5),
            client_result: Duration::from_mins(10),
            token_leeway: Duration::from_mins(1),
            max_message: MIB,
            outbox_bytes: MIB,
            outbox_messages: 8192,
            queue_bytes: MIB,
            queue_messages: 1024,
            upstream_answer: 16 * MIB,
            rest_body: MIB,
        }
    }
}
