//! `POST /client/negotiate`: issues the connection id and token and lists the transports
//! (`TransportProtocols.md`, `POST [endpoint-base]/negotiate`).

use std::sync::Arc;

use http::{Response, StatusCode};
use serde::Serialize;
use tokio::time::Instant;

use super::negotiations::Negotiation;
use crate::{
    body::{self, Body},
    connection::link::Transport,
    query::Query,
    random::Id,
    state::State,
};

const NEWEST_VERSION: i64 = 1;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NegotiateResponse {
    /// Omitted when false: clients that did not request stateful reconnect must not receive this field.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    use_stateful_reconnect: bool,
    negotiate_version: i64,
    connection_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_token: Option<String>,
    available_transports: [AvailableTransport; 3],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AvailableTransport {
    transport: &'static str,
    transfer_formats: &'static [&'static str],
}

/// The transports in the order in which clients try them.
fn available() -> [AvailableTransport; 3] {
    [Transport::WebSockets, Transport::ServerSentEvents, Transport::LongPolling].map(|transport| {
        let formats: &[_] =
            if transport.carries_binary() { &["Text", "Binary"] } else { &["Text"] };
        AvailableTransport { transport: transport.name(), transfer_formats: formats }
    })
}

#[derive(Serialize)]
struct ErrorResponse {
    error: String,
}

/// Responds to a client with a verified token.
pub(crate) fn answer(
    state: &Arc<State>,
    query: Query<'_>,
    hub: String,
    user: Option<Arc<str>>,
) -> Response<Body> {
    let version = match version(query) {
        Ok(version) => version,
        // Version errors are responses with status 200 (`TransportProtocols.md`).
        Err(error) => return to_response(&ErrorResponse { error }),
    };
    let [connection_id, own_token] = Id::pair();
    let own_token = (version > 0).then_some(own_token);
    let token = own_token.unwrap_or(connection_id);
    if let Some(recorder) = &state.shared.recorder {
        recorder.negotiated(&hub, user.as_ref(), connection_id.text());
    }
    let resumes = state.stateful_reconnect && asks_to_resume(query);
    let negotiation = Negotiation { connection_id, hub, user, resumes };
    let until = Instant::now() + state.shared.limits.connect_timeout;
    state.negotiations.lock().issue(
        token,
        negotiation,
        until,
        state.shared.limits.max_pending_negotiations,
    );
    state.negotiations.sweep(&state.shared);
    to_response(&NegotiateResponse {
        use_stateful_reconnect: resumes,
        negotiate_version: version,
        connection_id: connection_id.text(),
        connection_token: own_token.map(Id::text),
        available_transports: available(),
    })
}

fn asks_to_resume(query: Query<'_>) -> bool {
    query.first("useStatefulReconnect").is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn version(query: Query<'_>) -> Result<i64, String> {
    let Some(text) = query.first("negotiateVersion") else { return Ok(0) };
    match text.parse::<i64>() {
        Ok(version @ 0..) => Ok(version.min(NEWEST_VERSION)),
        Ok(_) => Err(format!(
            "The client requested version '{text}', but the server does not support this version."
        )),
        Err(_) => Err("The client requested a non-integer protocol version.".to_owned()),
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

    #[test]
    fn versions_follow_the_reference() {
        let version = |query| version(Query::new(query));

        assert_eq!(version(None), Ok(0));
        assert_eq!(version(Some("negotiateVersion=0")), Ok(0));
        assert_eq!(version(Some("NegotiateVersion=1")), Ok(1));
        assert_eq!(version(Some("negotiateVersion=7")), Ok(1));
        assert!(version(Some("negotiateVersion=-1")).unwrap_err().contains("does not support"));
        assert!(
            version(Some("negotiateVersion=x"))
                .unwrap_err()
                .ends_with("a non-integer protocol version.")
        );
    }
}
