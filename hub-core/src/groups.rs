//! Groups of connections.

use std::fmt;

use crate::{
    names,
    outbound::{Change, Member, SendError},
    proxy::Link,
};

/// The groups of a hub. A membership ends when its connection ends.
pub struct Groups {
    link: Link,
}

impl fmt::Debug for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Groups({})", self.link.hub)
    }
}

impl Groups {
    pub(crate) fn new(link: Link) -> Self {
        Self { link }
    }

    /// Adds a connection to a group. After this method has returned, messages to the group reach the
    /// connection. A closed connection is not an error.
    ///
    /// # Errors
    /// When a name is invalid or the service did not accept the change.
    pub async fn add(&self, connection_id: &str, group: &str) -> Result<(), SendError> {
        let connection_id = names::checked(connection_id, names::check_connection_id)?;
        let group = names::checked(group, names::check_group)?;
        self.change(Change::JoinGroup { connection_id, group }).await
    }

    /// Removes a connection from a group. Removing a non-member is not an error.
    ///
    /// # Errors
    /// When a name is invalid or the service did not accept the change.
    pub async fn remove(&self, connection_id: &str, group: &str) -> Result<(), SendError> {
        let connection_id = names::checked(connection_id, names::check_connection_id)?;
        let group = names::checked(group, names::check_group)?;
        self.change(Change::LeaveGroup { connection_id, group }).await
    }

    /// Removes a connection from every group.
    ///
    /// # Errors
    /// When the name is invalid or the service did not accept the change.
    pub async fn remove_from_all(&self, connection_id: &str) -> Result<(), SendError> {
        let connection_id = names::checked(connection_id, names::check_connection_id)?;
        self.change(Change::LeaveAllGroups { connection_id }).await
    }

    /// Lists the connections of a group, page by page. An unknown group is empty.
    ///
    /// ```
    /// # use hub_core::{HubContext, SendError};
    /// # async fn example<H: hub_core::Hub>(hub: HubContext<H>) -> Result<(), SendError> {
    /// let mut pages = hub.groups().members("lobby");
    /// while let Some(members) = pages.next_page().await? {
    ///     for member in members {
    ///         println!("{}", member.connection_id);
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn members(&self, group: &str) -> MemberPages {
        let (link, group) = (self.link.clone(), group.to_owned());
        MemberPages { link, group, position: Position::At(None) }
    }

    async fn change(&self, change: Change) -> Result<(), SendError> {
        self.link.outbound.change(&self.link.hub, change).await
    }
}

/// The connections of a group, page by page. Returned by [`Groups::members`].
#[must_use = "nothing is requested until `next_page` is awaited"]
pub struct MemberPages {
    link: Link,
    group: String,
    position: Position,
}

impl fmt::Debug for MemberPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberPages({}, {:?})", self.group, self.position)
    }
}

#[derive(Debug)]
enum Position {
    /// The next page has this continuation token. `None` stands for the first page.
    At(Option<String>),
    End,
}

impl MemberPages {
    /// Starts at the page of a token that [`continuation`](Self::continuation) returned, for instance in
    /// an earlier HTTP request.
    pub fn continue_from(mut self, continuation: impl Into<String>) -> Self {
        self.position = Position::At(Some(continuation.into()));
        self
    }

    /// Requests the next page. Returns `None` after the last page. Azure SignalR Service returns up to 200
    /// connections per page. A page may be empty. After an error, the next call requests the same page again.
    ///
    /// # Errors
    /// When the name of the group is invalid, or the call to the service failed.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Member>>, SendError> {
        let Position::At(continuation) = &self.position else { return Ok(None) };
        names::check_group(&self.group)?;
        let outbound = &self.link.outbound;
        let page = outbound.members(&self.link.hub, &self.group, continuation.clone()).await?;
        self.position = match page.continuation {
            Some(next) => Position::At(Some(next)),
            None => Position::End,
        };
        Ok(Some(page.members))
    }

    /// The continuation token of the next page. `None` before the first page and after the last page.
    #[must_use]
    pub fn continuation(&self) -> Option<&str> {
        match &self.position {
            Position::At(continuation) => continuation.as_deref(),
            Position::End => None,
        }
    }
}
