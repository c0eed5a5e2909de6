//! Which of several endpoints gets what.

use async_trait::async_trait;
use hub_core::{
    NegotiateRequest, Target,
    outbound::{Change, Check},
};

use crate::config::EndpointRole;

/// One of several endpoints of the service, as it is now.
#[derive(Clone, Debug)]
pub struct ServiceEndpoint {
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) role: EndpointRole,
    pub(crate) client_url: String,
    pub(crate) online: bool,
}

impl ServiceEndpoint {
    /// Its name in the settings.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it takes new clients as a matter of course.
    #[must_use]
    pub fn role(&self) -> EndpointRole {
        self.role
    }

    /// Where clients connect: scheme, host and port.
    #[must_use]
    pub fn client_url(&self) -> &str {
        &self.client_url
    }

    /// Whether its last health probe was answered. Every endpoint counts as online before its first.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.online
    }
}

/// What is about to be asked of the service.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Operation<'a> {
    /// A message.
    Send(&'a Target),
    /// A question to the client of this connection.
    Invoke(&'a str),
    /// A change of memberships, or the end of connections.
    Change(&'a Change),
    /// A question to the service.
    Check(&'a Check),
    /// The list of this group's connections.
    Members(&'a str),
}

impl Operation<'_> {
    /// What it is, without whom or what it is about: that is no business of a log.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Send(_) => "send",
            Self::Invoke(_) => "invoke",
            Self::Change(_) => "change",
            Self::Check(_) => "check",
            Self::Members(_) => "members",
        }
    }
}

/// Decides which of several endpoints gets what. Each method has the usual answer.
///
/// ```
/// use hub_runtime::{endpoints::{EndpointRouter, ServiceEndpoint}, HubApp, negotiate::NegotiateRequest};
///
/// /// Clients go to the endpoint of their region, else to none.
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
    /// The endpoint for a new client; without one the client is answered 503. Usually a random online
    /// primary endpoint, else a random online secondary one.
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

    /// The endpoints for an operation of this hub; with none of them nothing happens, which is logged.
    /// Usually every one that is online, and every one at all when none is, so that the failure shows.
    async fn route<'a>(
        &self,
        hub: &str,
        operation: Operation<'_>,
        endpoints: &'a [ServiceEndpoint],
    ) -> Vec<&'a ServiceEndpoint> {
        let _ = (hub, operation);
        let online: Vec<_> = endpoints.iter().filter(|endpoint| endpoint.online).collect();
        if online.is_empty() { endpoints.iter().collect() } else { online }
    }
}

/// The router of an app that has none of its own.
pub(crate) struct UsualRouter;

impl EndpointRouter for UsualRouter {}

fn random(candidates: Vec<&ServiceEndpoint>) -> Option<&ServiceEndpoint> {
    let count = u32::try_from(candidates.len()).ok().filter(|count| *count > 0)?;
    // Without randomness the first one does.
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

    /// Every endpoint that a hundred clients are sent to.
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

        // All of a hundred draws missing one of two has a chance of 2 to the power of -99.
        assert_eq!(drawn(&three).await, [0, 1]);
    }

    #[tokio::test]
    async fn a_secondary_takes_clients_only_while_no_primary_is_online() {
        use EndpointRole::{Primary, Secondary};
        let primary_down = [endpoint(0, Primary, false), endpoint(1, Secondary, true)];
        let all_down = [endpoint(0, Primary, false), endpoint(1, Secondary, false)];

        assert_eq!(drawn(&primary_down).await, [1]);
        assert!(drawn(&all_down).await.is_empty());
    }

    #[tokio::test]
    async fn operations_go_to_all_that_are_online_else_to_all() {
        use EndpointRole::Primary;
        let routed = async |endpoints: &[ServiceEndpoint]| {
            let to = UsualRouter.route("chat", Operation::Send(&Target::All), endpoints).await;
            to.into_iter().map(|endpoint| endpoint.index).collect::<Vec<_>>()
        };

        assert_eq!(routed(&[endpoint(0, Primary, false), endpoint(1, Primary, true)]).await, [1]);
        assert_eq!(
            routed(&[endpoint(0, Primary, false), endpoint(1, Primary, false)]).await,
            [0, 1]
        );
    }
}
