//! Detects copies of an `invoke`. The method runs once, and each copy receives the response of the first call.
//!
//! The signature covers the connection id, but no timestamp. Therefore an attacker who observes an upstream
//! call can replay it, and a proxy may send a call twice. Calls of a connection differ in their invocation
//! id, which a client never reuses. A `send` has no invocation id, so its copies are not detected.
//!
//! A running call is stored until it ends. A finished call is stored for 60 seconds, or until 4,096 later
//! calls have finished. The table contains hashes and at most 4,096 responses of at most 4 KiB: about
//! 1.5 MB with short responses, 17 MiB in the worst case. Each running call adds 60 bytes.
//! Each process has its own table: a copy that reaches another instance of the app runs again.

mod stored_answer;

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState},
    mem,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::Response;
use hub_core::{InvocationParts, protocol::Outcome};
use parking_lot::Mutex;
use tokio::{sync::oneshot, time::Instant};

use self::stored_answer::StoredAnswer;
use super::completion::{completion, framed};

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
const USED: &str = "this invocation id was already used by another call of the connection; each \
                    call needs its own id";

/// Running and recently finished calls.
#[derive(Default, derive_more::Debug)]
// Omits the responses, which contain user data.
#[debug("Replays")]
pub(crate) struct Replays {
    /// Keys the hashes with a secret of this process. Hashes make the size of the table independent of
    /// ids and arguments. Without the key, an attacker could search for a call whose hash collides with
    /// the call of another client, to read the response of that call or to make it fail.
    key: RandomState,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    calls: HashMap<u64, Entry, BuildHasherDefault<IdentityHasher>>,
    /// Finished calls, oldest first.
    finished: VecDeque<Finished>,
    /// The number of calls evicted from `finished`.
    evicted: u64,
}

struct Entry {
    call: u64,
    state: State,
}

enum State {
    Running {
        copies: Vec<oneshot::Sender<Bytes>>,
    },
    /// The number of calls that finished before this call.
    Finished(u64),
}

struct Finished {
    id: u64,
    at: Instant,
    answer: StoredAnswer,
}

/// The hashes by which a call is looked up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fingerprint {
    /// The hash of hub, connection and invocation id.
    id: u64,
    /// The hash of `id`, the caller and the body, which are the same in all copies of a call.
    call: u64,
}

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

/// Whether a call is new or a copy.
pub(super) enum Occurrence {
    /// The call is new and may run.
    First(RunningCall),
    Duplicate(Duplicate),
}

/// An earlier call with the same id.
pub(super) enum Duplicate {
    /// The earlier call is running. It sends its response here, unless it is dropped.
    Running(oneshot::Receiver<Bytes>),
    /// The earlier call has finished. Contains its framed completion, unless the completion was too long.
    Finished(Option<Bytes>),
    /// The earlier call is a different call.
    OfAnother,
}

impl Replays {
    /// Hashes a call and its raw body; `None` for a `send`.
    ///
    /// The hash includes the caller because the signature does not cover user and claims. Otherwise a copy
    /// without the seal would receive a response that the filters would have refused.
    pub(super) fn fingerprint(&self, parts: &InvocationParts, body: &[u8]) -> Option<Fingerprint> {
        let invocation_id = parts.invocation_id.as_deref()?;
        // One hasher for both: `call` extends `id`.
        let mut hasher = self.key.build_hasher();
        (&*parts.hub, &*parts.connection_id, invocation_id).hash(&mut hasher);
        let id = hasher.finish();
        (parts.user_id.as_deref(), &parts.claims, body).hash(&mut hasher);
        Some(Fingerprint { id, call: hasher.finish() })
    }

    /// Starts a call, unless it is a copy.
    pub(super) fn begin(self: &Arc<Self>, call: Fingerprint) -> Occurrence {
        let mut table = self.table.lock();
        if let Some(copied) = table.copy(call) {
            return Occurrence::Duplicate(copied);
        }
        let running = State::Running { copies: Vec::new() };
        table.calls.insert(call.id, Entry { call: call.call, state: running });
        Occurrence::First(RunningCall { replays: Some(Arc::clone(self)), id: call.id })
    }
}

