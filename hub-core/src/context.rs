//! What a hub method holds in its hands, and what everyone else holds.

use std::{fmt, marker::PhantomData, sync::Arc};

use crate::{
    CallerClients, Cancellation, Claims, ClientManager, Clients, Groups, Hub, Invocation,
    SendError, UserGroups, outbound::Outbound, protocol::Protocol, proxy::Link,
};

/// A hub's handles outside a call: in timers, queues, HTTP handlers. Cheap to clone.
pub struct HubContext<H: Hub> {
    link: Link,
    _hub: PhantomData<fn() -> H>,
}

impl<H: Hub> HubContext<H> {
    /// Handles that deliver through `outbound`; `hub` is the lower-case name on the wire.
    #[doc(hidden)]
    #[must_use]
    pub fn new(outbound: Arc<dyn Outbound>, hub: Arc<str>) -> Self {
        Self { link: Link { outbound, hub }, _hub: PhantomData }
    }

    /// Whom to send to.
    #[must_use]
    pub fn clients(&self) -> Clients<H::Client> {
        Clients::new(self.link.clone())
    }

    /// Membership of connections.
    #[must_use]
    pub fn groups(&self) -> Groups {
        Groups::new(self.link.clone())
    }

    /// Membership of users.
    #[must_use]
    pub fn user_groups(&self) -> UserGroups {
        UserGroups::new(self.link.clone())
    }

    /// Existence and end of connections.
    #[must_use]
    pub fn client_manager(&self) -> ClientManager {
        ClientManager::new(self.link.clone())
    }

    /// The same handles for some endpoints of the service alone, by their names in the settings, instead
    /// of those that the router chooses.
    ///
    /// # Errors
    /// When there is no endpoint of a name.
    pub fn with_endpoints<I>(&self, names: I) -> Result<Self, SendError>
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let outbound = Arc::clone(&self.link.outbound).pinned(&names)?;
        Ok(Self { link: Link { outbound, hub: Arc::clone(&self.link.hub) }, _hub: PhantomData })
    }
}

impl<H: Hub> Clone for HubContext<H> {
    fn clone(&self) -> Self {
        Self { link: self.link.clone(), _hub: PhantomData }
    }
}

impl<H: Hub> fmt::Debug for HubContext<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubContext").field("hub", &self.link.hub).finish()
    }
}

/// One call, for the method that answers it: who called, and the hub's handles.
pub struct Context<H: Hub> {
    hub: HubContext<H>,
    invocation: Arc<Invocation>,
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

    /// The caller's user id, as negotiate decided.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.invocation.user_id()
    }

    /// The caller's claims, as negotiate decided.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        self.invocation.claims()
    }

    /// Fires when the service hangs up before the answer. The method still runs to its end.
    #[must_use]
    pub fn cancellation(&self) -> &Cancellation {
        self.invocation.cancellation()
    }

    /// The caller's protocol.
    #[doc(hidden)]
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.invocation.protocol()
    }

    /// Whom to send to, the caller among them.
    #[must_use]
    pub fn clients(&self) -> CallerClients<H::Client> {
        CallerClients::new(self.hub.link.clone(), self.connection_id())
    }

    /// Membership of connections.
    #[must_use]
    pub fn groups(&self) -> Groups {
        self.hub.groups()
    }

    /// Membership of users.
    #[must_use]
    pub fn user_groups(&self) -> UserGroups {
        self.hub.user_groups()
    }

    /// Existence and end of connections.
    #[must_use]
    pub fn client_manager(&self) -> ClientManager {
        self.hub.client_manager()
    }

    /// The same handles for work that outlives the call.
    #[must_use]
    pub fn hub(&self) -> &HubContext<H> {
        &self.hub
    }
}

impl<H: Hub> fmt::Debug for Context<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("invocation", &self.invocation).finish()
    }
}
