//! Detects copies of upstream calls. The call runs once, and each copy receives the response of the first call.
//!
//! The signature covers the connection id, but no timestamp: an attacker who observes an upstream call can
//! replay it, and a proxy may send it twice. A copy has the same bytes, caller and request id as the first
//! call. hub-local gives each request an id of its own. Azure SignalR Service sends none, and a client may use
//! an invocation id again (signalrcore in Python does). There, a second call with the same bytes is either a
//! copy or a new call. Only an `invoke` that arrives while the first call runs counts as its copy.
//!
//! A running call is stored until it ends. A finished call with a request id is stored for 60 seconds, or until
//! 4,096 later calls have finished. The table contains hashes and at most 4,096 responses of at most 4 KiB: about
//! 1.5 MB with short responses, 17 MiB in the worst case. Each running call adds 60 bytes.
//! Each process has its own table: a copy that reaches another instance of the app runs again.

mod stored_answer;

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use hub_core::{InvocationParts, protocol::Outcome};
use parking_lot::Mutex;
use tokio::{sync::oneshot, time::Instant};

use self::stored_answer::StoredAnswer;
use super::{
    caller::Caller,
    completion::{Answer, completion},
};
use crate::answer::empty;

/// The maximum number of stored finished calls.
const MAX_FINISHED: usize = 4096;
/// How long a finished call is stored after its end.
const WINDOW: Duration = Duration::from_secs(60);
/// The maximum number of entries that one insert evicts, so that no single call cleans up after a burst.
const MAX_EVICTIONS: usize = 2;

const NO_LONGER_HELD: &str =
    "this invocation was already handled, and its result is no longer available";
const INTERRUPTED: &str =
    "this invocation was already started, and the app stopped before it ended";

/// Running and recently finished calls.
#[derive(Default)]
pub(crate) struct Replays {
    /// Keys the hashes with a secret of this process. Hashes make the size of the table independent of
    /// ids and arguments. Without the key, an attacker could search for a call whose hash collides with
    /// the call of another client, to read the response of that call or to make it fail.
    key: RandomState,
    table: Mutex<Table>,
}

// Omits the responses, which contain user data.
impl fmt::Debug for Replays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Replays")
    }
}

#[derive(Default)]
struct Table {
    calls: HashMap<u64, State, BuildHasherDefault<IdentityHasher>>,
    /// Finished calls, oldest first.
    finished: VecDeque<Finished>,
    /// The number of calls evicted from `finished`.
    evicted: u64,
}

enum State {
    Running {
        copies: Vec<oneshot::Sender<Answered>>,
    },
    /// The number of calls that finished before this call.
    Finished(u64),
}

struct Finished {
    call: u64,
    at: Instant,
    status: StatusCode,
    answer: StoredAnswer,
}

/// The status and the body of a response.
type Answered = (StatusCode, Bytes);

/// A call in the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fingerprint {
    /// A hash of everything that is the same in all copies of a call.
    call: u64,
    /// Whether the call has a request id, so that it is stored after its end.
    has_request_id: bool,
}

/// A hash of a caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CallerHash(u64);

/// The source of the invocation ids of upstream calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvocationIds {
    OfClients,
    /// The host sets the same id in all calls.
    #[cfg_attr(
        not(feature = "functions"),
        allow(dead_code, reason = "only the Functions host sets them")
    )]
    MadeUp,
}

impl InvocationIds {
    /// Whether copies of a call can be detected. Without a request id, those of a `send` or an event cannot.
    pub(super) fn identify(self, has_request_id: bool, invocation_id: Option<&str>) -> bool {
        has_request_id || invocation_id.is_some() && self == Self::OfClients
    }
}

/// Whether a call is new or a copy.
pub(super) enum Occurrence {
    /// The call is new and may run.
    First(RunningCall),
    Duplicate(Duplicate),
}

/// A copy of an earlier call.
pub(super) enum Duplicate {
    /// The earlier call is running. It sends its response unless it is dropped.
    Running(oneshot::Receiver<Answered>),
    /// The earlier call has finished. Contains its response, unless that was too long.
    Finished(Option<Answered>),
}

impl Replays {
    /// Hashes what is the same in all calls of a caller: hub, connection, user and claims.
    ///
    /// They are part of the fingerprint because the signature does not cover user and claims. Otherwise a copy
    /// without the seal would receive a response that the filters would have refused.
    pub(super) fn hash_of(&self, hub: &str, caller: &Caller) -> CallerHash {
        let Caller { connection_id, user_id, claims, .. } = caller;
        CallerHash(self.key.hash_one((hub, &**connection_id, user_id.as_deref(), claims)))
    }

    /// Hashes a call and its raw body, which contains the invocation id.
    pub(super) fn fingerprint(
        &self,
        caller: CallerHash,
        request_id: Option<&[u8]>,
        body: &[u8],
    ) -> Fingerprint {
        let mut hasher = self.key.build_hasher();
        hasher.write_u64(caller.0);
        // The length precedes the id, so that no other split of the same bytes has this hash. No id is that long.
        hasher.write_u64(request_id.map_or(u64::MAX, |id| id.len() as u64));
        hasher.write(request_id.unwrap_or_default());
        hasher.write(body);
        Fingerprint { call: hasher.finish(), has_request_id: request_id.is_some() }
    }

