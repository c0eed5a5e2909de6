//! Negotiated connections by connection token, from negotiate until the connection ends.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use hub_net::standstill::fired_late;
use parking_lot::{Mutex, MutexGuard};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep_until},
};

use super::{inbox::Inbox, long_polling::Polls, websocket::resume::Resumption};
use crate::{connection::shared::Shared, random::Id, upstream::facts::ConnectionFacts};

/// The table, and the task that sweeps it.
#[derive(Debug, Default)]
pub(crate) struct Negotiations(Mutex<Table>);

/// Entries by token. An entry is removed when its connection ends or when the entry expires.
#[derive(Debug, Default)]
pub(super) struct Table {
    by_token: HashMap<Id, Entry>,
    /// Tokens with their expiry. All entries have the same lifetime, so they are in order of expiry.
    order: VecDeque<(Instant, Id)>,
    /// The number of entries that are pending or ended.
    unopened: usize,
    /// Whether a sweep task is running.
    swept: bool,
}

#[derive(Debug)]
struct Entry {
    client: Client,
    stage: Stage,
}

/// The client that has the token.
#[derive(Clone, Debug)]
pub(super) enum Client {
    Negotiated(Arc<Negotiation>),
    /// The facts replace the negotiation, so that an idle client is stored once.
    Connected(Arc<ConnectionFacts>),
    /// Without query and claims, whose memory is not counted after the end.
    Ended {
        hub: Arc<str>,
        user: Option<Arc<str>>,
    },
}

impl Client {
    pub(super) fn hub(&self) -> &str {
        match self {
            Self::Negotiated(negotiation) => &negotiation.hub,
            Self::Connected(facts) => facts.hub(),
            Self::Ended { hub, .. } => hub,
        }
    }

    pub(super) fn user(&self) -> Option<&Arc<str>> {
        match self {
            Self::Negotiated(negotiation) => negotiation.user.as_ref(),
            Self::Connected(facts) => facts.user(),
            Self::Ended { user, .. } => user.as_ref(),
        }
    }
}

/// The result of a negotiate request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Negotiation {
    pub(crate) connection_id: Id,
    pub(crate) hub: String,
    pub(crate) user: Option<Arc<str>>,
    /// Whether stateful reconnect was requested and is enabled.
    pub(crate) resumes: bool,
}

#[derive(Debug)]
enum Stage {
    /// Not connected yet; the inbox may already hold bytes.
    Pending {
        until: Instant,
        inbox: Option<Arc<Inbox>>,
    },
    Open(OpenTransport),
    /// Ended, but the client has not received the end yet.
    Ended {
        until: Instant,
    },
}

/// The transport of an open connection, for further requests with its token.
#[derive(Clone, Debug)]
pub(crate) enum OpenTransport {
    /// With the state for a stateful reconnect, if stateful reconnect was negotiated.
    WebSocket(Option<Arc<Resumption>>),
    ServerSentEvents(Arc<Inbox>),
    LongPolling(Arc<Polls>),
}

/// The state of a token.
#[derive(Clone, Debug)]
pub(crate) enum TokenState {
    Pending,
    Open(OpenTransport),
    Ended,
}

impl Negotiations {
    pub(super) fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock()
    }

    /// The id of the open connection of a hub with this token. `None` if the token is the id itself, as in version 0 of
    /// negotiate: apps tell ids to other clients, so it proves nothing.
    pub(crate) fn connection_id(&self, token: &str, hub: &str, now: Instant) -> Option<Arc<str>> {
        match self.lock().find(Id::parse(token)?, now)? {
            (Client::Connected(facts), TokenState::Open(_))
                if facts.hub() == hub && **facts.id() != *token =>
            {
                Some(Arc::clone(facts.id()))
            }
            _ => None,
        }
    }

    /// Starts the sweep task unless it is running. The task stops when no token can expire.
    pub(super) fn sweep(self: &Arc<Self>, shared: &Shared) {
        // Without a runtime the service has stopped.
        let may_start = Handle::try_current().is_ok();
        if !may_start || std::mem::replace(&mut self.lock().swept, true) {
            return;
        }
        let (closing, weak) = (shared.closing.clone(), Arc::downgrade(self));
        let time = shared.limits.connect_timeout;
        shared.tasks.spawn(closing.run_until_cancelled_owned(async move {
            while let Some(negotiations) = weak.upgrade() {
                let next = negotiations.lock().sweep(Instant::now(), time);
                drop(negotiations);
                let Some(next) = next else { return };
                sleep_until(next).await;
            }
        }));
    }
}

impl Table {
    /// Stores a new token until it expires. When `most` tokens are unopened, evicts the oldest unopened token:
    /// clients connect right after negotiate, so the oldest token is the least likely to be used.
    pub(super) fn issue(
        &mut self,
        token: Id,
        negotiation: Negotiation,
        until: Instant,
        most: usize,
    ) {
        while self.unopened >= most.max(1) && self.forget_oldest() {}
        let stage = Stage::Pending { until, inbox: None };
        let client = Client::Negotiated(Arc::new(negotiation));
        self.by_token.insert(token, Entry { client, stage });
        self.unopened += 1;
        self.order.push_back((until, token));
    }