impl Duplicate {
    /// The response to a copy with these parts.
    pub(super) fn answer(
        self,
        parts: &InvocationParts,
    ) -> impl Future<Output = Response<Bytes>> + Send + use<> {
        let protocol = parts.protocol;
        let invocation_id = parts.invocation_id.clone().unwrap_or_default();
        tracing::debug!(connection = parts.connection_id, "an invocation id was used again");
        async move {
            let (answer, error) = match self {
                Self::Running(answer) => (answer.await.ok(), INTERRUPTED),
                Self::Finished(answer) => (answer, NO_LONGER_HELD),
                Self::OfAnother => (None, USED),
            };
            match answer {
                Some(answer) => framed(protocol, answer),
                None => completion(protocol, &invocation_id, Outcome::Error(error.to_owned())),
            }
        }
    }
}

impl Table {
    /// The earlier call with this id; `None` if there is none.
    fn copy(&mut self, call: Fingerprint) -> Option<Duplicate> {
        let entry = self.calls.get_mut(&call.id)?;
        let finished = match &entry.state {
            State::Running { .. } => None,
            State::Finished(number) => {
                // An expired entry that has not been evicted does not count.
                let place = usize::try_from(number.checked_sub(self.evicted)?).ok()?;
                Some(self.finished.get(place).filter(|finished| finished.at.elapsed() < WINDOW)?)
            }
        };
        if entry.call != call.call {
            return Some(Duplicate::OfAnother);
        }
        match (&mut entry.state, finished) {
            (State::Running { copies }, _) => {
                // Removes closed copies before the list grows.
                if copies.len() == copies.capacity() {
                    copies.retain(|copy| !copy.is_closed());
                }
                let (sender, receiver) = oneshot::channel();
                copies.push(sender);
                Some(Duplicate::Running(receiver))
            }
            (State::Finished(_), finished) => {
                Some(Duplicate::Finished(finished.and_then(|finished| finished.answer.answer())))
            }
        }
    }

    /// Stores the response of a call and returns the copies that wait for it.
    fn finish(&mut self, finished: Finished) -> Vec<oneshot::Sender<Bytes>> {
        let Some(entry) = self.calls.get_mut(&finished.id) else { return Vec::new() };
        let number = self.evicted + self.finished.len() as u64;
        let ended = mem::replace(&mut entry.state, State::Finished(number));
        self.finished.push_back(finished);
        match ended {
            State::Running { copies } => copies,
            State::Finished(_) => Vec::new(),
        }
    }

    /// Removes the oldest finished call if it has expired or the table is full.
    fn evict(&mut self, now: Instant) -> Option<Finished> {
        let oldest = self.finished.front()?;
        if self.finished.len() < MAX_FINISHED && now.saturating_duration_since(oldest.at) < WINDOW {
            return None;
        }
        let (number, oldest) = (self.evicted, self.finished.pop_front()?);
        self.evicted += 1;
        // A later call may have used the id again.
        let is_it = |entry: &Entry| matches!(entry.state, State::Finished(held) if held == number);
        if self.calls.get(&oldest.id).is_some_and(is_it) {
            self.calls.remove(&oldest.id);
        }
        Some(oldest)
    }
}

/// A running call. Dropping this value before the end of the call removes the call from the table.
pub(super) struct RunningCall {
    /// `None` after the end of the call.
    replays: Option<Arc<Replays>>,
    id: u64,
}

impl RunningCall {
    /// Ends the call with this framed completion. Its copies receive the same completion.
    pub(super) fn finish(mut self, answer: &Bytes) {
        let Some(replays) = self.replays.take() else { return };
        let now = Instant::now();
        let finished = Finished { id: self.id, at: now, answer: StoredAnswer::from(&answer[..]) };
        let mut table = replays.table.lock();
        // Evicted responses are freed outside the lock.
        let evicted: [_; MAX_EVICTIONS] = std::array::from_fn(|_| table.evict(now));
        let copies = table.finish(finished);
        drop(table);
        drop(evicted);
        for copy in copies {
            // Fails only if the peer of the copy has disconnected.
            let _ = copy.send(answer.clone());
        }
    }
}

impl Drop for RunningCall {
    fn drop(&mut self) {
        let Some(replays) = self.replays.take() else { return };
        let forgotten = replays.table.lock().calls.remove(&self.id);
        // Dropping the senders wakes the copies, so it happens outside the lock.
        drop(forgotten);
    }
}

/// Passes the ids through, since they are hashes already.
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
