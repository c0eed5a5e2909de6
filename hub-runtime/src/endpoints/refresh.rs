//! The refresh of a connection at the endpoint that holds it.

use futures_util::{StreamExt, stream::FuturesUnordered};
use hub_core::{Negotiation, SendError, client_access::MAX_TOKEN_CHARS};
use tokio::time::Instant;

use super::{ClientTokenError, Endpoint, Endpoints, Operation};
use crate::{auth::CLIENT_TOKEN_TIMEOUT, rest::RefreshAnswer};

/// A client whose connection has its new claims.
pub(crate) struct RefreshedClient {
    /// The new token.
    pub(crate) access_token: String,
    /// `None` if the service does not name the connection.
    pub(crate) connection_id: Option<String>,
}

/// Why a connection was not refreshed. Ordered by what the client has to know if endpoints differ: an endpoint that
/// failed may hold the connection.
#[derive(Debug)]
pub(crate) enum RefreshFailure {
    NoConnection,
    /// The endpoint with this name cannot refresh connections.
    Unsupported(String),
    /// The endpoint with this name failed.
    Service(String, SendError),
    Token(ClientTokenError),
    /// The token is too long for the service.
    TooLong(usize),
    /// The connection belongs to another user.
    OtherUser,
}

impl RefreshFailure {
    fn rank(&self) -> u8 {
        match self {
            Self::NoConnection => 0,
            Self::Unsupported(_) => 1,
            Self::Service(..) => 2,
            Self::Token(_) => 3,
            Self::TooLong(_) => 4,
            Self::OtherUser => 5,
        }
    }
}

impl Endpoints {
    /// Refreshes the connection with this connection token at the endpoint that holds it. `hub` is the name at the
    /// service.
    pub(crate) async fn refresh(
        &self,
        hub: &str,
        connection_token: &str,
        negotiation: &Negotiation,
        now: u64,
    ) -> Result<RefreshedClient, RefreshFailure> {
        let selected: Vec<_> = match self.all.as_slice() {
            [only] => vec![only],
            _ => {
                let routed = self.for_operation(hub, Operation::Refresh).await;
                routed.into_iter().filter_map(|index| self.all.get(index)).collect()
            }
        };
        let (online, offline): (Vec<_>, Vec<_>) =
            selected.into_iter().partition(|endpoint| endpoint.is_online());
        let mut failure = match (online.first(), offline.first()) {
            (None, None) => RefreshFailure::Service(String::new(), SendError::NoEndpoint),
            // It may hold the connection.
            (Some(_), Some(left_out)) => {
                RefreshFailure::Service(left_out.name.clone(), SendError::Offline)
            }
            (Some(_), None) | (None, Some(_)) => RefreshFailure::NoConnection,
        };
        // A probe may be outdated, so all are asked if none is online.
        let asked = if online.is_empty() { offline } else { online };
        let asking =
            asked.into_iter().map(|it| it.refresh(hub, connection_token, negotiation, now));
        let mut asking: FuturesUnordered<_> = asking.collect();
        while let Some(answer) = asking.next().await {
            match answer {
                Ok(refreshed) => return Ok(refreshed),
                Err(error) if error.rank() > failure.rank() => failure = error,
                Err(_) => {}
            }
        }
        Err(failure)
    }
}

impl Endpoint {
    /// The token is made first, so that a failure changes nothing.
    async fn refresh(
        &self,
        hub: &str,
        connection_token: &str,
        negotiation: &Negotiation,
        now: u64,
    ) -> Result<RefreshedClient, RefreshFailure> {
        let deadline = Instant::now() + CLIENT_TOKEN_TIMEOUT;
        let access_token = self
            .client_token(hub, negotiation, now, deadline)
            .await
            .map_err(RefreshFailure::Token)?;
        if access_token.len() > MAX_TOKEN_CHARS {
            return Err(RefreshFailure::TooLong(access_token.len()));
        }
        let answer = self.rest.refresh(hub, connection_token, negotiation).await;
        match answer.map_err(|error| RefreshFailure::Service(self.name.clone(), error))? {
            RefreshAnswer::Refreshed { connection_id } => {
                Ok(RefreshedClient { access_token, connection_id })
            }
            RefreshAnswer::NoConnection => Err(RefreshFailure::NoConnection),
            RefreshAnswer::OtherUser => Err(RefreshFailure::OtherUser),
            RefreshAnswer::Unsupported => Err(RefreshFailure::Unsupported(self.name.clone())),
        }
    }
}
