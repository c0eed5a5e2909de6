//! The target of an upstream call: hub, category, event and method.

use http::{HeaderMap, StatusCode};
use hub_core::{
    Category, HubError, InvocationParts, Query, names,
    protocol::Outcome,
    upstream::{CATEGORY, CLIENT_QUERY, EVENT, HUB},
};
use hub_net::log_limit::{LogLimit, shown};

use super::{
    caller::text,
    completion::{Answer, completion, refuse},
};
use crate::{
    answer::{self, ErrorDetail, Refusal},
    shared::{Inner, Mount},
    telemetry::{self, Stopwatch},
};

/// The hub, the category and the event of a call.
pub(super) struct Route {
    pub(super) mount: Mount,
    pub(super) category: Category,
    pub(super) event: String,
}

impl Route {
    /// Reads the routing headers.
    pub(super) fn of(headers: &HeaderMap, app: &Inner) -> Result<Self, Refusal> {
        let (hubs, log) = (&app.hubs, &app.log);
        let [hub, category, event] = routing_headers(headers).ok_or_else(|| {
            let text = "X-ASRS-Hub, X-ASRS-Category or X-ASRS-Event is missing";
            refuse(log, StatusCode::BAD_REQUEST, text)
        })?;
        let mount = hubs.find_at_service(&hub).cloned().ok_or_else(|| {
            log.line("unknown hub upstream", |omitted| {
                let (hub, known) = (&*shown(&hub), hubs.names());
                tracing::warn!(hub, ?known, omitted, "upstream call for an unknown hub");
            });
            Box::new(answer::text(StatusCode::NOT_FOUND, "there is no such hub in this app"))
        })?;
        let category = Category::from_headers(&category, &event).ok_or_else(|| {
            refuse(log, StatusCode::NOT_FOUND, "there is no such category or event")
        })?;
        Ok(Self { mount, category, event })
    }
}

/// The response to a call of a method that the hub does not have.
pub(super) fn unknown_method(
    log: &LogLimit,
    mount: &Mount,
    parts: &InvocationParts,
    detail: ErrorDetail,
) -> Answer {
    let Mount { hub, wire_name, .. } = mount;
    let event = &*parts.event;
    let messages = hub.methods().iter().filter(|method| method.category == Category::Message);
    let known: Vec<_> = messages.map(|method| method.name).collect();
    let nearest = names::nearest(event, known.iter().copied());
    log.line("unknown method", |omitted| {
        let (hub, method) = (hub.name(), &*shown(event));
        tracing::warn!(hub, method, nearest, ?known, omitted, "unknown hub method");
    });
    let unknown = Err::<(), _>(HubError::rejected(""));
    telemetry::call_ended(wire_name, telemetry::UNKNOWN, &unknown, Stopwatch::start());
    let Some(id) = &parts.invocation_id else { return Answer::Empty(StatusCode::NOT_FOUND) };
    let mut text = format!("Unknown hub method '{event}'");
    if let Some(nearest) = nearest.filter(|_| detail == ErrorDetail::Suggestions) {
        text.push_str(&format!("; did you mean '{nearest}'?"));
    }
    completion(parts.protocol, id, Outcome::Error(text))
}

/// Hub, category and event; `None` if one is missing, empty or not UTF-8.
fn routing_headers(headers: &HeaderMap) -> Option<[String; 3]> {
    let header = |name| text(headers, name).filter(|value| !value.is_empty());
    Some([header(&HUB)?, header(&CATEGORY)?, header(&EVENT)?])
}

/// Removes the query of the client's connect request from the headers, since the query may contain the
/// client's token.
pub(super) fn take_client_query(headers: &mut HeaderMap) -> Query {
    let query = text(headers, &CLIENT_QUERY).map(|raw| Query::parse(&raw)).unwrap_or_default();
    headers.remove(&CLIENT_QUERY);
    query
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn routing_headers_may_be_utf_8() {
        let pairs = [(HUB, "chat"), (CATEGORY, "messages"), (EVENT, "grüße")];
        let values =
            pairs.map(|(name, value)| (name, HeaderValue::from_bytes(value.as_bytes()).unwrap()));

        let [_, _, event] = routing_headers(&values.into_iter().collect()).unwrap();

        assert_eq!(event, "grüße");
    }
}
