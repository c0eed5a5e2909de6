//! The context of a call, and the handles of a hub outside of calls.

use std::{fmt, marker::PhantomData, sync::Arc};

use crate::{
    CallerClients, Cancellation, Claims, ClientManager, Clients, Groups, Hub, Invocation,
    SendError, UserGroups, outbound::Outbound, proxy::Link,
};

/// The handles of a hub outside of a call, for timers, queues and HTTP handlers. Cheap to clone.
pub struct HubContext<H: Hub> {
    link: Link,
    _hub: PhantomData<fn() -> H>,
}

impl<H: Hub> fmt::Debug for HubContext<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HubContext({})", self.link.hub)
    }
}

impl<H: Hub> HubContext<H> {
    /// Creates handles that deliver through `outbound`. `hub` is the lower-case name on the wire.
    #[doc(hidden)]
    #[must_use]
    pub fn new(outbound: Arc<dyn Outbound>, hub: Arc<str>) -> Self {
        Self { link: Link { outbound, hub }, _hub: PhantomData }
    }

    /// The receivers of messages.
    #[must_use]
    pub fn clients(&self) -> Clients<H::Client> {
        Clients::new(self.link.clone())
    }

    /// The groups of connections.
    #[must_use]
    pub fn groups(&self) -> Groups {
        Groups::new(self.link.clone())
    }

    /// The groups of users.
    #[must_use]
    pub fn user_groups(&self) -> UserGroups {
        UserGroups::new(self.link.clone())
    }

    /// Checks and closes connections.
    #[must_use]
    pub fn client_manager(&self) -> ClientManager {
        ClientManager::new(self.link.clone())
    }

    /// The same handles, limited to the service endpoints with these names in the settings. The endpoint
    /// router is not used.
    ///
    /// # Errors
    /// When no endpoint has one of the names, or there are no names.
    pub fn with_endpoints(
        &self,
        names: impl IntoIterator<Item: Into<String>>,
    ) -> Result<Self, SendError> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.is_empty() {
            return Err(SendError::NoEndpoint);
        }
        let outbound = Arc::clone(&self.link.outbound).pinned(&names)?;
        Ok(Self { link: Link { outbound, hub: Arc::clone(&self.link.hub) }, _hub: PhantomData })
    }
}

impl<H: Hub> Clone for HubContext<H> {
    fn clone(&self) -> Self {
        Self { link: self.link.clone(), _hub: PhantomData }
    }
}

/// The context of one call: the caller and the handles of the hub.
pub struct Context<H: Hub> {
    hub: HubContext<H>,
    invocation: Arc<Invocation>,
}

impl<H: Hub> fmt::Debug for Context<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context({:?})", self.invocation)
    }
}

impl<H: Hub> Context<H> {
    #[doc(hidden)]
    #[must_use]
    pub fn new(hub: HubContext<H>, invocation: Arc<Invocation>) -> Self {
        Self { hub, invocation }
    }

    /// The untyped call: headers, query, raw arguments.
    #[must_use]
    pub fn invocation(&self) -> &Invocation {
        &self.invocation
    }

    /// The public id of the caller's connection.
    #[must_use]
    pub fn connection_id(&self) -> &str {
        self.invocation.connection_id()
    }

    /// The caller's user id, set by `negotiate`.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.invocation.user_id()
    }

    /// The caller's claims, set by `negotiate`.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        self.invocation.claims()
    }

    /// Cancelled when the service closes the connection of the upstream call before the response. The method
    /// is not aborted.
    #[must_use]
    pub fn cancellation(&self) -> &Cancellation {
        self.invocation.cancellation()
    }

    /// The receivers of messages, including the caller.
    #[must_use]
    pub fn clients(&self) -> CallerClients<H::Client> {
        CallerClients::new(self.hub.link.clone(), self.connection_id())
    }

    /// The groups of connections.
    #[must_use]
    pub fn groups(&self) -> Groups {
        self.hub.groups()
    }

    /// The groups of users.
    #[must_use]
    pub fn user_groups(&self) -> UserGroups {
        self.hub.user_groups()
    }

    /// Checks and closes connections.
    #[must_use]
    pub fn client_manager(&self) -> ClientManager {
        self.hub.client_manager()
    }

    /// The handles for work that outlives the call.
    #[must_use]
    pub fn hub(&self) -> &HubContext<H> {
        &self.hub
    }
}
