//! Several endpoints of the service: selection for clients and operations.

mod fan_out;
mod health;
mod refresh;
mod router;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use hub_core::{NegotiateRequest, Negotiation, Secret, SendError, token::TokenError};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use self::health::Health;
#[doc(inline)]
pub use hub_core::outbound::{Change, Check, CloseTarget};

pub use self::router::{EndpointRouter, Operation, ServiceEndpoint};
pub(crate) use self::{fan_out::FanOut, refresh::RefreshFailure, router::UsualRouter};
pub use crate::config::endpoint::EndpointRole;
use crate::{
    auth::{
        CLIENT_TOKEN_TIMEOUT, ClientTokens, SigningKey, TemporaryKey, is_refusal, renewal::Cause,
    },
    rest::RestOutbound,
};

/// One endpoint with its client.
pub(crate) struct Endpoint {
    pub(crate) name: String,
    pub(crate) role: EndpointRole,
    /// The base URL for clients: scheme, authority and path prefix without a trailing slash.
    pub(crate) client_base: String,
    pub(crate) tokens: Arc<ClientTokens>,
    pub(crate) rest: Arc<RestOutbound>,
    signer: Signer,
    /// Whether the app accepts clients whose tokens have no seal, so that the service may make their tokens.
    accepts_unsealed: bool,
    online: AtomicBool,
}

/// Why a client gets no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientTokenError {
    #[error("a client token could not be signed")]
    Sign(#[source] TokenError),
    #[error(
        "the service gives this app no key for client tokens ({0}): assign the role SignalR Service Owner to the app's identity, or add the role SignalR App Server; a new role needs some minutes. With `SignalR::accept_unsealed_tokens()`, the role SignalR REST API Owner is enough for tokens with no more than a user id"
    )]
    Role(Cause),
    /// Neither a sign-in nor a key. The failure is already in the log.
    #[error(transparent)]
    NoKey(Cause),
    #[error("the service made no client token")]
    Service(#[source] SendError),
    #[error("there was no client token within {CLIENT_TOKEN_TIMEOUT:?}")]
    TimedOut,
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
        tokens: Arc<ClientTokens>,
        rest: Arc<RestOutbound>,
        signer: Signer,
        accepts_unsealed: bool,
    ) -> Self {
        let online = AtomicBool::new(true);
        Self { name, role, client_base, tokens, rest, signer, accepts_unsealed, online }
    }

    /// An access token for a client of `hub`, the name at the service. Without an access key, the wait for
    /// the key of the service ends at `deadline`.
    pub(crate) async fn client_token(
        &self,
        hub: &str,
        negotiation: &Negotiation,
        now: u64,
        deadline: Instant,
    ) -> Result<String, ClientTokenError> {
        let sign = |key: &Secret, id: Option<&str>| {
            let token = self.tokens.sign(hub, negotiation, now, key, id);
            token.map_err(ClientTokenError::Sign)
        };
        let keys = match &self.signer {
            Signer::Key(key) => return sign(key, None),
            Signer::Temporary(keys) => keys,
        };
        let rest = Arc::clone(&self.rest);
        let asking = async {
            match keys.get(move || async move { rest.signing_key().await }).await {
                Ok(SigningKey { key, id }) => sign(&key, Some(&id)),
                // A role that permits sending does not always permit reading keys. In this case the service
                // can generate tokens, but only with a user id, and without a seal.
                Err(cause) if is_refusal(&cause) => {
                    if !self.accepts_unsealed || !has_at_most_a_user_id(negotiation) {
                        return Err(ClientTokenError::Role(cause));
                    }
                    let (user, lifetime) = (negotiation.user_id(), negotiation.token_lifetime());
                    let made = self.rest.client_token(hub, user, lifetime).await;
                    made.map_err(ClientTokenError::Service)
                }
                Err(cause) => Err(ClientTokenError::NoKey(cause)),
            }
        };
        timeout_at(deadline, asking).await.unwrap_or(Err(ClientTokenError::TimedOut))
    }

    fn is_online(&self) -> bool {
        self.online.load(Ordering::Relaxed)
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
            online: endpoint.is_online(),
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
