//! Several endpoints of the service: selection for clients and operations.

mod fan_out;
mod health;
mod router;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use hub_core::{NegotiateRequest, Negotiation, Secret, SendError};
use tokio_util::task::TaskTracker;

use self::health::Health;
#[doc(inline)]
pub use hub_core::outbound::{Change, Check, CloseTarget};

pub use self::router::{EndpointRouter, Operation, ServiceEndpoint};
pub(crate) use self::{fan_out::FanOut, router::UsualRouter};
pub use crate::config::endpoint::EndpointRole;
use crate::{
    auth::{ClientTokens, SigningKey, TemporaryKey},
    rest::RestOutbound,
};

/// One endpoint with its client.
pub(crate) struct Endpoint {
    pub(crate) name: String,
    pub(crate) role: EndpointRole,
    /// The base URL for clients: scheme, authority and path prefix without a trailing slash.
    pub(crate) client_base: String,
    pub(crate) tokens: ClientTokens,
    pub(crate) rest: Arc<RestOutbound>,
    signer: Signer,
    online: AtomicBool,
}

/// Signs the access tokens of clients.
pub(crate) enum Signer {
    Key(Secret),
    /// A temporary key that the service gives to callers with a Microsoft Entra token.
    Temporary(TemporaryKey),
}

impl Endpoint {
    pub(crate) fn new(
        name: String,
        role: EndpointRole,
        client_base: String,
        tokens: ClientTokens,
        rest: Arc<RestOutbound>,
        signer: Signer,
    ) -> Self {
        Self { name, role, client_base, tokens, rest, signer, online: AtomicBool::new(true) }
    }

    /// An access token for a client of a hub. `hub` is the name of the hub at the service.
    pub(crate) async fn client_token(
        &self,
        hub: &str,
        negotiation: &Negotiation,
        now: u64,
    ) -> Result<String, SendError> {
        let sign = |key: &Secret, id: Option<&str>| {
            let token = self.tokens.sign(hub, negotiation, now, key, id);
            token.map_err(|error| SendError::Token(Box::new(error)))
        };
        let keys = match &self.signer {
            Signer::Key(key) => return sign(key, None),
            Signer::Temporary(keys) => keys,
        };
        match keys.get(|| self.rest.signing_key()).await {
            Ok(SigningKey { key, id }) => sign(&key, Some(&id)),
            // A role that permits sending does not always permit reading keys. In this case the service
            // can generate tokens, but only with a user id.
            Err(SendError::Rejected { status: 403 | 404, .. })
                if has_at_most_a_user_id(negotiation) =>
            {
                let user = negotiation.user_id();
                self.rest.client_token(hub, user, negotiation.token_lifetime()).await
            }
            Err(error) => {
                tracing::error!(
                    endpoint = self.name,
                    "a client token with claims needs a key of the service: assign the role SignalR Service Owner to the app's identity, or add the role SignalR App Server"
                );
                Err(error)
            }
        }
    }

    async fn probe(&self) -> bool {
        self.rest.client.is_healthy(health::TIMEOUT).await
    }

    fn set_online(&self, online: bool) {
        let before = self.online.swap(online, Ordering::Relaxed);
        if before && !online {
            tracing::warn!(endpoint = self.name, "an endpoint of the service is offline");
        } else if online && !before {
            tracing::info!(endpoint = self.name, "an endpoint of the service is online again");
        }
    }
}

/// Whether a negotiation has no claims and no options, only an optional user id.
fn has_at_most_a_user_id(negotiation: &Negotiation) -> bool {
    negotiation.claims().is_empty()
        && !negotiation.closes_on_expiry()
        && !negotiation.has_detailed_errors()
        && !negotiation.is_diagnostic_client()
}

/// All endpoints of one connection, and their router.
pub(crate) struct Endpoints {
    pub(crate) all: Vec<Arc<Endpoint>>,
    router: Arc<dyn EndpointRouter>,
    health: Health,
    /// Operations whose result is no longer needed.
    tasks: TaskTracker,
}

impl Endpoints {
    pub(crate) fn new(
        all: Vec<Arc<Endpoint>>,
        router: Arc<dyn EndpointRouter>,
        tasks: TaskTracker,
    ) -> Self {
        Self { all, router, health: Health::new(), tasks }
    }

    /// The endpoints with their current state.
    pub(crate) fn views(&self) -> Vec<ServiceEndpoint> {
        let views = self.all.iter().enumerate().map(|(index, endpoint)| ServiceEndpoint {
            index,
            name: endpoint.name.clone(),
            role: endpoint.role,
            client_url: endpoint.client_base.clone(),
            online: endpoint.online.load(Ordering::Relaxed),
        });
        views.collect()
    }

    /// The endpoint for a new client. A single endpoint is used without the router.
    pub(crate) async fn for_client(
        &self,
        request: Option<&NegotiateRequest>,
    ) -> Option<&Arc<Endpoint>> {
        let (Some(request), [_, _, ..]) = (request, self.all.as_slice()) else {
            return self.all.first();
        };
        self.health.known(&self.all).await;
        let views = self.views();
        let index = self.router.negotiate(request, &views).await?.index;
        self.all.get(index)
    }

    /// The endpoints for an operation.
    async fn for_operation(&self, hub: &str, operation: Operation<'_>) -> Vec<usize> {
        self.health.watch(&self.all);
        let views = self.views();
        let routed = self.router.route(hub, operation, &views).await;
        let mut routed: Vec<_> = routed.into_iter().map(|endpoint| endpoint.index).collect();
        routed.sort_unstable();
        routed.dedup();
        routed
    }
}
