//! The events, as they are stored.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hub_core::protocol::Protocol;

use super::{body::Body, peer::Peer};
use crate::causes::Cause;

/// What an [`Arc`] uses beside its value.
pub(super) const SHARED: usize = 2 * size_of::<usize>();

/// One event of the ring.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) seq: u64,
    /// In microseconds since 1970.
    pub(super) at: u64,
    pub(super) what: What,
}

/// What has happened. Small, and a clone only counts references: readers clone events while they hold the lock of the ring.
#[derive(Clone, Debug)]
pub(super) enum What {
    Negotiate(Arc<Negotiated>),
    Connected {
        peer: Arc<Peer>,
        opened: Arc<Opened>,
        call: u64,
    },
    Refused(Arc<Refused>),
    Disconnected {
        peer: Arc<Peer>,
        trouble: Option<Arc<Trouble>>,
        call: u64,
    },
    Invocation {
        of: Arc<Conversation>,
        queued: bool,
    },
    Upstream {
        of: Arc<Conversation>,
        id: u64,
        address: Address,
    },
    Answer {
        of: Arc<Conversation>,
        id: Option<u64>,
    },
    Completion {
        of: Arc<Conversation>,
        finished: Finished,
    },
    Send(Arc<Sent>),
    Group(Arc<GroupChange>),
    /// Calls and messages that were not recorded.
    LeftOut {
        count: u64,
    },
    ClientResult(Arc<ClientResult>),
}

#[derive(Debug)]
pub(super) struct Negotiated {
    pub(super) hub: Arc<str>,
    pub(super) user: Option<Arc<str>>,
    pub(super) connection: String,
}

/// Properties of a connection that has opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) transport: &'static str,
    pub(crate) protocol: &'static str,
    pub(crate) resumable: bool,
    /// As in the header of upstream calls.
    pub(crate) claims: Option<Arc<str>>,
    pub(crate) query: Box<str>,
}

/// Whom a refusal concerns, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct Subject {
    pub(crate) hub: Option<Arc<str>>,
    pub(crate) user: Option<Arc<str>>,
    pub(crate) connection: Option<Arc<str>>,
    pub(crate) call: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Refused {
    pub(super) subject: Subject,
    pub(super) what: Matter,
    pub(super) status: Option<u16>,
    pub(super) trouble: Trouble,
    /// The number of refusals with this cause that were not recorded before this one.
    pub(super) omitted: Option<u64>,
}

/// What was refused, or has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Matter {
    Negotiate,
    Connect,
    /// An access token of a client.
    Token,
    Handshake,
    Rest,
    /// A call of a client or of the app.
    Call,
}

impl Matter {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Negotiate => "negotiate",
            Self::Connect => "connect",
            Self::Token => "token",
            Self::Handshake => "handshake",
            Self::Rest => "rest",
            Self::Call => "call",
        }
    }
}

/// A failure, or an end with a reason.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    /// `None` for an end without a failure.
    pub(crate) cause: Option<Cause>,
    pub(crate) text: Box<str>,
}

impl Trouble {
    /// With a text of at most this number of bytes.
    pub(super) fn bounded(self, bytes: usize) -> Self {
        let text = match self.text.get(..self.text.floor_char_boundary(bytes)) {
            Some(start) if start.len() < self.text.len() => format!("{start}…").into(),
            _ => self.text,
        };
        Self { text, ..self }
    }
}

/// A call of the app, with all that belongs to it. The events of a call refer to it.
#[derive(Debug)]
pub(crate) struct Conversation {
    pub(crate) call: u64,
    pub(crate) peer: Arc<Peer>,
    pub(super) origin: Origin,
    pub(crate) protocol: Protocol,
    /// The invocation id, and after it the name of the method.
    names: Box<str>,
    id_bytes: Option<u32>,
    /// The encoded list of arguments.
    pub(crate) arguments: Body,
    answered: OnceLock<Answered>,
    /// The number of events in the ring that refer to this, and the size that the ring has counted. Relaxed: changed under
    /// the lock of the ring.
    events: AtomicUsize,
    counted: AtomicUsize,
}

