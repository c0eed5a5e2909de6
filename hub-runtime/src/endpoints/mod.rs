//! Several endpoints of the service: which of them gets a client or an operation.

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

/// One endpoint, reachable.
pub(crate) struct Endpoint {
    pub(crate) name: String,
    pub(crate) role: EndpointRole,
    /// Where clients connect: scheme, authority and path prefix without a closing slash.
    pub(crate) client_base: String,
    pub(crate) tokens: ClientTokens,
    pub(crate) rest: Arc<RestOutbound>,
    signer: Signer,
    online: AtomicBool,
}

/// What signs tokens of clients.
pub(crate) enum Signer {
    Key(Secret),
    /// A key that the service gives to whom it knows by Microsoft Entra.
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

    /// A token with which a client connects to `hub`, its name at the service.
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
            // Roles that may send need not be ones that may have keys. The service itself makes tokens,
            // but such that say no more than a user id.
            Err(SendError::Rejected { status: 403 | 404, .. }) if says_no_more(negotiation) => {
                let user = negotiation.user_id();
                self.rest.client_token(hub, user, negotiation.token_lifetime()).await
            }
            Err(error) => {
                tracing::error!(
                    endpoint = self.name,
                    "without a key of the service there are no tokens with claims: give the app's identity the role SignalR Service Owner, or SignalR App Server beside its own"
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

/// Whether a negotiation names a user and nothing else.
fn says_no_more(negotiation: &Negotiation) -> bool {
    negotiation.claims().is_empty()
        && !negotiation.closes_on_expiry()
        && !negotiation.has_detailed_errors()
        && !negotiation.is_diagnostic_client()
}

/// All endpoints of one connection, and who decides among them.
pub(crate) struct Endpoints {
    pub(crate) all: Vec<Arc<Endpoint>>,
    router: Arc<dyn EndpointRouter>,
    health: Health,
    /// What is still under way when its result does not matter any more.
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

    /// The endpoints as they are now.
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

    /// The endpoint for a new client. A single one is used unconditionally.
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
