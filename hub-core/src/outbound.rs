//! The one trait through which anything reaches a client.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use crate::payload::Payload;
pub use crate::send_error::{EndpointFailure, InvokeError, SendError, TargetFailure};

/// Delivers to clients: the REST API of a service, or whatever stands in for it.
///
/// `hub` is the lower-case hub name. Every other name has been checked when a method is called.
#[async_trait]
pub trait Outbound: Send + Sync {
    /// Sends a message without waiting for any client.
    ///
    /// # Errors
    /// When the service did not accept it.
    async fn send(&self, hub: &str, target: Target, payload: Payload) -> Result<(), SendError>;

    /// Asks one client for a value and waits for its answer, which is returned as encoded JSON.
    ///
    /// # Errors
    /// Each way to get no answer is its own error.
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
    /// When the service did not accept it.
    async fn change(&self, hub: &str, change: Change) -> Result<(), SendError>;

    /// Answers a yes-or-no question.
    ///
    /// # Errors
    /// When the service did not answer.
    async fn check(&self, hub: &str, check: Check) -> Result<bool, SendError>;

    /// Lists the connections of a group, one page at a time.
    ///
    /// # Errors
    /// When the service did not answer.
    async fn members(
        &self,
        hub: &str,
        group: &str,
        continuation: Option<String>,
    ) -> Result<MemberPage, SendError>;

    /// The same, but through the endpoints of these names alone.
    ///
    /// # Errors
    /// When there is no endpoint of a name.
    fn pinned(self: Arc<Self>, names: &[String]) -> Result<Arc<dyn Outbound>, SendError> {
        let name = names.first().cloned().unwrap_or_default();
        Err(SendError::UnknownEndpoint { name, known: Vec::new() })
    }
}

/// Who a message is for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// Every connection of the hub.
    All,
    /// Every connection but these.
    AllExcept(Vec<String>),
    /// One connection.
    Connection(String),
    /// Several connections; one REST call each.
    Connections(Vec<String>),
    /// A group.
    Group(String),
    /// Several groups; one REST call each, so a member of two gets the message twice.
    Groups(Vec<String>),
    /// A group without these connections.
    GroupExcept(String, Vec<String>),
    /// Every connection of a user.
    User(String),
    /// Every connection of several users; one REST call each.
    Users(Vec<String>),
}

/// A change of memberships or connections.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Adds a connection to a group.
    JoinGroup {
        #[doc = "The connection."]
        connection_id: String,
        #[doc = "The group."]
        group: String,
    },
    /// Removes a connection from a group.
    LeaveGroup {
        #[doc = "The connection."]
        connection_id: String,
        #[doc = "The group."]
        group: String,
    },
    /// Removes a connection from all groups.
    LeaveAllGroups {
        #[doc = "The connection."]
        connection_id: String,
    },
    /// Adds a user to a group.
    UserJoinsGroup {
        /// The user.
        user: String,
        /// The group.
        group: String,
        /// How long the membership lasts, in whole seconds; `None`: until it is removed.
        ttl: Option<Duration>,
    },
    /// Removes a user from a group.
    UserLeavesGroup {
        #[doc = "The user."]
        user: String,
        #[doc = "The group."]
        group: String,
    },
    /// Removes a user from all groups.
    UserLeavesAllGroups {
        #[doc = "The user."]
        user: String,
    },
    /// Closes connections.
    Close {
        /// Whose.
        whom: CloseTarget,
        /// What the clients are told.
        reason: Option<String>,
    },
}

/// Whose connections to close.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseTarget {
    /// One connection.
    Connection(String),
    /// A user's connections, but not the excluded ones.
    User {
        #[doc = "The user."]
        user: String,
        #[doc = "Connections to keep."]
        excluded: Vec<String>,
    },
    /// A group's connections, but not the excluded ones.
    Group {
        #[doc = "The group."]
        group: String,
        #[doc = "Connections to keep."]
        excluded: Vec<String>,
    },
    /// All connections of the hub, but not the excluded ones.
    All {
        #[doc = "Connections to keep."]
        excluded: Vec<String>,
    },
}

/// A yes-or-no question to the service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Check {
    /// Is this connection alive?
    ConnectionExists(String),
    /// Has this user a connection?
    UserExists(String),
    /// Has this group a connection?
    GroupExists(String),
    /// Is the user in the group?
    UserInGroup {
        #[doc = "The user."]
        user: String,
        #[doc = "The group."]
        group: String,
    },
}

/// A page of a group's connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberPage {
    /// The members on this page.
    pub members: Vec<Member>,
    /// Gives the next page; `None` on the last one.
    pub continuation: Option<String>,
}

impl MemberPage {
    /// A page.
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
    /// Its user, if it has one.
    pub user_id: Option<String>,
}

impl Member {
    /// A member.
    #[must_use]
    pub fn new(connection_id: String, user_id: Option<String>) -> Self {
        Self { connection_id, user_id }
    }
}
