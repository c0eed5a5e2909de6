//! The arguments of a REST operation.

use std::sync::Arc;

use http::{Response, request::Parts};
use hub_net::body::UnreadBody;

use super::{error::RestError, version::ApiVersion};
use crate::{
    body::Body,
    connection::{Hub, ending::Ending},
    inspect::{GroupChange, Via},
    query::Query,
    socket_control::SocketControl,
    state::State,
};

/// An authorized REST call.
pub(super) struct RestCall<'a> {
    pub(super) state: &'a Arc<State>,
    pub(super) hub: Arc<Hub>,
    pub(super) parts: &'a Parts,
    pub(super) body: UnreadBody,
}

impl RestCall<'_> {
    pub(super) fn version(&self) -> ApiVersion {
        ApiVersion::of(self.parts.uri.path(), self.query())
    }

    pub(super) fn query(&self) -> Query<'_> {
        Query::new(self.parts.uri.query())
    }

    /// The ending of a connection that the call closes, with the reason in the query.
    pub(super) fn ending(&self) -> Ending {
        let reason = self.query().first("reason").filter(|reason| !reason.is_empty());
        Ending::by_service(reason, self.state.shared.allow_reconnect)
    }

    /// Who calls: an app in this process sends its requests without a socket.
    pub(super) fn via(&self) -> Via {
        let upstream = self.state.shared.upstream.as_ref();
        let has_socket = self.parts.extensions.get::<SocketControl>().is_some();
        match upstream.is_some_and(|it| it.is_in_process()) && !has_socket {
            true => Via::Embedded,
            false => Via::Rest,
        }
    }

    /// Records a change of a group for the inspector.
    pub(super) fn record_group(
        &self,
        action: &'static str,
        complete: impl FnOnce(&mut GroupChange),
    ) {
        if let Some(recorder) = &self.state.shared.recorder {
            let via = self.via();
            let mut change = GroupChange::new(self.hub.shared_name(), via, action);
            complete(&mut change);
            recorder.group(change);
        }
    }

    /// A number from the query, `None` if it is absent or empty. `what` describes the valid range in the error
    /// text.
    pub(super) fn number(&self, name: &'static str, what: &str) -> Result<Option<u64>, RestError> {
        let text = self.query().first(name).unwrap_or_default();
        if text.is_empty() {
            return Ok(None);
        }
        let invalid = |_| RestError::invalid(name, format!("{name} must be {what}"));
        text.trim().parse().map(Some).map_err(invalid)
    }
}

pub(super) type RestResult = Result<Response<Body>, RestError>;
