//! Groups of users.

use std::{fmt, time::Duration};

use crate::{
    names,
    outbound::{Change, Check, SendError},
    proxy::Link,
};

/// The groups of a hub's users. A membership applies to all connections of the user, including later
/// connections.
pub struct UserGroups {
    link: Link,
}

impl fmt::Debug for UserGroups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserGroups({})", self.link.hub)
    }
}

impl UserGroups {
    pub(crate) fn new(link: Link) -> Self {
        Self { link }
    }

    /// Adds a user to a group until the user is removed: its open connections, and each later connection.
    ///
    /// # Errors
    /// When a name is invalid or the service did not accept the change.
    pub async fn add(&self, user_id: &str, group: &str) -> Result<(), SendError> {
        self.join(user_id, group, None).await
    }

    /// Adds the open connections of a user to a group, and for a limited time, rounded up to whole seconds, each
    /// new connection of the user. Connections that are open when the time ends stay in the group.
    ///
    /// # Errors
    /// When a name is invalid or the service did not accept the change.
    pub async fn add_for(
        &self,
        user_id: &str,
        group: &str,
        time_to_live: Duration,
    ) -> Result<(), SendError> {
        self.join(user_id, group, Some(time_to_live)).await
    }

    /// Removes a user and all its connections from a group. Removing a non-member is not an error.
    ///
    /// # Errors
    /// When a name is invalid or the service did not accept the change.
    pub async fn remove(&self, user_id: &str, group: &str) -> Result<(), SendError> {
        let (user, group) = names_of(user_id, group)?;
        self.change(Change::UserLeavesGroup { user, group }).await
    }

    /// Removes a user and all its connections from every group.
    ///
    /// # Errors
    /// When the name is invalid or the service did not accept the change.
    pub async fn remove_from_all(&self, user_id: &str) -> Result<(), SendError> {
        let user = names::checked(user_id, names::check_user)?;
        self.change(Change::UserLeavesAllGroups { user }).await
    }

    /// Whether a user is in a group.
    ///
    /// # Errors
    /// When a name is invalid or the service did not respond.
    pub async fn contains(&self, user_id: &str, group: &str) -> Result<bool, SendError> {
        let (user, group) = names_of(user_id, group)?;
        self.link.outbound.check(&self.link.hub, Check::UserInGroup { user, group }).await
    }

    async fn join(
        &self,
        user_id: &str,
        group: &str,
        ttl: Option<Duration>,
    ) -> Result<(), SendError> {
        let (user, group) = names_of(user_id, group)?;
        self.change(Change::UserJoinsGroup { user, group, ttl }).await
    }

    async fn change(&self, change: Change) -> Result<(), SendError> {
        self.link.outbound.change(&self.link.hub, change).await
    }
}

fn names_of(user_id: &str, group: &str) -> Result<(String, String), SendError> {
    let user = names::checked(user_id, names::check_user)?;
    Ok((user, names::checked(group, names::check_group)?))
}