/// Where a call comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A message of a client.
    Client,
    /// A connection has opened or ended.
    Event,
    /// The inspector ran this call again.
    Again(u64),
}

/// The response of the app.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: Option<u16>,
    pub(super) body: Body,
    pub(super) took: Duration,
    pub(super) trouble: Option<Trouble>,
}

impl Answered {
    fn size(&self) -> usize {
        self.body.size() + self.trouble.as_ref().map_or(0, |trouble| trouble.text.len())
    }
}

impl Conversation {
    pub(super) fn new(
        call: u64,
        peer: Arc<Peer>,
        origin: Origin,
        protocol: Protocol,
        invocation_id: Option<&str>,
        method: &str,
        arguments: Body,
    ) -> Self {
        let id = invocation_id.unwrap_or_default();
        let mut names = String::with_capacity(id.len() + method.len());
        names.push_str(id);
        names.push_str(method);
        let id_bytes = invocation_id.and_then(|id| u32::try_from(id.len()).ok());
        let names = names.into_boxed_str();
        let new = Self {
            call,
            peer,
            origin,
            protocol,
            names,
            id_bytes,
            arguments,
            answered: OnceLock::new(),
            events: AtomicUsize::new(0),
            counted: AtomicUsize::new(0),
        };
        new.peer.recorder.alive.fetch_add(new.size(), Ordering::Relaxed);
        new
    }

    /// `None` if the client expects no completion.
    pub(crate) fn invocation_id(&self) -> Option<&str> {
        self.names.get(..self.id_bytes? as usize)
    }

    pub(crate) fn method(&self) -> &str {
        self.names.get(self.id_bytes.unwrap_or_default() as usize..).unwrap_or_default()
    }

    pub(super) fn answered(&self) -> Option<&Answered> {
        self.answered.get()
    }

    /// Stores the response. Only the first one counts.
    pub(super) fn answer(&self, answered: Answered) {
        let size = answered.size();
        if self.answered.set(answered).is_ok() {
            self.peer.recorder.alive.fetch_add(size, Ordering::Relaxed);
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.answered().is_some_and(|answered| answered.trouble.is_some())
    }

    fn size(&self) -> usize {
        let answer = self.answered().map_or(0, Answered::size);
        SHARED + size_of::<Self>() + self.names.len() + self.arguments.size() + answer
    }

    /// An event that refers to this enters the ring. Returns by how much the ring grows.
    pub(super) fn enter(&self) -> usize {
        self.events.fetch_add(1, Ordering::Relaxed);
        let size = self.size();
        size.saturating_sub(self.counted.swap(size, Ordering::Relaxed))
    }

    /// An event that refers to this leaves the ring. Returns by how much the ring shrinks.
    pub(super) fn leave(&self) -> usize {
        match self.events.fetch_sub(1, Ordering::Relaxed) {
            1 => self.counted.swap(0, Ordering::Relaxed),
            _ => 0,
        }
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.peer.recorder.alive.fetch_sub(self.size(), Ordering::Relaxed);
    }
}

/// Where an app is.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    InProcess,
    /// The URL without its query.
    Url(Arc<str>),
}

/// What the client of an `invoke` receives.
#[derive(Clone, Debug)]
pub(crate) enum Finished {
    /// The response of the app, unchanged.
    Relayed,
    /// A completion without a value.
    Void,
    /// An error of the service.
    Error(Arc<str>),
}

/// A message to clients.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) hub: Arc<str>,
    pub(crate) via: Via,
    pub(crate) kind: &'static str,
    /// The group, user or connection.
    pub(crate) name: Option<Box<str>>,
    /// The number of excluded connections.
    pub(crate) excluded: usize,
    pub(crate) method: Box<str>,
    pub(crate) arguments: Body,
    pub(crate) recipients: usize,
    /// The calls of the hub that were running.
    pub(crate) calls: Vec<u64>,
}

/// Who sends a message or changes a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    Rest,
    Embedded,
    Inspector,
}

impl Via {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Embedded => "embedded",
            Self::Inspector => "inspector",
        }
    }
}

