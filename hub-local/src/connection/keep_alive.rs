//! Keep-alive, with one timer per connection. The server sends pings at an interval, independent of other messages. The
//! client timeout applies only after the client's first ping. A token can request that the connection closes on expiry,
//! and a limit can end connections by their age.

use std::{
    future::pending,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use hub_net::standstill::fired_late;
use tokio::{
    task::yield_now,
    time::{Instant, Sleep, sleep_until},
};

use super::{Connection, ending::Ending};
use crate::{causes::Cause, delivery::outbox::PushOutcome};

/// Sends pings. Ends when the outbox is full, the client has timed out, its token has expired or the connection has
/// reached its maximum age.
pub(super) async fn watch(connection: &Arc<Connection>, client: &ClientTimeout) -> Ending {
    let has_pings = connection.transport.needs_pings();
    let every = connection.shared.limits.keep_alive_interval;
    let expiry = connection.token_options.expires();
    let mut times = Deadlines {
        ping: has_pings.then(|| Instant::now() + every),
        // One field for both ends, so that an age limit costs an idle connection nothing.
        expiry: expiry
            .and_then(|at| connection.shared.clock.instant(at))
            .into_iter()
            .chain(end_of_life(connection, client))
            .min(),
        client: has_pings.then_some(client),
    };
    let mut timer = pin!(sleep_until(Instant::now()));
    loop {
        match times.next(timer.as_mut()).await {
            Due::Ping => times.ping = Some(Instant::now() + every),
            Due::Silent => {
                let detailed_errors = connection.detailed_errors();
                return Ending::failed(Cause::SilentClient, client.detail(), detailed_errors);
            }
            Due::Expired => match end_of_life(connection, client) {
                Some(end) if end <= Instant::now() => return Ending::aged(),
                // The last refresh has a timer of its own.
                end if connection.is_refreshed() => times.expiry = end,
                _ => return Ending::expired(),
            },
        }
        // Pending messages serve as keep-alive too.
        if connection.outbox.is_empty()
            && connection.outbox.push(connection.frame(connection.protocol().ping()))
                == PushOutcome::Full
        {
            return Ending::slow_client();
        }
    }
}

/// When the connection reaches its maximum age: a time in the last tenth that its id, which is random, decides.
fn end_of_life(connection: &Connection, client: &ClientTimeout) -> Option<Instant> {
    /// Steps of the spread.
    const STEPS: u16 = 1 << 12;
    let longest = connection.shared.limits.max_connection_lifetime?;
    let mut hasher = DefaultHasher::new();
    connection.id().hash(&mut hasher);
    let step = hasher.finish() % u64::from(STEPS);
    let earlier = longest / 10 * u32::try_from(step).unwrap_or_default() / u32::from(STEPS);
    Some(client.created + longest - earlier)
}

/// The times of one connection.
struct Deadlines<'a> {
    ping: Option<Instant>,
    expiry: Option<Instant>,
    client: Option<&'a ClientTimeout>,
}

/// The deadline that was reached.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    Ping,
    /// The client has sent nothing for its time.
    Silent,
    /// The token has expired, or the connection has reached its maximum age.
    Expired,
}

impl Deadlines<'_> {
    async fn next(&self, mut timer: Pin<&mut Sleep>) -> Due {
        loop {
            let client = self.client.map(ClientTimeout::end);
            let first = [self.ping, self.expiry, client].into_iter().flatten().min();
            let Some(first) = first else { return pending().await };
            timer.as_mut().reset(first);
            timer.as_mut().await;
            let now = Instant::now();
            let is_due = |time: Option<Instant>| time.is_some_and(|time| time <= now);
            if is_due(self.expiry) {
                return Due::Expired;
            }
            if let Some(client) = self.client
                && let Some(since) = client.silent_since(first)
            {
                // The runtime reads the sockets before it runs this task again, which reads first.
                yield_now().await;
                if client.since() == Some(since) {
                    return Due::Silent;
                }
            }
            if is_due(self.ping) {
                return Due::Ping;
            }
        }
    }
}

/// Limits the time without data from the client. Only the time in which the service reads counts.
///
/// Reader and timer of a connection run in the same task, hence relaxed accesses.
#[derive(Debug)]
pub(super) struct ClientTimeout {
    allowed: Duration,
    is_armed: AtomicBool,
    created: Instant,
    /// Nanoseconds from `created` to the begin of the current read, or [`NO_READ`].
    reading_since: AtomicU64,
}

const NO_READ: u64 = u64::MAX;

