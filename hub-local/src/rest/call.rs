//! The arguments of a REST operation.

use std::sync::Arc;

use http::{Response, request::Parts};
use hub_net::body::UnreadBody;

use super::{error::RestError, version::ApiVersion};
use crate::{body::Body, connection::Hub, query::Query, state::State};

/// An authorized REST call.
pub(super) struct RestCall<'a> {
    pub(super) state: &'a Arc<State>,
    pub(super) hub: Arc<Hub>,
    pub(super) version: ApiVersion,
    pub(super) parts: &'a Parts,
    pub(super) body: UnreadBody,
}

impl RestCall<'_> {
    pub(super) fn query(&self) -> Query<'_> {
        Query::new(self.parts.uri.query())
    }

    /// The error text of the close message to the client.
    pub(super) fn reason(&self) -> Option<String> {
        self.query().first("reason").filter(|reason| !reason.is_empty())
    }

    /// A number from the query. `what` describes the valid range in the error text.
    pub(super) fn number(&self, name: &'static str, what: &str) -> Result<Option<u64>, RestError> {
        let Some(text) = self.query().first(name) else { return Ok(None) };
        let invalid = |_| RestError::invalid(name, format!("{name} must be {what}"));
        text.parse().map(Some).map_err(invalid)
    }
}

pub(super) type RestResult = Result<Response<Body>, RestError>;