/// A change of a group.
#[derive(Debug)]
pub(crate) struct GroupChange {
    pub(crate) hub: Arc<str>,
    pub(crate) via: Via,
    /// `join` or `leave`.
    pub(crate) action: &'static str,
    /// `None` for all groups.
    pub(crate) group: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) connection: Option<String>,
    pub(crate) ttl_seconds: Option<u64>,
}

impl GroupChange {
    pub(crate) fn new(hub: Arc<str>, via: Via, action: &'static str) -> Self {
        Self { hub, via, action, group: None, user: None, connection: None, ttl_seconds: None }
    }
}

/// What a client has returned to the app.
#[derive(Debug)]
pub(crate) struct ClientResult {
    pub(crate) peer: Arc<Peer>,
    pub(crate) method: Box<str>,
    pub(crate) arguments: Body,
    pub(crate) returned: Returned,
    pub(crate) took: Duration,
}

/// The outcome of an invocation of a client.
#[derive(Debug)]
pub(crate) enum Returned {
    Void,
    Value(Body),
    Error(Box<str>),
}

/// The bytes of a text, if there is one.
fn length(text: &Option<impl std::ops::Deref<Target = str>>) -> usize {
    text.as_deref().map_or(0, str::len)
}

impl What {
    /// The memory that the event uses, without its conversation, which counts itself.
    pub(super) fn size(&self) -> usize {
        let owned = match self {
            Self::Negotiate(it) => {
                SHARED + size_of::<Negotiated>() + it.connection.len() + length(&it.user)
            }
            Self::Send(sent) => {
                let calls = size_of_val(&*sent.calls);
                let names = length(&sent.name) + sent.method.len();
                SHARED + size_of::<Sent>() + names + sent.arguments.size() + calls
            }
            Self::Connected { peer, opened, .. } => {
                let texts = length(&opened.claims) + opened.query.len();
                SHARED + size_of::<Opened>() + texts + peer.size()
            }
            Self::Refused(it) => {
                let Subject { hub, user, connection, .. } = &it.subject;
                let names = length(hub) + length(user) + length(connection);
                SHARED + size_of::<Refused>() + names + it.trouble.text.len()
            }
            Self::Disconnected { peer, trouble, .. } => {
                let text = trouble.as_ref().map_or(0, |it| it.text.len());
                SHARED + size_of::<Trouble>() + text + peer.size()
            }
            Self::Upstream { address: Address::Url(url), .. } => SHARED + url.len(),
            Self::Completion { finished: Finished::Error(text), .. } => SHARED + text.len(),
            Self::Group(change) => {
                let names = length(&change.group) + length(&change.user);
                SHARED + size_of::<GroupChange>() + names + length(&change.connection)
            }
            Self::ClientResult(result) => {
                let returned = match &result.returned {
                    Returned::Void => 0,
                    Returned::Value(body) => body.size(),
                    Returned::Error(text) => text.len(),
                };
                SHARED
                    + size_of::<ClientResult>()
                    + result.method.len()
                    + result.arguments.size()
                    + returned
            }
            Self::Invocation { of, .. } => of.peer.size(),
            Self::LeftOut { .. }
            | Self::Upstream { .. }
            | Self::Answer { .. }
            | Self::Completion { .. } => 0,
        };
        size_of::<Self>() + owned
    }

    /// The conversation of the event.
    pub(super) fn conversation(&self) -> Option<&Arc<Conversation>> {
        match self {
            Self::Invocation { of, .. }
            | Self::Upstream { of, .. }
            | Self::Answer { of, .. }
            | Self::Completion { of, .. } => Some(of),
            _ => None,
        }
    }

    /// The number of the call that the event belongs to.
    pub(super) fn call(&self) -> Option<u64> {
        match self {
            Self::Connected { call, .. } | Self::Disconnected { call, .. } => Some(*call),
            Self::Refused(refused) => refused.subject.call,
            other => other.conversation().map(|of| of.call),
        }
    }

    /// The client of the event.
    pub(super) fn peer(&self) -> Option<&Arc<Peer>> {
        match self {
            Self::Connected { peer, .. } | Self::Disconnected { peer, .. } => Some(peer),
            Self::ClientResult(result) => Some(&result.peer),
            other => other.conversation().map(|of| &of.peer),
        }
    }
}
