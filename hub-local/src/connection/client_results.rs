//! Client results: invocations from the service to a client that wait for the client's completion.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use hub_core::protocol::Outcome;
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// The pending client results of one connection.
#[derive(Debug, Default)]
pub(crate) struct ClientResults {
    pending: Mutex<Pending>,
    /// Relaxed: only uniqueness matters.
    next: AtomicU64,
    /// The number of pending calls that a running method may have made. Relaxed: calls begin, and upstream calls end, under
    /// the lock of the call queue, which reads it under this lock.
    nested: AtomicUsize,
}

#[derive(Debug, Default)]
struct Pending {
    /// A tree, because an empty one is small and most connections never have a call.
    calls: BTreeMap<String, Caller>,
    ended: bool,
}

#[derive(Debug)]
struct Caller {
    outcome: oneshot::Sender<Outcome>,
    /// The lanes of the upstream calls that ran when the call began and still run: the method of one of them has made the
    /// call.
    lanes: u16,
}

/// Guard of a pending call. Dropping the guard removes the call.
#[derive(Debug)]
pub(crate) struct PendingResult<'a> {
    results: &'a ClientResults,
    id: String,
    outcome: oneshot::Receiver<Outcome>,
}

impl ClientResults {
    /// A new call with a unique id, or `None` when the connection is ending. `lanes` are those of the upstream calls of the
    /// client that run, each as a bit.
    pub(super) fn begin(&self, lanes: u16) -> Option<PendingResult<'_>> {
        let id = format!("s{}", self.next.fetch_add(1, Ordering::Relaxed));
        let (sender, outcome) = oneshot::channel();
        let mut pending = self.pending.lock();
        if pending.ended {
            return None;
        }
        pending.calls.insert(id.clone(), Caller { outcome: sender, lanes });
        self.count(&pending);
        Some(PendingResult { results: self, id, outcome })
    }

    /// Completes a call. Unknown ids are ignored.
    pub(crate) fn complete(&self, id: &str, outcome: Outcome) {
        if let Some(caller) = self.remove(id) {
            // Sending fails if the caller has stopped waiting.
            let _ = caller.outcome.send(outcome);
        }
    }

    fn remove(&self, id: &str) -> Option<Caller> {
        let mut pending = self.pending.lock();
        let caller = pending.calls.remove(id);
        self.count(&pending);
        caller
    }

    fn count(&self, pending: &Pending) {
        let nested = pending.calls.values().filter(|caller| caller.lanes != 0).count();
        self.nested.store(nested, Ordering::Relaxed);
    }

    /// An upstream call has ended. If it was cancelled, its method may still wait for the client, but the client's next
    /// calls have no lane beside it.
    pub(super) fn finished(&self, lane: u16) {
        if self.nested() == 0 {
            return;
        }
        let mut pending = self.pending.lock();
        pending.calls.values_mut().for_each(|caller| caller.lanes &= !lane);
        self.count(&pending);
    }

    /// Whether any call is pending.
    pub(super) fn any(&self) -> bool {
        !self.pending.lock().calls.is_empty()
    }

    /// The number of pending calls that a running method may have made.
    pub(super) fn nested(&self) -> usize {
        self.nested.load(Ordering::Relaxed)
    }

    /// Fails all pending and later calls, because the connection ended.
    pub(crate) fn fail_all(&self) {
        let mut pending = self.pending.lock();
        pending.ended = true;
        let calls = std::mem::take(&mut pending.calls);
        self.count(&pending);
        drop(pending);
        drop(calls);
    }
}

impl PendingResult<'_> {
    /// Invocation id of the call.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Waits for the completion; `None` when the connection has ended.
    pub(crate) async fn outcome(mut self) -> Option<Outcome> {
        (&mut self.outcome).await.ok()
    }
}

impl Drop for PendingResult<'_> {
    fn drop(&mut self) {
        self.results.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn completions_reach_their_callers_in_any_order() {
        let results = ClientResults::default();
        let (first, second) = (results.begin(1).unwrap(), results.begin(1).unwrap());
        assert_ne!(first.id(), second.id());

        results.complete(second.id(), Outcome::Error("e".to_owned()));
        results.complete(first.id(), Outcome::Void);
        results.complete("unknown", Outcome::Void);

        assert_eq!(first.outcome().await, Some(Outcome::Void));
        assert_eq!(second.outcome().await, Some(Outcome::Error("e".to_owned())));
        assert!(!results.any());
        assert_eq!(results.nested(), 0);
    }

    #[tokio::test]
    async fn every_pending_call_fails_when_the_client_ends() {
        let results = ClientResults::default();
        let waiting = results.begin(1).unwrap();

        results.fail_all();

        assert_eq!(waiting.outcome().await, None);
        assert!(results.begin(1).is_none());
    }

    #[test]
    fn a_cancelled_caller_is_removed() {
        let results = ClientResults::default();

        drop(results.begin(1));

        assert!(!results.any());
        assert_eq!(results.nested(), 0);
    }
}
