//! The client of a connection, as events name it.

use std::fmt;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{
    event::{Matter, SHARED, Subject, Trouble},
    recorder::Recorder,
    time,
};
use crate::causes::Cause;

/// The client of one connection. Only with a recorder; a connection without one stores nothing.
pub(crate) struct Peer {
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) id: Arc<str>,
    pub(crate) hub: Arc<str>,
    pub(crate) user: Option<Arc<str>>,
    /// In microseconds since 1970.
    since: u64,
    /// When data of the client arrived last. Relaxed: for display only.
    last_seen: AtomicU64,
    /// The numbers of the calls that tell the app about the start and the end of the connection; 0 until then.
    reports: [AtomicU64; 2],
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peer({})", self.id)
    }
}

impl Peer {
    pub(crate) fn new(
        recorder: Arc<Recorder>,
        id: Arc<str>,
        hub: Arc<str>,
        user: Option<Arc<str>>,
    ) -> Self {
        let now = time::now();
        Self {
            recorder,
            id,
            hub,
            user,
            since: now,
            last_seen: AtomicU64::new(now),
            reports: Default::default(),
        }
    }

    /// The memory that the names of the client use.
    pub(super) fn size(&self) -> usize {
        let user = self.user.as_ref().map_or(0, |user| SHARED + user.len());
        SHARED + size_of::<Self>() + SHARED + self.id.len() + user
    }

    /// The client as the subject of a refusal.
    pub(crate) fn subject(&self) -> Subject {
        let (hub, connection) = (Some(Arc::clone(&self.hub)), Some(Arc::clone(&self.id)));
        Subject { hub, user: self.user.clone(), connection, call: None }
    }

    /// A call of the client was refused, or its answer cannot be used.
    pub(crate) fn refused(&self, call: Option<u64>, cause: Cause, text: &str) {
        let subject = Subject { call, ..self.subject() };
        let trouble = Trouble { cause: Some(cause), text: text.into() };
        self.recorder.refused(subject, Matter::Call, None, trouble);
    }

    /// Data of the client has arrived.
    pub(crate) fn seen(&self) {
        self.last_seen.store(time::now(), Ordering::Relaxed);
    }

    /// The number of the call that tells the app about the start or the end of the connection.
    pub(super) fn report(&self, is_end: bool, next: impl FnOnce() -> u64) -> u64 {
        let number = &self.reports[usize::from(is_end)];
        if number.load(Ordering::Relaxed) == 0 {
            number.store(next(), Ordering::Relaxed);
        }
        number.load(Ordering::Relaxed)
    }

    /// When the connection was opened, in microseconds since 1970.
    pub(crate) fn since(&self) -> u64 {
        self.since
    }

    /// When data of the client arrived last, in microseconds since 1970.
    pub(crate) fn last_seen(&self) -> u64 {
        self.last_seen.load(Ordering::Relaxed)
    }
}
