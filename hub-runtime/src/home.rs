//! Where hubs live: the endpoints of one connection setting, with their keys.

use std::{fmt, sync::Arc};

use http::Uri;
use hub_core::{Secret, outbound::Outbound};

use crate::{
    app::wire_name,
    auth::ClientTokens,
    builder::WrapOutbound,
    clock::Clock,
    config::{connection::Connection, connection_string::path_of, endpoint::EndpointPlan},
    keys::Keys,
    rest::{Caller, RestOptions, RestOutbound, transport::Transport},
};

/// The services that one connection setting names.
pub(crate) struct Home {
    endpoint: Endpoint,
    pub(crate) keys: Keys,
    pub(crate) outbound: Arc<dyn Outbound>,
    /// Stands before the names of hubs on the wire.
    application: Option<String>,
    pub(crate) is_embedded: bool,
}

/// One service, reachable.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Where clients connect: scheme, authority and path prefix without a closing slash.
    pub(crate) client_base: String,
    pub(crate) tokens: ClientTokens,
}

/// Where a service is, once that is known.
pub(crate) struct Address {
    pub(crate) client_base: String,
    /// What client tokens name as their audience.
    pub(crate) audience: Uri,
    pub(crate) rest_base: String,
    pub(crate) key: Secret,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) is_embedded: bool,
}

impl Address {
    /// The service of a plan with an access key; `None` without.
    pub(crate) fn of(plan: &EndpointPlan, transport: Arc<dyn Transport>) -> Option<Self> {
        let client = plan.client_endpoint.as_ref().unwrap_or(&plan.endpoint);
        let server = plan.server_endpoint.as_ref().unwrap_or(&plan.endpoint);
        Some(Self {
            client_base: base_of(client),
            audience: plan.endpoint.clone(),
            rest_base: base_of(server),
            key: plan.access_key()?.clone(),
            transport,
            is_embedded: false,
        })
    }
}

impl Home {
    pub(crate) fn new(
        connection: &Connection,
        address: Address,
        clock: Clock,
        options: RestOptions,
        wrap: Option<WrapOutbound>,
    ) -> Self {
        let key = address.key.clone();
        let older = connection.previous_access_key.clone();
        let keys = Keys::new(key.clone(), older, connection.claims_key.as_ref());
        let tokens = ClientTokens::new(&address.audience, key.clone(), keys.signing_seal());
        let (transport, base) = (address.transport, address.rest_base);
        let caller = Caller::new(transport, base, key, clock, options);
        let rest: Arc<dyn Outbound> = Arc::new(RestOutbound { caller });
        let outbound = match wrap {
            Some(wrap) => wrap(rest),
            None => rest,
        };
        Self {
            endpoint: Endpoint { client_base: address.client_base, tokens },
            keys,
            outbound,
            application: connection.application.clone(),
            is_embedded: address.is_embedded,
        }
    }

    /// The name of a hub at the service: lower-case, behind that of the application.
    pub(crate) fn wire_name(&self, hub: &str) -> String {
        at_service(self.application.as_deref(), hub)
    }

    /// The endpoint for a new client.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Where clients connect.
    pub(crate) fn client_bases(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.endpoint.client_base.as_str())
    }
}

/// The name of a hub at the service.
pub(crate) fn at_service(application: Option<&str>, hub: &str) -> String {
    match application {
        None => wire_name(hub),
        Some(application) => format!("{application}_{}", wire_name(hub)),
    }
}

/// A base URI as text, without a closing slash.
pub(crate) fn base_of(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("https");
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    format!("{scheme}://{authority}{}", path_of(uri))
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Home").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
