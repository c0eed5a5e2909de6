//! Service groups: the endpoints of one connection setting, with their keys. Each hub belongs to one group.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicBool},
};

use http::Uri;
use hub_core::{Secret, outbound::Outbound, seal::SealKey};
use hub_net::clock::Clock;
use tokio_util::task::TaskTracker;

use crate::{
    auth::{ClientTokens, SignIn, TemporaryKey, upstream_token::UpstreamTokenCheck},
    config::{
        EndpointRole, connection::Connection, connection_string::path_of, endpoint::EndpointPlan,
    },
    endpoints::{Endpoint, EndpointRouter, Endpoints, FanOut, Signer},
    keys::Keys,
    rest::{RestClient, RestOptions, RestOutbound, transport::Transport},
    wire_name::at_service,
};

/// Wraps the [`Outbound`] of an app. The test harness uses a wrapper to record messages.
pub(crate) type WrapOutbound = Box<dyn FnOnce(Arc<dyn Outbound>) -> Arc<dyn Outbound>>;

/// The services of one connection setting.
pub(crate) struct ServiceGroup {
    pub(crate) endpoints: Arc<Endpoints>,
    pub(crate) keys: Keys,
    pub(crate) outbound: Arc<dyn Outbound>,
    /// The prefix of hub names on the wire.
    application: Option<String>,
    pub(crate) is_embedded: bool,
    /// Whether an endpoint has no access key. The upstream calls of such an endpoint are not signed.
    pub(crate) without_key: bool,
    /// Checks the tokens of upstream calls.
    pub(crate) upstream_tokens: Option<UpstreamTokenCheck>,
}

impl fmt::Debug for ServiceGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceGroup({:?})", self.client_bases().collect::<Vec<_>>())
    }
}

/// The address of a service and the credential for it.
pub(crate) struct ServiceAddress {
    pub(crate) name: String,
    pub(crate) role: EndpointRole,
    pub(crate) client_base: String,
    /// The audience of client tokens.
    pub(crate) audience: Uri,
    pub(crate) rest_base: String,
    pub(crate) sign_in: SignIn,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) is_embedded: bool,
}

/// The state that all service groups of an app share.
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) rest: RestOptions,
    pub(crate) router: Arc<dyn EndpointRouter>,
    pub(crate) tasks: TaskTracker,
    /// Whether callers without a seal are accepted.
    pub(crate) accept_unsealed: bool,
}

impl ServiceAddress {
    /// The service of a plan.
    pub(crate) fn of(plan: &EndpointPlan, sign_in: SignIn, transport: Arc<dyn Transport>) -> Self {
        let client = plan.client_endpoint.as_ref().unwrap_or(&plan.endpoint);
        let server = plan.server_endpoint.as_ref().unwrap_or(&plan.endpoint);
        Self {
            name: plan.name.clone(),
            role: plan.role,
            client_base: base_of(client),
            audience: plan.endpoint.clone(),
            rest_base: base_of(server),
            sign_in,
            transport,
            is_embedded: false,
        }
    }

    fn key(&self) -> Option<&Secret> {
        match &self.sign_in {
            SignIn::Key(key) => Some(key),
            SignIn::Entra(_) => None,
        }
    }
}

impl ServiceGroup {
    pub(crate) fn new(
        connection: &Connection,
        addresses: Vec<ServiceAddress>,
        shared: &Shared,
        upstream_tokens: Option<UpstreamTokenCheck>,
        wrap: Option<WrapOutbound>,
    ) -> Self {
        let claims_key = connection.claims_key.as_ref();
        let without_key = addresses.iter().any(|address| address.key().is_none());
        let is_embedded = addresses.iter().all(|address| address.is_embedded);
        let known = addresses.iter().filter_map(ServiceAddress::key);
        let known = known.chain(&connection.previous_access_key).cloned().collect();
        let keys = Keys::new(known, claims_key);
        let count = addresses.len();
        let endpoints: Vec<_> = addresses
            .into_iter()
            .map(|address| Arc::new(endpoint(address, claims_key, count, shared)))
            .collect();
        let single = match endpoints.as_slice() {
            [only] => Some(Arc::clone(&only.rest)),
            _ => None,
        };
        let (router, tasks) = (Arc::clone(&shared.router), shared.tasks.clone());
        let endpoints = Arc::new(Endpoints::new(endpoints, router, tasks));
        let outbound: Arc<dyn Outbound> = match single {
            Some(rest) => rest,
            None => Arc::new(FanOut::new(Arc::clone(&endpoints))),
        };
        let outbound = match wrap {
            Some(wrap) => wrap(outbound),
            None => outbound,
        };
        let application = connection.application.clone();
        Self { endpoints, keys, outbound, application, is_embedded, without_key, upstream_tokens }
    }

    /// The name of a hub at the service: lower-case, with the application prefix.
    pub(crate) fn wire_name(&self, hub: &str) -> String {
        at_service(self.application.as_deref(), hub)
    }

    /// The base URLs for clients.
    pub(crate) fn client_bases(&self) -> impl Iterator<Item = &str> {
        self.endpoints.all.iter().map(|endpoint| endpoint.client_base.as_str())
    }
}

fn endpoint(
    address: ServiceAddress,
    claims_key: Option<&Secret>,
    count: usize,
    shared: &Shared,
) -> Endpoint {
    let key = address.key().cloned();
    let seal_key = claims_key.or(key.as_ref()).map(SealKey::derive);
    let tokens = Arc::new(ClientTokens::new(&address.audience, seal_key, count));
    let (transport, rest_base) = (address.transport, address.rest_base);
    let client =
        RestClient::new(transport, rest_base, address.sign_in, shared.clock, shared.rest.clone());
    let rest = Arc::new(RestOutbound {
        name: address.name.clone(),
        client,
        tokens: Arc::clone(&tokens),
        is_json_only: AtomicBool::default(),
    });
    let signer = match key {
        Some(key) => Signer::Key(key),
        None => Signer::Temporary(TemporaryKey::new(shared.clock)),
    };
    let (name, role, base) = (address.name, address.role, address.client_base);
    Endpoint::new(name, role, base, tokens, rest, signer, shared.accept_unsealed)
}

/// A base URI as text, without a closing slash.
pub(crate) fn base_of(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("https");
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    format!("{scheme}://{authority}{}", path_of(uri))
}
