//! From a checked request to a connection, whatever the transport is.

use std::sync::Arc;

use http::StatusCode;
use hub_core::names;
use tokio::time::Instant;

use super::{
    Transport,
    negotiations::{self, Found, Open, Ticket},
};
use crate::{
    auth::{self, Identity},
    connection::{Connection, Origin},
    query::Query,
    random,
    state::State,
    sync::lock,
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
    let Some(token) = asked.token else {
        let text = "a client needs the access token that negotiate gave it";
        return Err(Refused::new(StatusCode::UNAUTHORIZED, text));
    };
    let longest = state.limits.max_token_bytes;
    if token.len() > longest {
        let text = format!("an access token has at most {longest} characters");
        return Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, text));
    }
    let hubs: Vec<String> = asked.query.all("hub").collect();
    let [hub] = hubs.as_slice() else {
        return Err(Refused::new(StatusCode::BAD_REQUEST, "the query needs exactly one `hub`"));
    };
    names::check_hub(hub).map_err(|error| bad(&error))?;
    let hub = hub.to_ascii_lowercase();
    let identity = auth::client(state, asked.token, asked.host, &hub)
        .map_err(|text| Refused::new(StatusCode::UNAUTHORIZED, text))?;
    if let Some(user) = &identity.user {
        names::check_user(user).map_err(|error| bad(&error))?;
    }
    Ok(Guest { hub, identity })
}

/// A service that stops takes no new clients.
pub(super) fn check_open(state: &State) -> Result<(), Refused> {
    if state.closing.is_cancelled() {
        let text = "the service is stopping";
        return Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, text));
    }
    Ok(())
}

fn bad(error: &names::NameError) -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, error.to_string())
}

/// What a request's `id` stands for.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) token: String,
    pub(super) found: Found,
    ticket: Arc<Ticket>,
}

impl Known {
    /// Whether another WebSocket may take over.
    pub(super) fn resumes(&self) -> bool {
        self.ticket.resumes
    }
}

/// Looks up a request's `id`, if it has one.
pub(super) fn find(
    state: &State,
    asked: Asked<'_>,
    guest: &Guest,
) -> Result<Option<Known>, Refused> {
    let Some(token) = asked.query.first("id").filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    let mut negotiations = lock(&state.negotiations);
    let Some((ticket, found)) = negotiations.find(&token, Instant::now()) else {
        return Err(Refused::new(StatusCode::NOT_FOUND, "No Connection with that ID"));
    };
    if ticket.hub != guest.hub || ticket.user != guest.identity.user {
        if let Found::Waiting = found {
            negotiations.forget(&token);
        }
        let text = "the connection was negotiated for another user or hub";
        return Err(Refused::new(StatusCode::FORBIDDEN, text));
    }
    Ok(Some(Known { token, found, ticket }))
}

/// A connection that is not open yet, and the negotiated token that it uses up.
#[derive(Debug)]
pub(super) struct Admission {
    pub(super) connection: Arc<Connection>,
    place: Option<Place>,
}

/// A connection's place in the table of tokens; given free when the connection is over.
#[derive(Debug)]
struct Place {
    state: Arc<State>,
    token: String,
    open: Open,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut negotiations = lock(&self.state.negotiations);
        match &self.open {
            Open::LongPolling(polls) if !polls.is_told() => {
                polls.inbox.close();
                let time = self.state.limits.connect_timeout;
                negotiations.end(&self.token, Instant::now(), time);
                drop(negotiations);
                negotiations::sweep(&self.state);
                return;
            }
            Open::LongPolling(polls) => polls.inbox.close(),
            Open::ServerSentEvents(inbox) => inbox.close(),
            Open::WebSocket(_) => {}
        }
        negotiations.forget(&self.token);
    }
}

/// Lets a guest in who negotiated: `open` is how its requests reach the connection.
pub(super) fn admit(
    state: &Arc<State>,
    asked: Asked<'_>,
    guest: Guest,
    known: Known,
    open: Open,
) -> Result<Admission, Refused> {
    check_open(state)?;
    let Known { token, ticket, .. } = known;
    if !lock(&state.negotiations).open(&token, open.clone()) {
        return Err(Refused::new(StatusCode::CONFLICT, ""));
    }
    let place = Place { state: Arc::clone(state), token, open };
    let (transport, resumption) = match &place.open {
        Open::WebSocket(resumption) => (Transport::WebSockets, resumption.clone()),
        Open::ServerSentEvents(_) => (Transport::ServerSentEvents, None),
        Open::LongPolling(_) => (Transport::LongPolling, None),
    };
    let connection = connection(state, asked, guest, ticket.connection_id.clone(), transport)?;
    if let Some(resumption) = resumption {
        connection.resumes(resumption);
    }
    Ok(Admission { connection, place: Some(place) })
}

/// Lets a guest in who did not negotiate.
pub(super) fn admit_directly(
    state: &Arc<State>,
    asked: Asked<'_>,
    guest: Guest,
    transport: Transport,
) -> Result<Admission, Refused> {
    check_open(state)?;
    let connection = connection(state, asked, guest, random::id(), transport)?;
    Ok(Admission { connection, place: None })
}

fn connection(
    state: &Arc<State>,
    asked: Asked<'_>,
    guest: Guest,
    connection_id: String,
    transport: Transport,
) -> Result<Arc<Connection>, Refused> {
    let Guest { hub, identity } = guest;
    let headers = connection_headers(&hub, &connection_id, &identity, asked.query, &state.keys)
        .ok_or_else(|| {
            Refused::new(StatusCode::BAD_REQUEST, "hub, user or query cannot be a header")
        })?;
    let hub = state.hub(&hub);
    let origin = Origin { id: connection_id, identity, transport, headers };
    Ok(Connection::new(Arc::clone(state), hub, origin))
}

impl Admission {
    /// The connection, and what must be kept until it is over.
    pub(super) fn open(self) -> (Arc<Connection>, impl Send + 'static) {
        (self.connection, self.place)
    }
}
