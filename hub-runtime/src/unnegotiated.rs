//! Requests of SignalR clients that connect to the app instead of the service.
//!
//! Such requests come from clients with `skipNegotiation`, and from clients that ignore the `url` of the negotiate
//! response (`TransportProtocols.md`, `POST [endpoint-base]/negotiate`).

use bytes::Bytes;
use http::{
    HeaderMap, Method, Response, StatusCode,
    header::{ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE},
    request::Parts,
};
use hub_core::Query;
use hub_net::log_limit::shown;

use crate::{answer::text, routes::Route, shared::Inner};

const NEGOTIATE_FIRST: &str = "the SignalR service holds the connections of clients, not this app: a client must send `POST <this URL>/negotiate` first, and connect to the `url` of the response with its `accessToken`. Remove `skipNegotiation`; a client that ignores `url` cannot be used";
const CLASSIC: &str = "this is a request of a client of ASP.NET SignalR (`clientProtocol`), which is another protocol: use a client of ASP.NET Core SignalR, such as the package @microsoft/signalr";

/// The response to a request of a client that did not negotiate; `None` for other requests.
pub(crate) fn refusal(app: &Inner, parts: &Parts) -> Option<Response<Bytes>> {
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let explanation = if query.get("clientProtocol").is_some() {
        CLASSIC
    } else if is_of_client(parts, &query) && is_hub(app, parts.uri.path()) {
        NEGOTIATE_FIRST
    } else {
        return None;
    };
    app.log.line(explanation, |omitted| {
        let (method, path) = (parts.method.as_str(), &*shown(parts.uri.path()));
        tracing::warn!(method, path, omitted, "{explanation}");
    });
    Some(text(StatusCode::NOT_FOUND, explanation))
}

/// Whether a request to the URL of a hub has a form that browsers do not send when they open a page.
fn is_of_client(parts: &Parts, query: &Query) -> bool {
    parts.method != Method::GET && parts.method != Method::HEAD
        || query.get("id").is_some()
        || parts.headers.contains_key(UPGRADE)
        || parts.headers.contains_key(SEC_WEBSOCKET_KEY)
        || wants_events(&parts.headers)
}

fn wants_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|accepted| accepted.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/event-stream"))
}

/// Whether a path is the URL of a hub: that of its negotiate route without `/negotiate`.
fn is_hub(app: &Inner, path: &str) -> bool {
    let negotiate = format!("{}/negotiate", path.trim_end_matches('/'));
    match app.routes.of(&Method::POST, &negotiate) {
        Route::Negotiate(Some(hub)) => app.hubs.find(hub).is_some(),
        Route::Negotiate(None) => app.hubs.single().is_some(),
        _ => false,
    }
}
