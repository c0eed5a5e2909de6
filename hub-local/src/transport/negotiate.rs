//! The second negotiate, at the service: ids, and which transports there are.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use http::{Response, StatusCode};
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    body::{self, Body},
    query::Query,
    random,
    state::State,
    sync::lock,
};

const NEWEST_VERSION: i64 = 1;

/// Connections that were negotiated, by their secret token.
#[derive(Debug, Default)]
pub(crate) struct Negotiations {
    by_token: HashMap<String, Negotiated>,
    /// Every token with the end of its time; all have the same time, so the first ends first.
    order: VecDeque<(Instant, String)>,
}

#[derive(Debug)]
enum Negotiated {
    Waiting(Ticket),
    Connected,
}

/// What a client got at negotiate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) connection_id: String,
    pub(crate) hub: String,
    pub(crate) user: Option<String>,
}

/// What a token is good for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Redeemed {
    Ticket(Ticket),
    Unknown,
    InUse,
}

impl Negotiations {
    fn issue(&mut self, token: String, ticket: Ticket, now: Instant, time: Duration) {
        self.expire(now);
        self.by_token.insert(token.clone(), Negotiated::Waiting(ticket));
        self.order.push_back((now + time, token));
    }

    /// Takes the ticket of a token: it is good once.
    pub(crate) fn redeem(&mut self, token: &str, now: Instant) -> Redeemed {
        self.expire(now);
        let Some(negotiated) = self.by_token.get_mut(token) else { return Redeemed::Unknown };
        match std::mem::replace(negotiated, Negotiated::Connected) {
            Negotiated::Waiting(ticket) => Redeemed::Ticket(ticket),
            Negotiated::Connected => Redeemed::InUse,
        }
    }

    /// The connection of a token has ended.
    pub(crate) fn forget(&mut self, token: &str) {
        self.by_token.remove(token);
    }

    fn expire(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(end, _)| *end <= now) {
            let Some((_, token)) = self.order.pop_front() else { return };
            if let Some(Negotiated::Waiting(_)) = self.by_token.get(&token) {
                self.by_token.remove(&token);
            }
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    negotiate_version: i64,
    connection_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_token: Option<&'a str>,
    available_transports: [Transport; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Transport {
    transport: &'static str,
    transfer_formats: [&'static str; 2],
}

const WEB_SOCKETS: Transport =
    Transport { transport: "WebSockets", transfer_formats: ["Text", "Binary"] };

#[derive(Serialize)]
struct Refusal {
    error: String,
}

/// Answers a client whose token was checked.
pub(crate) fn answer(
    state: &State,
    query: Query<'_>,
    hub: String,
    user: Option<String>,
) -> Response<Body> {
    let version = match version(query) {
        Ok(version) => version,
        // Version errors are answers, not failures.
        Err(error) => return to_response(&Refusal { error }),
    };
    let connection_id = random::id();
    let own_token = (version > 0).then(random::id);
    let token = own_token.clone().unwrap_or_else(|| connection_id.clone());
    let ticket = Ticket { connection_id: connection_id.clone(), hub, user };
    let time = state.limits.connect_within;
    lock(&state.negotiations).issue(token, ticket, Instant::now(), time);
    to_response(&Answer {
        negotiate_version: version,
        connection_id: &connection_id,
        connection_token: own_token.as_deref(),
        available_transports: [WEB_SOCKETS],
    })
}

fn version(query: Query<'_>) -> Result<i64, String> {
    let Some(asked) = query.first("negotiateVersion") else { return Ok(0) };
    match asked.parse::<i64>() {
        Ok(version @ 0..) => Ok(version.min(NEWEST_VERSION)),
        Ok(_) => Err(format!(
            "The client requested version '{asked}', but the server does not support this version."
        )),
        Err(_) => Err(format!("The client requested an invalid protocol version '{asked}'")),
    }
}

fn to_response(answer: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(answer) {
        Ok(json) => body::json(StatusCode::OK, json),
        Err(_) => body::empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket() -> Ticket {
        Ticket { connection_id: "c".to_owned(), hub: "chat".to_owned(), user: None }
    }

    #[test]
    fn a_ticket_is_good_once_and_for_its_time() {
        let mut negotiations = Negotiations::default();
        let (now, time) = (Instant::now(), Duration::from_secs(15));
        negotiations.issue("a".to_owned(), ticket(), now, time);
        negotiations.issue("b".to_owned(), ticket(), now, time);

        assert_eq!(negotiations.redeem("a", now), Redeemed::Ticket(ticket()));
        assert_eq!(negotiations.redeem("a", now), Redeemed::InUse);
        assert_eq!(negotiations.redeem("b", now + time), Redeemed::Unknown);
        assert_eq!(negotiations.redeem("a", now + time), Redeemed::InUse);
        negotiations.forget("a");
        assert_eq!(negotiations.redeem("a", now), Redeemed::Unknown);
        assert!(negotiations.order.is_empty());
    }

    #[test]
    fn versions_follow_the_reference() {
        let version = |query| version(Query::new(query));

        assert_eq!(version(None), Ok(0));
        assert_eq!(version(Some("negotiateVersion=0")), Ok(0));
        assert_eq!(version(Some("NegotiateVersion=1")), Ok(1));
        assert_eq!(version(Some("negotiateVersion=7")), Ok(1));
        assert!(version(Some("negotiateVersion=-1")).unwrap_err().contains("does not support"));
        assert!(version(Some("negotiateVersion=x")).unwrap_err().ends_with("version 'x'"));
    }
}
