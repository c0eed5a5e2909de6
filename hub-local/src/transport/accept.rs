//! From a checked request to a connection, whatever the transport is.

use std::sync::Arc;

use http::StatusCode;
use hub_core::names;
use tokio::time::Instant;

use super::negotiate::Redeemed;
use crate::{
    connection::Connection, query::Query, random, state::State, sync::lock, token, token::Identity,
    upstream::request::connection_headers,
};

/// Why a client is not let in.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl Refused {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }
}

/// What a client's request says that counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) query: Query<'a>,
    pub(super) token: Option<&'a str>,
    pub(super) host: Option<&'a str>,
}

/// A client whose token is good.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) hub: String,
    pub(super) identity: Identity,
}

/// Checks hub and token.
pub(super) fn authenticate(state: &State, asked: Asked<'_>) -> Result<Guest, Refused> {
    if asked.token.is_none() {
        let text = "a client needs the access token that negotiate gave it";
        return Err(Refused::new(StatusCode::UNAUTHORIZED, text));
    }
    let hubs: Vec<String> = asked.query.all("hub").collect();
    let [hub] = hubs.as_slice() else {
        return Err(Refused::new(StatusCode::BAD_REQUEST, "the query needs exactly one `hub`"));
    };
    names::check_hub(hub).map_err(|error| bad(&error))?;
    let hub = hub.to_ascii_lowercase();
    let identity = token::client(state, asked.token, asked.host, &hub)
        .map_err(|text| Refused::new(StatusCode::UNAUTHORIZED, text))?;
    if let Some(user) = &identity.user {
        names::check_user(user).map_err(|error| bad(&error))?;
    }
    if state.closing.is_cancelled() {
        let text = "the service is stopping";
        return Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, text));
    }
    Ok(Guest { hub, identity })
}

fn bad(error: &names::NameError) -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, error.to_string())
}

/// A connection that is not open yet, and the negotiated token that it uses up.
#[derive(Debug)]
pub(super) struct Admission {
    pub(super) connection: Arc<Connection>,
    ticket: Option<UsedTicket>,
}

/// Gives the token free when the connection is over.
#[derive(Debug)]
struct UsedTicket {
    state: Arc<State>,
    token: String,
}

impl Drop for UsedTicket {
    fn drop(&mut self) {
        lock(&self.state.negotiations).forget(&self.token);
    }
}

/// Lets a guest in: with the `id` of a negotiate, or without one.
pub(super) fn admit(
    state: &Arc<State>,
    asked: Asked<'_>,
    guest: Guest,
) -> Result<Admission, Refused> {
    let (connection_id, ticket) = match asked.query.first("id") {
        Some(token) => redeem(state, token, &guest)?,
        None => (random::id(), None),
    };
    let Guest { hub, identity } = guest;
    let headers = connection_headers(&hub, &connection_id, &identity, asked.query, &state.keys)
        .ok_or_else(|| {
            Refused::new(StatusCode::BAD_REQUEST, "hub, user or query cannot be a header")
        })?;
    let hub = state.hub(&hub);
    let connection = Connection::new(Arc::clone(state), hub, connection_id, identity.user, headers);
    Ok(Admission { connection, ticket })
}

fn redeem(
    state: &Arc<State>,
    token: String,
    guest: &Guest,
) -> Result<(String, Option<UsedTicket>), Refused> {
    let redeemed = lock(&state.negotiations).redeem(&token, Instant::now());
    let ticket = match redeemed {
        Redeemed::Ticket(ticket) => ticket,
        Redeemed::InUse => return Err(Refused::new(StatusCode::CONFLICT, "")),
        Redeemed::Unknown => {
            return Err(Refused::new(StatusCode::NOT_FOUND, "No Connection with that ID"));
        }
    };
    let used = UsedTicket { state: Arc::clone(state), token };
    if ticket.hub != guest.hub || ticket.user != guest.identity.user {
        let text = "the connection was negotiated for another user or hub";
        return Err(Refused::new(StatusCode::FORBIDDEN, text));
    }
    Ok((ticket.connection_id, Some(used)))
}

impl Admission {
    /// The connection, and what must be kept until it is over.
    pub(super) fn open(self) -> (Arc<Connection>, impl Send + 'static) {
        (self.connection, self.ticket)
    }
}
