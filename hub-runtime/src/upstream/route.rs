//! The target of an upstream call: hub, category, event and method.

use std::sync::Arc;

use http::StatusCode;
use hub_core::{Category, HubError, InvocationParts, names, protocol::Outcome};
use hub_net::log_limit::{LogLimit, shown};

use super::{
    completion::{Answer, completion, refuse},
    header_lines::{HeaderLines, Lines},
};
use crate::{
    answer::{self, ErrorDetail, Refusal},
    shared::{Inner, Mount},
    telemetry::{self, Stopwatch},
};

/// The hub, the category and the event of a call.
pub(super) struct Route {
    pub(super) mount: Arc<Mount>,
    pub(super) category: Category,
    pub(super) event: String,
}

impl Route {
    /// Reads the routing headers. `mount` is the hub that they name.
    pub(super) fn of(
        lines: &HeaderLines<'_>,
        mount: Option<&Arc<Mount>>,
        app: &Inner,
    ) -> Result<Self, Refusal> {
        let log = &app.log;
        let [category, event] = routing_headers(lines, mount.is_some()).ok_or_else(|| {
            let text = "X-ASRS-Hub, X-ASRS-Category or X-ASRS-Event is missing";
            refuse(log, StatusCode::BAD_REQUEST, text)
        })?;
        let mount = mount.cloned().ok_or_else(|| {
            log.line("unknown hub upstream", |omitted| {
                let hub = lines.hub.text().unwrap_or_default();
                let (hub, known) = (&*shown(hub), app.hubs.names());
                tracing::warn!(hub, ?known, omitted, "upstream call for an unknown hub");
            });
            Box::new(answer::text(StatusCode::NOT_FOUND, "there is no such hub in this app"))
        })?;
        let category = Category::from_headers(category, event).ok_or_else(|| {
            refuse(log, StatusCode::NOT_FOUND, "there is no such category or event")
        })?;
        Ok(Self { mount, category, event: event.to_owned() })
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

/// Category and event; `None` if one of them or the hub is missing, empty, repeated or not UTF-8. The name of a
/// mounted hub is neither empty nor of another encoding.
fn routing_headers<'a>(lines: &HeaderLines<'a>, is_mounted: bool) -> Option<[&'a str; 2]> {
    let text = |lines: Lines<'a>| lines.text().filter(|value| !value.is_empty());
    let has_hub = if is_mounted { lines.hub.only().is_some() } else { text(lines.hub).is_some() };
    let names = [text(lines.category)?, text(lines.event)?];
    has_hub.then_some(names)
}
