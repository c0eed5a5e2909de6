//! Authenticates client requests and creates connections, for all transports.

use std::sync::Arc;

use http::StatusCode;
use hub_core::names;
use tokio::time::Instant;

use super::negotiations::{Client, OpenTransport, TokenState};
use crate::{
    auth::identity::Identity,
    causes::{Cause, Refusal},
    connection::{Connection, Origin, acks::Acks, link::Transport},
    query::Query,
    random::Id,
    state::State,
    upstream::facts::ConnectionFacts,
};

/// Why a client request is refused: status and body of the response.
#[derive(Debug)]
pub(crate) struct AdmissionError {
    pub(crate) status: StatusCode,
    pub(crate) cause: Cause,
    pub(crate) text: String,
    /// The methods of the resource, with status 405 (RFC 9110 §15.5.6).
    pub(super) allow: Option<&'static str>,
}

impl AdmissionError {
    pub(super) fn new(status: StatusCode, cause: Cause, text: impl Into<String>) -> Self {
        Self { status, cause, text: text.into(), allow: None }
    }

    /// The text is that of the cause and its advice.
    pub(super) fn of(status: StatusCode, cause: Cause) -> Self {
        Self::new(status, cause, cause.sentence())
    }

    /// The resource has other methods.
    pub(super) fn method(allow: &'static str, text: &str) -> Self {
        Self {
            allow: Some(allow),
            ..Self::new(StatusCode::METHOD_NOT_ALLOWED, Cause::InvalidClient, text)
        }
    }

    /// The connection is open already.
    pub(super) fn in_use() -> Self {
        Self::new(StatusCode::CONFLICT, Cause::OpenConnection, "")
    }

    /// The connection has ended, or its client has not connected in time.
    pub(super) fn gone() -> Self {
        Self::new(StatusCode::NOT_FOUND, Cause::UnknownConnection, "")
    }

    /// The connection is open with another transport.
    pub(super) fn transport_changed() -> Self {
        let text = "Cannot change transports mid-connection";
        Self::new(StatusCode::BAD_REQUEST, Cause::OpenConnection, text)
    }
}

/// The parts of a client request that are checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientRequest<'a> {
    pub(super) query: Query<'a>,
    pub(super) token: Option<&'a str>,
}

/// An authenticated client.
#[derive(Debug)]
pub(super) struct Principal {
    pub(super) hub: String,
    pub(super) identity: Identity,
}

/// Checks hub and access token.
pub(super) fn authenticate(
    state: &State,
    request: ClientRequest<'_>,
) -> Result<Principal, AdmissionError> {
    let Some(token) = request.token else {
        let text = "the request has no access token; send the token from the negotiate response";
        return Err(AdmissionError::new(StatusCode::UNAUTHORIZED, Cause::NoToken, text));
    };
    let longest = state.shared.limits.max_token_bytes;
    if token.len() > longest {
        let text = format!("the access token has more than {longest} characters");
        return Err(AdmissionError::new(StatusCode::PAYLOAD_TOO_LARGE, Cause::LongToken, text));
    }
    let hubs: Vec<String> = request.query.all("hub").collect();
    let [hub] = hubs.as_slice() else {
        let text = "the query must contain exactly one `hub`";
        return Err(AdmissionError::new(StatusCode::BAD_REQUEST, Cause::InvalidClient, text));
    };
    names::check_hub(hub).map_err(|error| bad(&error))?;
    let hub = hub.to_ascii_lowercase();
    let identity = state.authority.client(token, &hub).map_err(|Refusal { cause, text }| {
        AdmissionError::new(StatusCode::UNAUTHORIZED, cause, text)
    })?;
    if let Some(user) = &identity.user {
        names::check_upstream_user(user).map_err(|error| bad(&error))?;
    }
    Ok(Principal { hub, identity })
}

/// Refuses new clients during shutdown.
pub(super) fn check_open(state: &State) -> Result<(), AdmissionError> {
    if state.shared.closing.is_cancelled() {
        let cause = Cause::Stopping;
        return Err(AdmissionError::new(StatusCode::SERVICE_UNAVAILABLE, cause, cause.text()));
    }
    Ok(())
}

fn bad(error: &names::NameError) -> AdmissionError {
    AdmissionError::new(StatusCode::BAD_REQUEST, Cause::InvalidClient, error.to_string())
}

/// The negotiated connection of a request's `id`.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) token: Id,
    pub(super) state: TokenState,
    client: Client,
}

impl Session {
    /// Whether stateful reconnect was negotiated.
    pub(super) fn resumes(&self) -> bool {
        matches!(&self.client, Client::Negotiated(negotiation) if negotiation.resumes)
    }
}

