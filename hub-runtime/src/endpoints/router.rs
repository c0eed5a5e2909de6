//! [`EndpointRouter`]: selects among several endpoints.

use async_trait::async_trait;
use hub_core::{
    NegotiateRequest, Target,
    outbound::{Change, Check},
};

use crate::config::EndpointRole;

/// The current state of one of several endpoints.
#[derive(Clone, Debug)]
pub struct ServiceEndpoint {
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) role: EndpointRole,
    pub(crate) client_url: String,
    pub(crate) online: bool,
}

impl ServiceEndpoint {
    /// The name of the endpoint in the settings.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The role of the endpoint.
    #[must_use]
    pub fn role(&self) -> EndpointRole {
        self.role
    }

    /// The base URL for clients: scheme, host and port.
    #[must_use]
    pub fn client_url(&self) -> &str {
        &self.client_url
    }

    /// Whether the last health probe succeeded. `true` before the first probe.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.online
    }
}

/// An operation of the service that is about to run.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Operation<'a> {
    /// A message.
    Send(&'a Target),
    /// A client result: an invocation of the client of this connection.
    Invoke(&'a str),
    /// A change of group memberships, or a close of connections.
    Change(&'a Change),
    /// An existence check.
    Check(&'a Check),
    /// A list of the connections of this group.
    Members(&'a str),
    /// The refresh of a connection by its client. The endpoint that holds the connection is not known.
    Refresh,
}

/// Selects among several endpoints. Each method has a default.
///
/// ```
/// use hub_runtime::{endpoints::{EndpointRouter, ServiceEndpoint}, HubApp, negotiate::NegotiateRequest};
///
/// /// Sends clients to the endpoint of their region.
/// struct ByRegion;
///
/// #[async_trait::async_trait]
/// impl EndpointRouter for ByRegion {
///     async fn negotiate<'a>(
///         &self,
///         request: &NegotiateRequest,
///         endpoints: &'a [ServiceEndpoint],
///     ) -> Option<&'a ServiceEndpoint> {
///         let region = request.query().get("region")?;
///         endpoints.iter().find(|endpoint| endpoint.is_online() && endpoint.name() == region)
///     }
/// }
///
/// HubApp::builder().endpoint_router(ByRegion);
/// ```
#[async_trait]
pub trait EndpointRouter: Send + Sync + 'static {
    /// Selects the endpoint for a new client. With `None` the client receives status 503. Defaults to a random
    /// online primary endpoint, or else a random online secondary endpoint.
    async fn negotiate<'a>(
        &self,
        request: &NegotiateRequest,
        endpoints: &'a [ServiceEndpoint],
    ) -> Option<&'a ServiceEndpoint> {
        let _ = request;
        let of = |role| {
            let online = endpoints.iter().filter(|endpoint| endpoint.online);
            random(online.filter(|endpoint| endpoint.role == role).collect())
        };
        of(EndpointRole::Primary).or_else(|| of(EndpointRole::Secondary))
    }

    /// Selects the endpoints for an operation of this hub. Without any, the operation fails with
    /// [`SendError::NoEndpoint`](crate::clients::SendError::NoEndpoint). Defaults to all endpoints.
    ///
    /// A selected endpoint that is offline is not called, and the error of the operation names it. If no
    /// selected endpoint is online, all of them are called. To leave an endpoint out without an error, do not
    /// select it.
    async fn route<'a>(
        &self,
        hub: &str,
        operation: Operation<'_>,
        endpoints: &'a [ServiceEndpoint],
    ) -> Vec<&'a ServiceEndpoint> {
        let _ = (hub, operation);
        endpoints.iter().collect()
    }
}

/// The default router.
pub(crate) struct UsualRouter;

impl EndpointRouter for UsualRouter {}

fn random(candidates: Vec<&ServiceEndpoint>) -> Option<&ServiceEndpoint> {
    let count = u32::try_from(candidates.len()).ok().filter(|count| *count > 0)?;
    // Without a random number, use the first endpoint.
    let drawn = getrandom::u32().unwrap_or_default() % count;
    candidates.into_iter().nth(usize::try_from(drawn).ok()?)
}

#[cfg(test)]
mod tests {
    use hub_core::Query;

    use super::*;

    fn endpoint(index: usize, role: EndpointRole, online: bool) -> ServiceEndpoint {
        ServiceEndpoint {
            index,
            name: format!("e{index}"),
            role,
            client_url: String::new(),
            online,
        }
    }

    /// The endpoints that receive a hundred clients.
    async fn drawn(endpoints: &[ServiceEndpoint]) -> Vec<usize> {
        let request = NegotiateRequest::new(http::HeaderMap::new(), Query::default());
        let mut drawn = Vec::new();
        for _ in 0..100 {
            let chosen = UsualRouter.negotiate(&request, endpoints).await;
            drawn.extend(chosen.map(|endpoint| endpoint.index));
        }
        drawn.sort_unstable();
        drawn.dedup();
        drawn
    }

    #[tokio::test]
    async fn clients_are_spread_over_the_online_primaries() {
        use EndpointRole::{Primary, Secondary};
        let three =
            [endpoint(0, Primary, true), endpoint(1, Primary, true), endpoint(2, Secondary, true)];

        // A hundred draws miss one of two endpoints with a probability of 2 to the power of -99.
        assert_eq!(drawn(&three).await, [0, 1]);
    }

    #[tokio::test]
    async fn a_secondary_gets_clients_only_while_no_primary_is_online() {
        use EndpointRole::{Primary, Secondary};
        let primary_down = [endpoint(0, Primary, false), endpoint(1, Secondary, true)];
        let all_down = [endpoint(0, Primary, false), endpoint(1, Secondary, false)];

        assert_eq!(drawn(&primary_down).await, [1]);
        assert!(drawn(&all_down).await.is_empty());
    }
}