    /// Starts a call, unless it is a copy.
    pub(super) fn begin(self: &Arc<Self>, call: Fingerprint) -> Occurrence {
        let Fingerprint { call, has_request_id } = call;
        let mut table = self.table.lock();
        if let Some(copied) = table.copy(call) {
            return Occurrence::Duplicate(copied);
        }
        table.calls.insert(call, State::Running { copies: Vec::new() });
        Occurrence::First(RunningCall { replays: Some(Arc::clone(self)), call, has_request_id })
    }
}

impl Duplicate {
    /// The response to a copy with these parts.
    pub(super) fn answer(
        self,
        parts: &InvocationParts,
    ) -> impl Future<Output = Response<Bytes>> + Send + use<> {
        let protocol = parts.protocol;
        let invocation_id = parts.invocation_id.clone();
        tracing::debug!(connection = &*parts.connection_id, "a copy of an upstream call");
        async move {
            let (answer, error) = match self {
                Self::Running(answer) => (answer.await.ok(), INTERRUPTED),
                Self::Finished(answer) => (answer, NO_LONGER_HELD),
            };
            let none = HeaderMap::new();
            match (answer, invocation_id) {
                (Some((status, body)), _) if body.is_empty() => empty(status),
                (Some((_, body)), _) => Answer::Completion(body).into_response(protocol, none),
                (None, Some(id)) => {
                    let error = Outcome::Error(error.to_owned());
                    completion(protocol, &id, error).into_response(protocol, none)
                }
                (None, None) => empty(StatusCode::SERVICE_UNAVAILABLE),
            }
        }
    }
}

impl Table {
    /// The earlier call; `None` if there is none.
    fn copy(&mut self, call: u64) -> Option<Duplicate> {
        match self.calls.get_mut(&call)? {
            State::Running { copies } => {
                // Removes closed copies before the list grows.
                if copies.len() == copies.capacity() {
                    copies.retain(|copy| !copy.is_closed());
                }
                let (sender, receiver) = oneshot::channel();
                copies.push(sender);
                Some(Duplicate::Running(receiver))
            }
            State::Finished(number) => {
                let place = usize::try_from(number.checked_sub(self.evicted)?).ok()?;
                // An expired entry that has not been evicted does not count.
                let finished =
                    self.finished.get(place).filter(|finished| finished.at.elapsed() < WINDOW)?;
                let answer = finished.answer.answer();
                Some(Duplicate::Finished(answer.map(|answer| (finished.status, answer))))
            }
        }
    }

    /// Stores the response of a call and returns the copies that wait for it.
    fn finish(&mut self, finished: Finished) -> Vec<oneshot::Sender<Answered>> {
        let number = self.evicted + self.finished.len() as u64;
        let ended = self.calls.insert(finished.call, State::Finished(number));
        self.finished.push_back(finished);
        ended.map(State::into_copies).unwrap_or_default()
    }

    /// Removes the oldest finished call if it has expired or the table is full.
    fn evict(&mut self, now: Instant) -> Option<Finished> {
        let oldest = self.finished.front()?;
        if self.finished.len() < MAX_FINISHED && now.saturating_duration_since(oldest.at) < WINDOW {
            return None;
        }
        let (number, oldest) = (self.evicted, self.finished.pop_front()?);
        self.evicted += 1;
        // The same call may have run again after its expiry.
        let is_it = |state: &State| matches!(state, State::Finished(held) if *held == number);
        if self.calls.get(&oldest.call).is_some_and(is_it) {
            self.calls.remove(&oldest.call);
        }
        Some(oldest)
    }
}

impl State {
    /// The copies that wait for the end of a running call.
    fn into_copies(self) -> Vec<oneshot::Sender<Answered>> {
        match self {
            Self::Running { copies } => copies,
            Self::Finished(_) => Vec::new(),
        }
    }
}

/// A running call. Dropping this value before the end of the call removes the call from the table.
pub(super) struct RunningCall {
    /// `None` after the end of the call.
    replays: Option<Arc<Replays>>,
    call: u64,
    has_request_id: bool,
}

impl RunningCall {
    /// Ends the call with this response. Its copies receive the same response.
    pub(super) fn finish(mut self, answer: &Response<Bytes>) {
        let Some(replays) = self.replays.take() else { return };
        let (status, body) = (answer.status(), answer.body());
        let mut table = replays.table.lock();
        // The clock is read only if an entry is stored or may have expired.
        let now = (self.has_request_id || !table.finished.is_empty()).then(Instant::now);
        // Evicted responses are freed outside the lock.
        let evicted: [_; MAX_EVICTIONS] =
            std::array::from_fn(|_| now.and_then(|now| table.evict(now)));
        let copies = match now {
            Some(at) if self.has_request_id => {
                let answer = StoredAnswer::from(&body[..]);
                table.finish(Finished { call: self.call, at, status, answer })
            }
            _ => table.calls.remove(&self.call).map(State::into_copies).unwrap_or_default(),
        };
        drop(table);
        drop(evicted);
        for copy in copies {
            // Fails only if the peer of the copy has disconnected.
            let _ = copy.send((status, body.clone()));
        }
    }
}

impl Drop for RunningCall {
    fn drop(&mut self) {
        let Some(replays) = self.replays.take() else { return };
        let forgotten = replays.table.lock().calls.remove(&self.call);
        // Dropping the senders wakes the copies, so it happens outside the lock.
        drop(forgotten);
    }
}

/// Passes the keys through, since they are hashes already.
#[derive(Default)]
struct IdentityHasher(u64);

impl Hasher for IdentityHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests;