    /// Removes expired tokens and returns the next expiry, or `None` when no token can expire.
    fn sweep(&mut self, now: Instant, time: Duration) -> Option<Instant> {
        if let Some((first, _)) = self.order.front()
            && fired_late(*first)
        {
            self.postpone(now.duration_since(*first) + time);
        }
        self.expire(now);
        let next = self.order.front().map(|(end, _)| *end);
        self.swept = next.is_some();
        if next.is_none() {
            self.give_back();
        }
        next
    }

    /// After a standstill of the process: requests with these tokens may be unread in the sockets.
    fn postpone(&mut self, by: Duration) {
        self.order.iter_mut().for_each(|(until, _)| *until += by);
        for entry in self.by_token.values_mut() {
            if let Stage::Pending { until, .. } | Stage::Ended { until } = &mut entry.stage {
                *until += by;
            }
        }
    }

    /// Releases the memory of a burst of negotiations.
    fn give_back(&mut self) {
        self.order = VecDeque::new();
        if self.by_token.len() < self.by_token.capacity() / 4 {
            self.by_token.shrink_to_fit();
        }
    }

    /// Evicts the oldest unopened token; `false` if all tokens are opened.
    fn forget_oldest(&mut self) -> bool {
        while let Some((_, token)) = self.order.pop_front() {
            let is_open = |entry: &Entry| matches!(entry.stage, Stage::Open(_));
            if self.by_token.get(&token).is_some_and(|entry| !is_open(entry)) {
                self.forget(token);
                return true;
            }
        }
        false
    }

    /// The client and the state of a token.
    pub(super) fn find(&self, token: Id, now: Instant) -> Option<(Client, TokenState)> {
        let entry = self.by_token.get(&token)?;
        // After a standstill, the sweep decides.
        if entry.stage.until().is_some_and(|until| until <= now && !fired_late(until)) {
            return None;
        }
        let found = match &entry.stage {
            Stage::Pending { .. } => TokenState::Pending,
            Stage::Open(open) => TokenState::Open(open.clone()),
            Stage::Ended { .. } => TokenState::Ended,
        };
        Some((entry.client.clone(), found))
    }

    /// The inbox for the bytes that a client posts. A client can post before it has chosen a transport.
    pub(super) fn inbox(&mut self, token: Id) -> Option<Arc<Inbox>> {
        match &mut self.by_token.get_mut(&token)?.stage {
            Stage::Pending { inbox, .. } => Some(Arc::clone(inbox.get_or_insert_default())),
            Stage::Open(OpenTransport::ServerSentEvents(inbox)) => Some(Arc::clone(inbox)),
            Stage::Open(OpenTransport::LongPolling(polls)) => Some(Arc::clone(&polls.inbox)),
            Stage::Open(OpenTransport::WebSocket(_)) | Stage::Ended { .. } => None,
        }
    }

    /// Opens a pending connection; `false` if another request has opened it before.
    pub(super) fn open(
        &mut self,
        token: Id,
        open: OpenTransport,
        facts: &Arc<ConnectionFacts>,
    ) -> bool {
        match self.by_token.get_mut(&token) {
            Some(Entry { client, stage: stage @ Stage::Pending { .. } }) => {
                *client = Client::Connected(Arc::clone(facts));
                *stage = Stage::Open(open);
                self.unopened -= 1;
                true
            }
            _ => false,
        }
    }

    /// Removes a token that is not connected, because its client was refused.
    pub(super) fn refuse(&mut self, token: Id) {
        if matches!(self.by_token.get(&token), Some(Entry { stage: Stage::Pending { .. }, .. })) {
            self.forget(token);
        }
    }

    /// Removes a token whose client needs no further response.
    pub(super) fn forget(&mut self, token: Id) {
        let Some(entry) = self.by_token.remove(&token) else { return };
        if !matches!(entry.stage, Stage::Open(_)) {
            self.unopened -= 1;
        }
        entry.stage.close();
    }

    /// Marks a connection as ended. A request within `time` receives the response that ends the connection.
    pub(super) fn end(&mut self, token: Id, now: Instant, time: Duration) {
        let Some(entry) = self.by_token.get_mut(&token) else { return };
        let until = now + time;
        if matches!(entry.stage, Stage::Open(_)) {
            self.unopened += 1;
        }
        entry.stage = Stage::Ended { until };
        let (hub, user) = (entry.client.hub().into(), entry.client.user().cloned());
        entry.client = Client::Ended { hub, user };
        self.order.push_back((until, token));
    }

    fn expire(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(end, _)| *end <= now) {
            let Some((_, token)) = self.order.pop_front() else { return };
            let until = self.by_token.get(&token).and_then(|entry| entry.stage.until());
            let is_over = until.is_some_and(|until| until <= now);
            if is_over {
                self.forget(token);
            }
        }
    }
}

impl Stage {
    /// When it expires; `None` for an open connection.
    fn until(&self) -> Option<Instant> {
        match self {
            Self::Pending { until, .. } | Self::Ended { until } => Some(*until),
            Self::Open(_) => None,
        }
    }

    /// Closes the inbox of a connection that was never opened.
    fn close(self) {
        if let Self::Pending { inbox: Some(inbox), .. } = self {
            inbox.close();
        }
    }
}

#[cfg(test)]
mod tests;
