//! The interface between the handles of a hub and the service: [`Outbound`] and the data of its calls.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

pub use crate::send_error::{
    EndpointFailure, InvokeError, SendError, SendErrorKind, TargetFailure,
};
use crate::{negotiate::Negotiation, payload::Payload};

/// Delivers messages to clients. The implementations are the client of the REST API and test doubles. Not
/// public API: it changes without notice.
///
/// `hub` is the lower-case hub name. All other names are checked before a method is called.
#[doc(hidden)]
#[async_trait]
pub trait Outbound: Send + Sync {
    /// Sends a message without waiting for any client.
    ///
    /// # Errors
    /// When the service did not accept the message.
    async fn send(&self, hub: &str, target: Target, payload: Payload) -> Result<(), SendError>;

    /// Invokes a method of one client, waits for the completion, and returns its result as encoded JSON.
    ///
    /// # Errors
    /// When there is no result. Each cause has its own variant.
    async fn invoke(
        &self,
        hub: &str,
        connection_id: &str,
        payload: Payload,
        timeout: Option<Duration>,
    ) -> Result<Bytes, InvokeError>;

    /// Changes memberships or closes connections.
    ///
    /// # Errors
    /// When the service did not accept the change.
    async fn change(&self, hub: &str, change: Change) -> Result<(), SendError>;

    /// Checks whether a connection, a user, a group or a membership exists.
    ///
    /// # Errors
    /// When the service did not respond.
    async fn check(&self, hub: &str, check: Check) -> Result<bool, SendError>;

    /// Lists the connections of a group, one page at a time.
    ///
    /// # Errors
    /// When the service did not respond.
    async fn members(
        &self,
        hub: &str,
        group: &str,
        continuation: Option<String>,
    ) -> Result<MemberPage, SendError>;

    /// Limits the operations to the endpoints with these names.
    ///
    /// # Errors
    /// When no endpoint has one of the names. There is at least one name.
    fn pinned(self: Arc<Self>, names: &[String]) -> Result<Arc<dyn Outbound>, SendError> {
        let name = names.first().cloned().unwrap_or_default();
        Err(SendError::UnknownEndpoint { name, known: Vec::new() })
    }
}

/// The receivers of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Every connection of the hub.
    All,
    /// Every connection except these.
    AllExcept(Vec<String>),
    /// One connection.
    Connection(String),
    /// Several connections, with one REST call per connection.
    Connections(Vec<String>),
    /// A group.
    Group(String),
    /// Several groups, with one REST call per group. A member of two groups receives the message twice.
    Groups(Vec<String>),
    /// A group without these connections.
    GroupExcept(String, Vec<String>),
    /// Every connection of a user.
    User(String),
    /// Every connection of several users, with one REST call per user.
    Users(Vec<String>),
}

/// The receivers of one message to the service.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Recipients<'a> {
    /// Every connection except the excluded ones.
    All {
        /// Connections without the message.
        excluded: &'a [String],
    },
    /// One connection.
    Connection(&'a str),
    /// A group except the excluded connections.
    Group {
        /// The group.
        group: &'a str,
        /// Connections without the message.
        excluded: &'a [String],
    },
    /// Every connection of a user.
    User(&'a str),
}

/// A change of memberships or connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Adds a connection to a group.
    JoinGroup {
        /// The connection.
        connection_id: String,
        /// The group.
        group: String,
    },
    /// Removes a connection from a group.
    LeaveGroup {
        /// The connection.
        connection_id: String,
        /// The group.
        group: String,
    },
    /// Removes a connection from all groups.
    LeaveAllGroups {
        /// The connection.
        connection_id: String,
    },
    /// Adds a user to a group.
    UserJoinsGroup {
        /// The user.
        user: String,
        /// The group.
        group: String,
        /// Lifetime of the membership, rounded up to whole seconds. `None` if the membership does not expire.
        ttl: Option<Duration>,
    },
    /// Removes a user from a group.
    UserLeavesGroup {
        /// The user.
        user: String,
        /// The group.
        group: String,
    },
    /// Removes a user from all groups.
    UserLeavesAllGroups {
        /// The user.
        user: String,
    },
    /// Closes connections.
    Close {
        /// The connections.
        whom: CloseTarget,
        /// The error of the close message to the clients.
        reason: Option<String>,
    },
    /// Replaces the claims and the expiry of a connection.
    Refresh {
        /// The connection.
        connection_id: String,
        /// The claims and the lifetime. The user must be the user of the connection.
        negotiation: Negotiation,
    },
}

/// The connections to close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseTarget {
    /// One connection.
    Connection(String),
    /// The connections of a user except the excluded ones.
    User {
        /// The user.
        user: String,
        /// Connections to keep.
        excluded: Vec<String>,
    },
    /// The connections of a group except the excluded ones.
    Group {
        /// The group.
        group: String,
        /// Connections to keep.
        excluded: Vec<String>,
    },
    /// All connections of the hub except the excluded ones.
    All {
        /// Connections to keep.
        excluded: Vec<String>,
    },
}

/// An existence check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// Whether this connection exists.
    ConnectionExists(String),
    /// Whether this user has a connection.
    UserExists(String),
    /// Whether this group has a connection.
    GroupExists(String),
    /// Whether the user is in the group.
    UserInGroup {
        /// The user.
        user: String,
        /// The group.
        group: String,
    },
}

/// A page of a group's connections.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberPage {
    /// The members on this page.
    pub members: Vec<Member>,
    /// The continuation token of the next page. `None` on the last page.
    pub continuation: Option<String>,
}

impl MemberPage {
    /// Creates a page.
    #[must_use]
    pub fn new(members: Vec<Member>, continuation: Option<String>) -> Self {
        Self { members, continuation }
    }
}

/// One connection of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// The connection.
    pub connection_id: String,
    /// The user of the connection, if it has one.
    pub user_id: Option<String>,
}

impl Member {
    /// Creates a member.
    #[must_use]
    pub fn new(connection_id: String, user_id: Option<String>) -> Self {
        Self { connection_id, user_id }
    }
}
