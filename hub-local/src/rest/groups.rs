//! Connections in groups.

use http::{Response, StatusCode, header::HOST, uri::Authority};
use hub_core::rest_error;
use hub_net::host;
use serde::Serialize;

use super::{
    call::{RestCall, RestResult},
    error::RestError,
};
use crate::{
    body::{self, Body},
    hub::registry::JoinOutcome,
};

const MAX_PAGE: usize = 200;

pub(super) fn add(call: &RestCall<'_>, connection: &str, group: &str) -> RestResult {
    match call.state.hubs.join(|| call.hub.add_to_group(connection, group))? {
        JoinOutcome::Added => {
            changed(call, "join", Some(group), connection);
            Ok(body::empty(StatusCode::OK))
        }
        JoinOutcome::NoConnection => Err(RestError::missing(
            rest_error::CONNECTION_NOT_FOUND,
            "the connection does not exist",
        )),
    }
}

/// Removing an unknown connection succeeds: the SDK does not expect a 404 here.
pub(super) fn remove(call: &RestCall<'_>, connection: &str, group: &str) -> Response<Body> {
    call.hub.remove_from_group(connection, group);
    changed(call, "leave", Some(group), connection);
    body::empty(StatusCode::OK)
}

pub(super) fn remove_from_all(call: &RestCall<'_>, connection: &str) -> Response<Body> {
    call.hub.remove_from_all_groups(connection);
    changed(call, "leave", None, connection);
    body::empty(StatusCode::OK)
}

/// Records a change for the inspector.
fn changed(call: &RestCall<'_>, action: &'static str, group: Option<&str>, connection: &str) {
    call.record_group(action, |change| {
        change.group = group.map(str::to_owned);
        change.connection = Some(connection.to_owned());
    });
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    value: Vec<Member>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_link: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    connection_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
}

/// Responds with one page of a group's connections, ordered by id. The continuation token is the last id of
/// the page, so pages stay consistent while members join and leave.
pub(super) fn list(call: &RestCall<'_>, group: &str) -> RestResult {
    let page_size = size(call, "maxpagesize")?.unwrap_or(MAX_PAGE);
    if !(1..=MAX_PAGE).contains(&page_size) {
        return Err(RestError::invalid("maxpagesize", "maxpagesize must be from 1 to 200"));
    }
    let top = size(call, "top")?.unwrap_or(usize::MAX);
    let after = call.query().first("continuationToken");
    let audience = call.hub.group(group);
    let mut members: Vec<_> = audience
        .iter()
        .filter(|connection| after.as_ref().is_none_or(|after| connection.id() > after.as_str()))
        .collect();
    members.sort_by(|left, right| left.id().cmp(right.id()));
    let shown = page_size.min(top);
    let more = members.len() > shown && top > shown;
    members.truncate(shown);
    let last = members.last().filter(|_| more).map(|last| last.id());
    let page = Page {
        next_link: last.map(|last| next_link(call, page_size, top - shown, last)),
        value: members
            .iter()
            .map(|it| Member {
                connection_id: it.id().to_owned(),
                user_id: it.user().map(str::to_owned),
            })
            .collect(),
    };
    Ok(body::json(StatusCode::OK, serde_json::to_vec(&page).unwrap_or_default()))
}

fn next_link(call: &RestCall<'_>, page_size: usize, top: usize, last: &str) -> String {
    let (url, path) = (base_url(call), call.parts.uri.path());
    let mut link = format!("{url}{path}?");
    for name in ["api-version", "application"] {
        if let Some(value) = call.query().first(name) {
            let value = hub_core::names::encode_segment(&value);
            link.push_str(&format!("{name}={value}&"));
        }
    }
    link.push_str(&format!("maxpagesize={page_size}&"));
    if call.query().first("top").is_some() {
        link.push_str(&format!("top={top}&"));
    }
    link.push_str("continuationToken=");
    link.push_str(&hub_core::names::encode_segment(last));
    link
}

/// The public URL, or the host that the caller used: without a setting, the service cannot know its mapped port or
/// its name in another network.
fn base_url(call: &RestCall<'_>) -> String {
    let authority = &call.state.authority;
    let named = call.parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let called = call.parts.uri.authority().map(Authority::as_str).or(named);
    match called.filter(|called| host::without_port(called).is_some()) {
        Some(called) if !authority.has_public_url => format!("http://{called}"),
        _ => authority.public_url().to_string(),
    }
}

fn size(call: &RestCall<'_>, name: &'static str) -> Result<Option<usize>, RestError> {
    let number = call.number(name, "a number, at least 0")?;
    Ok(number.map(|number| usize::try_from(number).unwrap_or(usize::MAX)))
}