/// Looks up the `id` of a request, if the request has one.
pub(super) fn find(
    state: &State,
    request: ClientRequest<'_>,
    principal: &Principal,
) -> Result<Option<Session>, AdmissionError> {
    let Some(token) = request.query.first("id").filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    let mut negotiations = state.negotiations.lock();
    let found = Id::parse(&token).and_then(|id| Some((id, negotiations.find(id, Instant::now())?)));
    let Some((token, (client, found))) = found else {
        let cause = Cause::UnknownConnection;
        return Err(AdmissionError::new(StatusCode::NOT_FOUND, cause, cause.text()));
    };
    if client.hub() != principal.hub || client.user() != principal.identity.user.as_ref() {
        negotiations.refuse(token);
        let cause = Cause::OtherConnection;
        return Err(AdmissionError::new(StatusCode::FORBIDDEN, cause, cause.text()));
    }
    Ok(Some(Session { token, state: found, client }))
}

/// A connection that is not open yet, with the lease of its token.
#[derive(Debug)]
pub(super) struct Admission {
    pub(super) connection: Arc<Connection>,
    lease: Option<Lease>,
}

/// A connection's entry in the table of tokens, released on drop.
#[derive(Debug)]
struct Lease {
    state: Arc<State>,
    token: Id,
    open: OpenTransport,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut negotiations = self.state.negotiations.lock();
        match &self.open {
            OpenTransport::LongPolling(polls) if !polls.is_told() => {
                polls.inbox.close();
                let time = self.state.shared.limits.connect_timeout;
                negotiations.end(self.token, Instant::now(), time);
                drop(negotiations);
                self.state.negotiations.sweep(&self.state.shared);
                return;
            }
            OpenTransport::LongPolling(polls) => polls.inbox.close(),
            OpenTransport::ServerSentEvents(inbox) => inbox.close(),
            OpenTransport::WebSocket(_) => {}
        }
        negotiations.forget(self.token);
    }
}

/// Creates the connection of a client that has negotiated. `open` is stored for further requests of the
/// client.
pub(super) fn admit(
    state: &Arc<State>,
    request: ClientRequest<'_>,
    principal: Principal,
    session: Session,
    open: OpenTransport,
) -> Result<Admission, AdmissionError> {
    check_open(state)?;
    let Session { token, client, .. } = session;
    let Client::Negotiated(negotiation) = client else {
        return Err(AdmissionError::in_use());
    };
    let (transport, acks) = match &open {
        OpenTransport::WebSocket(resumption) => {
            (Transport::WebSockets, resumption.as_ref().map(|it| Arc::clone(&it.acks)))
        }
        OpenTransport::ServerSentEvents(_) => (Transport::ServerSentEvents, None),
        OpenTransport::LongPolling(_) => (Transport::LongPolling, None),
    };
    let id = negotiation.connection_id;
    let connection = connection(state, request, principal, id, transport, acks)
        .inspect_err(|_| state.negotiations.lock().refuse(token))?;
    if !state.negotiations.lock().open(token, open.clone(), &connection.facts) {
        return Err(AdmissionError::in_use());
    }
    let lease = Lease { state: Arc::clone(state), token, open };
    Ok(Admission { connection, lease: Some(lease) })
}

/// Creates the connection of a client that skipped negotiation.
pub(super) fn admit_directly(
    state: &Arc<State>,
    request: ClientRequest<'_>,
    principal: Principal,
    transport: Transport,
) -> Result<Admission, AdmissionError> {
    check_open(state)?;
    let connection = connection(state, request, principal, Id::random(), transport, None)?;
    Ok(Admission { connection, lease: None })
}

fn connection(
    state: &Arc<State>,
    request: ClientRequest<'_>,
    principal: Principal,
    connection_id: Id,
    transport: Transport,
    acks: Option<Arc<Acks>>,
) -> Result<Arc<Connection>, AdmissionError> {
    let Principal { hub, identity } = principal;
    let (hub, keys) = (state.hubs.hub(&hub), Arc::clone(state.authority.keys()));
    let facts = ConnectionFacts::new(
        connection_id.text(),
        hub.shared_name(),
        &identity,
        request.query,
        keys,
    )
    .ok_or_else(|| {
        let text = "hub, user or query contains characters that a header cannot contain";
        AdmissionError::new(StatusCode::BAD_REQUEST, Cause::InvalidClient, text)
    })?;
    let origin = Origin { facts, token_options: identity.token_options, transport, acks };
    Ok(Connection::new(Arc::clone(&state.shared), hub, origin))
}

impl Admission {
    /// The connection, and the lease to hold until the connection ends.
    pub(super) fn open(self) -> (Arc<Connection>, impl Send + 'static) {
        (self.connection, self.lease)
    }
}