impl ClientTimeout {
    pub(super) fn new(allowed: Duration) -> Self {
        let created = Instant::now();
        let reading_since = AtomicU64::new(NO_READ);
        Self { allowed, is_armed: AtomicBool::new(false), created, reading_since }
    }

    /// Starts the timeout after the client's first ping: a client that never pings has no keep-alive.
    pub(super) fn arm(&self) {
        self.is_armed.store(true, Ordering::Relaxed);
    }

    /// A read begins.
    pub(super) fn begin(&self) {
        if self.is_armed.load(Ordering::Relaxed) {
            let since = u64::try_from(self.created.elapsed().as_nanos()).unwrap_or(NO_READ);
            self.reading_since.store(since, Ordering::Relaxed);
        }
    }

    /// The read has ended.
    pub(super) fn stop(&self) {
        self.reading_since.store(NO_READ, Ordering::Relaxed);
    }

    fn since(&self) -> Option<Instant> {
        let since = self.reading_since.load(Ordering::Relaxed);
        (since != NO_READ).then(|| self.created + Duration::from_nanos(since))
    }

    /// The end of the current read, or the earliest end of a later read.
    fn end(&self) -> Instant {
        self.since().unwrap_or_else(Instant::now) + self.allowed
    }

    /// The start of the current read, if the client timeout has elapsed since then. `timer` is the deadline of the timer
    /// that has fired.
    fn silent_since(&self, timer: Instant) -> Option<Instant> {
        let since = self.since().filter(|since| since.elapsed() >= self.allowed)?;
        if fired_late(timer) {
            // What the client has sent meanwhile is unread in the socket.
            self.begin();
            return None;
        }
        Some(since)
    }

    fn detail(&self) -> String {
        format!("the client has sent nothing for {} s", self.allowed.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        sync::mpsc,
        time::{advance, sleep},
    };

    use super::*;

    const ALLOWED: Duration = Duration::from_secs(30);
    const EVERY: Duration = Duration::from_secs(12);

    fn armed() -> ClientTimeout {
        let timeout = ClientTimeout::new(ALLOWED);
        timeout.arm();
        timeout
    }

    /// Reads until the client has been silent for its time. Returns the number of reads. A ping interval that does not
    /// divide the time must not change it.
    async fn read_until_silent(timeout: &ClientTimeout, mut socket: mpsc::Receiver<()>) -> usize {
        let mut reads = 0;
        let reading = async {
            loop {
                timeout.begin();
                socket.recv().await.unwrap();
                timeout.stop();
                reads += 1;
            }
        };
        let watching = async {
            let mut timer = pin!(sleep_until(Instant::now()));
            let mut times = Deadlines { ping: None, expiry: None, client: Some(timeout) };
            times.ping = Some(Instant::now() + EVERY);
            while times.next(timer.as_mut()).await == Due::Ping {
                times.ping = Some(Instant::now() + EVERY);
            }
        };
        tokio::select! {
            biased;
            () = reading => {}
            () = watching => {}
        }
        reads
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_is_closed_after_its_time() {
        let (timeout, (sender, socket)) = (armed(), mpsc::channel(1));
        let start = Instant::now();
        let sending = async {
            sleep(ALLOWED / 2).await;
            sender.send(()).await.unwrap();
            Instant::now()
        };

        let (reads, sent) = tokio::join!(read_until_silent(&timeout, socket), sending);

        assert_eq!((reads, sent - start, sent.elapsed()), (1, ALLOWED / 2, ALLOWED));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_in_which_the_service_does_not_read_does_not_count() {
        let timeout = armed();
        let mut timer = pin!(sleep_until(Instant::now()));
        let times = Deadlines { ping: None, expiry: None, client: Some(&timeout) };
        let (start, reading) = (Instant::now(), async {
            timeout.begin();
            sleep(ALLOWED / 2).await;
            timeout.stop();
            sleep(3 * ALLOWED).await;
            timeout.begin();
            pending::<()>().await;
        });

        let due = tokio::select! {
            biased;
            () = reading => None,
            due = times.next(timer.as_mut()) => Some(due),
        };

        assert_eq!((due, start.elapsed()), (Some(Due::Silent), ALLOWED / 2 + 4 * ALLOWED));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_standstill_a_client_has_its_whole_time_again() {
        let (timeout, (sender, socket)) = (armed(), mpsc::channel(1));
        let sending = async {
            yield_now().await;
            advance(2 * ALLOWED).await;
            sleep(ALLOWED / 2).await;
            sender.send(()).await.unwrap();
            Instant::now()
        };

        let (reads, sent) = tokio::join!(read_until_silent(&timeout, socket), sending);

        assert_eq!((reads, sent.elapsed()), (1, ALLOWED));
    }
}
