//! New claims and a new expiry of an open connection. The user, the groups and the calls that run stay as they are.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::{task::AbortHandle, time::sleep_until};

use super::{Connection, ending::Ending};
use crate::{auth::identity::Identity, upstream::facts::ConnectionFacts};

/// What replaces the authentication of a connection.
#[derive(Debug)]
pub(crate) struct Refresh {
    /// `None` to keep the claims.
    pub(crate) identity: Option<Identity>,
    /// Whether the connection closes when it expires. `None` to keep this.
    pub(crate) closes_on_expiry: Option<bool>,
    /// When it expires, in seconds since 1970. `None` to keep this.
    pub(crate) expires: Option<u64>,
    /// Whether the expiry may move to a later time.
    pub(crate) extends: bool,
}

/// Why a refresh is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefreshError {
    /// The connection has another user, or no user.
    OtherUser,
    /// The connection has ended.
    Ended,
    /// The connection is to close on expiry, and there is no expiry.
    NoExpiry,
}

/// The authentication of a connection that was refreshed.
#[derive(Debug)]
pub(super) struct Refreshed(Mutex<Current>);

#[derive(Debug)]
struct Current {
    facts: Arc<ConnectionFacts>,
    /// When the connection closes, in seconds since 1970.
    expires: Option<u64>,
    /// The task that closes the connection then.
    timer: Option<AbortHandle>,
}

impl Drop for Current {
    fn drop(&mut self) {
        self.stop_timer();
    }
}

impl Current {
    fn stop_timer(&mut self) {
        if let Some(timer) = self.timer.take() {
            timer.abort();
        }
    }
}

impl Refreshed {
    /// The memory that it uses.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.0.lock().facts.size()
    }
}

impl Connection {
    /// The facts for a call that starts now, if they are no longer [`Self::facts`].
    pub(super) fn refreshed_facts(&self) -> Option<Arc<ConnectionFacts>> {
        Some(Arc::clone(&self.refreshed.get()?.0.lock().facts))
    }

    /// Whether the expiry in the client's first token no longer applies.
    pub(super) fn is_refreshed(&self) -> bool {
        self.refreshed.get().is_some()
    }

    /// Replaces claims and expiry. Calls that start later have the new claims.
    pub(crate) fn refresh(self: &Arc<Self>, refresh: Refresh) -> Result<(), RefreshError> {
        let Refresh { identity, closes_on_expiry, expires, extends } = refresh;
        if identity.as_ref().is_some_and(|identity| identity.user.as_deref() != self.user()) {
            return Err(RefreshError::OtherUser);
        }
        let refreshed = self.refreshed.get_or_init(|| {
            let (facts, expires) = (Arc::clone(&self.facts), self.token_options.expires());
            Box::new(Refreshed(Mutex::new(Current { facts, expires, timer: None })))
        });
        let mut current = refreshed.0.lock();
        let expires = match (expires, current.expires) {
            (Some(new), Some(old)) if !extends => Some(new.min(old)),
            (new, old) => new.or(old),
        };
        if closes_on_expiry == Some(true) && expires.is_none() {
            return Err(RefreshError::NoExpiry);
        }
        if let Some(Identity { claims, .. }) = identity {
            current.facts = Arc::new(current.facts.with_claims(claims));
        }
        let closes = closes_on_expiry.unwrap_or(current.expires.is_some());
        current.expires = expires.filter(|_| closes);
        current.stop_timer();
        current.timer = current.expires.map(|at| close_at(self, at));
        drop(current);
        if self.is_closing() { Err(RefreshError::Ended) } else { Ok(()) }
    }

    /// Ends the connection unless a later refresh has moved the expiry.
    fn expire(self: &Arc<Self>, at: u64) {
        let is_current = self.refreshed.get().is_some_and(|it| it.0.lock().expires == Some(at));
        if is_current {
            self.end(Ending::expired());
        }
    }
}

/// Closes the connection at this time. The timer of [`keep_alive`](super::keep_alive) belongs to the task of the
/// connection, which a refresh cannot wake.
fn close_at(connection: &Arc<Connection>, at: u64) -> AbortHandle {
    let shared = Arc::clone(&connection.shared);
    let (moment, weak) = (shared.clock.instant(at), Arc::downgrade(connection));
    let closing = async move {
        // Later than an `Instant` can be: never.
        let Some(moment) = moment else { return };
        sleep_until(moment).await;
        if let Some(connection) = Weak::upgrade(&weak) {
            connection.expire(at);
        }
    };
    shared.tasks.spawn(shared.closing.clone().run_until_cancelled_owned(closing)).abort_handle()
}
