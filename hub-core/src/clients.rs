//! Selecting the receivers of a message.

use std::{fmt, marker::PhantomData, ops::Deref};

use crate::{
    names::{self, NameError},
    outbound::Target,
    proxy::{Link, Many, One, Proxy},
};

/// The clients of a hub, outside of a call.
pub struct Clients<C: ?Sized> {
    link: Link,
    _client: PhantomData<fn() -> Box<C>>,
}

impl<C: ?Sized> fmt::Debug for Clients<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clients({})", self.link.hub)
    }
}

impl<C: ?Sized> Clients<C> {
    pub(crate) fn new(link: Link) -> Self {
        Self { link, _client: PhantomData }
    }

    /// Every connection.
    pub fn all(&self) -> Proxy<C, Many> {
        self.proxy(Ok(Target::All))
    }

    /// Every connection except these.
    pub fn all_except(
        &self,
        connection_ids: impl IntoIterator<Item: Into<String>>,
    ) -> Proxy<C, Many> {
        self.proxy(
            names::all_checked(connection_ids, names::check_connection_id).map(Target::AllExcept),
        )
    }

    /// One connection. Its client methods can also return a result.
    pub fn client(&self, connection_id: impl Into<String>) -> Proxy<C, One> {
        let id = names::checked(connection_id, names::check_connection_id);
        Proxy::new(self.link.clone(), id.map(Target::Connection))
    }

    /// Several connections. The app sends one request per connection, concurrently.
    pub fn clients(&self, connection_ids: impl IntoIterator<Item: Into<String>>) -> Proxy<C, Many> {
        self.proxy(
            names::all_checked(connection_ids, names::check_connection_id).map(Target::Connections),
        )
    }

    /// The connections of a group and all connections of its users.
    pub fn group(&self, group: impl Into<String>) -> Proxy<C, Many> {
        self.proxy(names::checked(group, names::check_group).map(Target::Group))
    }

    /// Several groups. The app sends one request per group, so a member of two groups receives the message
    /// twice.
    pub fn groups(&self, groups: impl IntoIterator<Item: Into<String>>) -> Proxy<C, Many> {
        self.proxy(names::all_checked(groups, names::check_group).map(Target::Groups))
    }

    /// A group without these connections.
    pub fn group_except(
        &self,
        group: impl Into<String>,
        connection_ids: impl IntoIterator<Item: Into<String>>,
    ) -> Proxy<C, Many> {
        let group = group.into();
        let target = names::check_group(&group)
            .and_then(|()| names::all_checked(connection_ids, names::check_connection_id))
            .map(|excluded| Target::GroupExcept(group, excluded));
        self.proxy(target)
    }

    /// Every connection of a user.
    pub fn user(&self, user_id: impl Into<String>) -> Proxy<C, Many> {
        self.proxy(names::checked(user_id, names::check_user).map(Target::User))
    }

    /// Every connection of several users. The app sends one request per user.
    pub fn users(&self, user_ids: impl IntoIterator<Item: Into<String>>) -> Proxy<C, Many> {
        self.proxy(names::all_checked(user_ids, names::check_user).map(Target::Users))
    }

    fn proxy(&self, target: Result<Target, NameError>) -> Proxy<C, Many> {
        Proxy::new(self.link.clone(), target)
    }
}

/// The clients of a hub, inside of a call: [`Clients`] plus the caller.
pub struct CallerClients<C: ?Sized> {
    clients: Clients<C>,
    caller: String,
}

impl<C: ?Sized> fmt::Debug for CallerClients<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallerClients({})", self.clients.link.hub)
    }
}

impl<C: ?Sized> CallerClients<C> {
    pub(crate) fn new(link: Link, caller: &str) -> Self {
        Self { clients: Clients::new(link), caller: caller.to_owned() }
    }

    /// The connection that made this call.
    pub fn caller(&self) -> Proxy<C, One> {
        self.clients.client(self.caller.as_str())
    }

    /// Every connection except the caller's.
    pub fn others(&self) -> Proxy<C, Many> {
        self.clients.all_except([self.caller.as_str()])
    }

    /// A group without the caller's connection.
    pub fn others_in_group(&self, group: impl Into<String>) -> Proxy<C, Many> {
        self.clients.group_except(group, [self.caller.as_str()])
    }
}

impl<C: ?Sized> Deref for CallerClients<C> {
    type Target = Clients<C>;

    fn deref(&self) -> &Clients<C> {
        &self.clients
    }
}
