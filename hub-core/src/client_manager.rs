//! Checking, refreshing and closing connections.

use std::fmt;

use crate::{
    Negotiation, names,
    outbound::{Change, Check, CloseTarget, SendError},
    proxy::Link,
};

/// Checks for connections of a hub, replaces their claims, and closes them.
pub struct ClientManager {
    link: Link,
}

impl fmt::Debug for ClientManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientManager({})", self.link.hub)
    }
}

impl ClientManager {
    pub(crate) fn new(link: Link) -> Self {
        Self { link }
    }

    /// Whether a connection exists.
    ///
    /// # Errors
    /// When the name is invalid or the service did not respond.
    pub async fn connection_exists(&self, connection_id: &str) -> Result<bool, SendError> {
        let id = names::checked(connection_id, names::check_connection_id)?;
        self.check(Check::ConnectionExists(id)).await
    }

    /// Whether a user has a connection.
    ///
    /// # Errors
    /// When the name is invalid or the service did not respond.
    pub async fn user_exists(&self, user_id: &str) -> Result<bool, SendError> {
        self.check(Check::UserExists(names::checked(user_id, names::check_user)?)).await
    }

    /// Whether a group has a connection.
    ///
    /// # Errors
    /// When the name is invalid or the service did not respond.
    pub async fn group_exists(&self, group: &str) -> Result<bool, SendError> {
        self.check(Check::GroupExists(names::checked(group, names::check_group)?)).await
    }

    /// Closes a connection and sends the client the reason. A closed connection is not an error.
    ///
    /// # Errors
    /// When the name is invalid or the service did not accept the change.
    pub async fn close(&self, connection_id: &str, reason: Option<&str>) -> Result<(), SendError> {
        let id = names::checked(connection_id, names::check_connection_id)?;
        self.close_all_of(CloseTarget::Connection(id), reason).await
    }

    /// Replaces the claims of an open connection, and the time at which it expires, as if its client had refreshed its
    /// authentication: calls that start later have the new claims, and running calls keep theirs. `on_refreshed` does
    /// not run. The user must be the user of the connection, or absent for an anonymous client. A closed connection is
    /// not an error.
    ///
    /// The connection closes when it did before, unless `close_on_expiry` and a shorter lifetime are set. It never closes
    /// later, because the client keeps its access token. Not every SignalR service has this operation: see the guide page on refresh.
    ///
    /// # Errors
    /// When a name is invalid, the connection has another user, the service has no such operation, or it did not
    /// accept the change.
    pub async fn refresh(
        &self,
        connection_id: &str,
        negotiation: Negotiation,
    ) -> Result<(), SendError> {
        let connection_id = names::checked(connection_id, names::check_connection_id)?;
        if let Some(user) = negotiation.user_id() {
            names::check_upstream_user(user)?;
        }
        let change = Change::Refresh { connection_id, negotiation };
        self.link.outbound.change(&self.link.hub, change).await
    }

    /// Closes every connection of a user, except the excluded ones.
    ///
    /// # Errors
    /// When a name is invalid or the service did not accept the change.
    pub async fn close_user(
        &self,
        user_id: &str,
        reason: Option<&str>,
        excluded: &[&str],
    ) -> Result<(), SendError> {
        names::check_user(user_id)?;
        let excluded = names::all_checked(excluded.iter().copied(), names::check_connection_id)?;
        self.close_all_of(CloseTarget::User { user: user_id.to_owned(), excluded }, reason).await
    }

    /// Closes every connection in a group, except the excluded ones.
    ///
    /// # Errors
    /// When a name is invalid or the service did not accept the change.
    pub async fn close_group(
        &self,
        group: &str,
        reason: Option<&str>,
        excluded: &[&str],
    ) -> Result<(), SendError> {
        names::check_group(group)?;
        let excluded = names::all_checked(excluded.iter().copied(), names::check_connection_id)?;
        self.close_all_of(CloseTarget::Group { group: group.to_owned(), excluded }, reason).await
    }

    /// Closes every connection of the hub, except the excluded ones.
    ///
    /// # Errors
    /// When a name is invalid or the service did not accept the change.
    pub async fn close_all(
        &self,
        reason: Option<&str>,
        excluded: &[&str],
    ) -> Result<(), SendError> {
        let excluded = names::all_checked(excluded.iter().copied(), names::check_connection_id)?;
        self.close_all_of(CloseTarget::All { excluded }, reason).await
    }

    async fn close_all_of(&self, whom: CloseTarget, reason: Option<&str>) -> Result<(), SendError> {
        let change = Change::Close { whom, reason: reason.map(str::to_owned) };
        self.link.outbound.change(&self.link.hub, change).await
    }

    async fn check(&self, check: Check) -> Result<bool, SendError> {
        self.link.outbound.check(&self.link.hub, check).await
    }
}
