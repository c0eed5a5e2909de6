//! Membership of connections.

use std::fmt;

use crate::{
    names,
    outbound::{Change, MemberPage, SendError},
    proxy::Link,
};

/// The groups of a hub. A membership ends with its connection.
pub struct Groups {
    link: Link,
}

impl Groups {
    pub(crate) fn new(link: Link) -> Self {
        Self { link }
    }

    /// Adds a connection to a group. Once this returns, a send to the group reaches it. A connection
    /// that has just ended is no error.
    ///
    /// # Errors
    /// When a name cannot go on the wire or the service did not accept the change.
    pub async fn add(&self, connection_id: &str, group: &str) -> Result<(), SendError> {
        names::check_connection_id(connection_id)?;
        names::check_group(group)?;
        let (connection_id, group) = (connection_id.to_owned(), group.to_owned());
        self.change(Change::JoinGroup { connection_id, group }).await
    }

    /// Removes a connection from a group; not being a member is no error.
    ///
    /// # Errors
    /// When a name cannot go on the wire or the service did not accept the change.
    pub async fn remove(&self, connection_id: &str, group: &str) -> Result<(), SendError> {
        names::check_connection_id(connection_id)?;
        names::check_group(group)?;
        let (connection_id, group) = (connection_id.to_owned(), group.to_owned());
        self.change(Change::LeaveGroup { connection_id, group }).await
    }

    /// Removes a connection from every group.
    ///
    /// # Errors
    /// When the name cannot go on the wire or the service did not accept the change.
    pub async fn remove_from_all(&self, connection_id: &str) -> Result<(), SendError> {
        names::check_connection_id(connection_id)?;
        self.change(Change::LeaveAllGroups { connection_id: connection_id.to_owned() }).await
    }

    /// Lists the connections of a group, one page at a time; an unknown group is empty.
    ///
    /// # Errors
    /// When the name cannot go on the wire or the service did not answer.
    pub async fn members(
        &self,
        group: &str,
        continuation: Option<String>,
    ) -> Result<MemberPage, SendError> {
        names::check_group(group)?;
        self.link.outbound.members(&self.link.hub, group, continuation).await
    }

    async fn change(&self, change: Change) -> Result<(), SendError> {
        self.link.outbound.change(&self.link.hub, change).await
    }
}

impl fmt::Debug for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Groups").field("hub", &self.link.hub).finish()
    }
}
