//! Copies of an `invoke`: the method runs once, and each copy gets the answer of the first.
//!
//! Whoever sees an upstream call can send it again, and so can a proxy that tries twice: the signature
//! covers the connection id and no time. What tells two calls apart is the invocation id, which a client
//! never gives to two calls of one connection. A `send` has none, so it is not covered.
//!
//! A running call is found as long as it runs. A finished one is found until 60 seconds have passed or
//! 4,096 others have finished, whichever comes first. So the table holds 4,096 answers of at most 4 KiB
//! and no names: about 1.5 MB with short answers, 17 MiB at worst. RunningCall calls, of which there may be more,
//! add 60 bytes each.
//! Each process has a table of its own: a copy that reaches another instance of the app runs again.

mod stored_answer;

use std::{
    collections::{HashMap, VecDeque},
    fmt,
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

/// How many finished calls are remembered.
const KEPT: usize = 4096;
/// For how long, from their end.
const WINDOW: Duration = Duration::from_secs(60);
/// How many entries leave at most when one comes, so that after a burst no call pays for all of it.
const LEAVING: usize = 2;

const NO_LONGER_HELD: &str =
    "this invocation was handled already, and its result is no longer held";
const INTERRUPTED: &str = "this invocation was begun already, and the app stopped before its end";
const USED: &str = "this invocation id was already used by another call of the connection; each \
                    call needs its own";

/// The calls that are running and those that have finished lately.
#[derive(Default)]
pub(crate) struct Replays {
    /// With hashes the table has one size whatever clients choose for ids and arguments; keyed with a
    /// secret of this process, nobody can look for two calls that collide, either to read the answer of
    /// another one or to have it refused.
    key: RandomState,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    calls: HashMap<u64, Entry, BuildHasherDefault<IdentityHasher>>,
    /// Those that have finished, oldest first.
    finished: VecDeque<Finished>,
    /// How many have left `finished`.
    left: u64,
}

struct Entry {
    call: u64,
    state: State,
}

enum State {
    Running {
        copies: Vec<oneshot::Sender<Bytes>>,
    },
    /// The so-many-th that finished.
    Finished(u64),
}

struct Finished {
    id: u64,
    at: Instant,
    answer: StoredAnswer,
}

/// One call, as the table knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fingerprint {
    /// Hub, connection and invocation id.
    id: u64,
    /// The same, who calls, and the body: what a copy has in common with the first.
    call: u64,
}

/// Whether the invocation ids of a caller are those of the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvocationIds {
    OfClients,
    /// All calls have the same one, which tells nothing.
    #[cfg_attr(
        not(feature = "functions"),
        allow(dead_code, reason = "the Functions host makes them")
    )]
    MadeUp,
}

/// What is known of a call that has come.
pub(super) enum Occurrence {
    /// Nothing, so it may run.
    First(RunningCall),
    Duplicate(Duplicate),
}

/// What is known of a call whose id came before.
pub(super) enum Duplicate {
    /// It runs. The answer comes from there; none comes when the process ends before.
    Running(oneshot::Receiver<Bytes>),
    /// It has run; the framed completion, if that was short enough.
    Finished(Option<Bytes>),
    /// The id was given to another call.
    OfAnother,
}

impl fmt::Debug for Replays {
    /// Answers are the data of users.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replays").finish_non_exhaustive()
    }
}

impl Replays {
    /// `None` for a call that nobody waits for. `body` is the whole of it, byte for byte.
    ///
    /// Who calls is a part of it, since the signature does not vouch for user and claims: without it a
    /// copy that lost its seal would read an answer that the filters keep from it.
    pub(super) fn fingerprint(&self, parts: &InvocationParts, body: &[u8]) -> Option<Fingerprint> {
        let invocation_id = parts.invocation_id.as_deref()?;
        // The hash of the whole goes on from that of the id, and says nothing about it.
        let mut hasher = self.key.build_hasher();
        (&*parts.hub, &*parts.connection_id, invocation_id).hash(&mut hasher);
        let id = hasher.finish();
        (parts.user_id.as_deref(), &parts.claims, body).hash(&mut hasher);
        Some(Fingerprint { id, call: hasher.finish() })
    }

    /// Notes that a call begins, unless it is a copy.
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
    /// The answer to the copy whose parts these are.
    pub(super) fn answer(
        self,
        parts: &InvocationParts,
    ) -> impl Future<Output = Response<Bytes>> + Send + use<> {
        let protocol = parts.protocol;
        let invocation_id = parts.invocation_id.clone().unwrap_or_default();
        tracing::debug!(connection = parts.connection_id, "an invocation id came again");
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
    /// What is known of a call; `None` when it is new.
    fn copy(&mut self, call: Fingerprint) -> Option<Duplicate> {
        let entry = self.calls.get_mut(&call.id)?;
        let finished = match &entry.state {
            State::Running { .. } => None,
            State::Finished(number) => {
                // What is over and has not left yet is as good as gone.
                let place = usize::try_from(number.checked_sub(self.left)?).ok()?;
                Some(self.finished.get(place).filter(|finished| finished.at.elapsed() < WINDOW)?)
            }
        };
        if entry.call != call.call {
            return Some(Duplicate::OfAnother);
        }
        match (&mut entry.state, finished) {
            (State::Running { copies }, _) => {
                // Copies whose peers hung up leave before room is made for more.
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

    /// Notes that a call has ended, and gives those that wait for it.
    fn finish(&mut self, finished: Finished) -> Vec<oneshot::Sender<Bytes>> {
        let Some(entry) = self.calls.get_mut(&finished.id) else { return Vec::new() };
        let number = self.left + self.finished.len() as u64;
        let ended = mem::replace(&mut entry.state, State::Finished(number));
        self.finished.push_back(finished);
        match ended {
            State::Running { copies } => copies,
            State::Finished(_) => Vec::new(),
        }
    }

    /// Takes out the oldest of the finished calls, as far as one is over or its place is needed.
    fn leave(&mut self, now: Instant) -> Option<Finished> {
        let oldest = self.finished.front()?;
        if self.finished.len() < KEPT && now.saturating_duration_since(oldest.at) < WINDOW {
            return None;
        }
        let (number, oldest) = (self.left, self.finished.pop_front()?);
        self.left += 1;
        // The id may have come again since then.
        let is_it = |entry: &Entry| matches!(entry.state, State::Finished(held) if held == number);
        if self.calls.get(&oldest.id).is_some_and(is_it) {
            self.calls.remove(&oldest.id);
        }
        Some(oldest)
    }
}

/// A call that runs. Dropped before its end, as when the process goes down, it is forgotten.
pub(super) struct RunningCall {
    /// `None` when the call has ended.
    replays: Option<Arc<Replays>>,
    id: u64,
}

impl RunningCall {
    /// The call has ended with this framed completion, which its copies get too.
    pub(super) fn finish(mut self, answer: &Bytes) {
        let Some(replays) = self.replays.take() else { return };
        let now = Instant::now();
        let finished = Finished { id: self.id, at: now, answer: StoredAnswer::from(&answer[..]) };
        let mut table = replays.table.lock();
        // What leaves is dropped without the lock.
        let left: [_; LEAVING] = std::array::from_fn(|_| table.leave(now));
        let copies = table.finish(finished);
        drop(table);
        drop(left);
        for copy in copies {
            // A copy whose peer hung up needs no answer.
            let _ = copy.send(answer.clone());
        }
    }
}

impl Drop for RunningCall {
    fn drop(&mut self) {
        let Some(replays) = self.replays.take() else { return };
        let forgotten = replays.table.lock().calls.remove(&self.id);
        // Its copies learn of it by their senders' end, and not under the lock.
        drop(forgotten);
    }
}

/// The ids are hashes already.
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
