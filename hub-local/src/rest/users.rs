//! Users in groups. A membership does not depend on connections.

use std::time::Duration;

use http::{Response, StatusCode};

use super::{
    call::{RestCall, RestResult},
    error::RestError,
};
use crate::body::{self, Body};

/// `ttl` is a 32-bit integer (Azure SignalR REST API 2022-06-01).
const MAX_TTL_SECONDS: u64 = i32::MAX as u64;

/// Adds a user to a group. `ttl` is in seconds; 0 adds only the current connections of the user.
pub(super) fn add(call: &RestCall<'_>, user: &str, group: &str) -> RestResult {
    let what = format!("a number of seconds from 0 to {MAX_TTL_SECONDS}");
    let seconds = call.number("ttl", &what)?;
    if seconds.is_some_and(|seconds| seconds > MAX_TTL_SECONDS) {
        return Err(RestError::invalid("ttl", format!("ttl must be {what}")));
    }
    let ttl = seconds.map(Duration::from_secs);
    call.state.hubs.join(|| call.hub.add_user_to_group(user, group, ttl))?;
    changed(call, "join", Some(group), user, seconds);
    Ok(body::empty(call.version().added_user()))
}

pub(super) fn is_member(call: &RestCall<'_>, user: &str, group: &str) -> RestResult {
    if call.hub.is_user_in_group(user, group) {
        return Ok(body::empty(StatusCode::OK));
    }
    Err(RestError::missing("Info.User.NotInGroup", "the user is not in the group"))
}

pub(super) fn remove(call: &RestCall<'_>, user: &str, group: &str) -> Response<Body> {
    call.hub.remove_user_from_group(user, group);
    changed(call, "leave", Some(group), user, None);
    body::empty(call.version().removed_user())
}

pub(super) fn remove_from_all(call: &RestCall<'_>, user: &str) -> Response<Body> {
    call.hub.remove_user_from_all_groups(user);
    changed(call, "leave", None, user, None);
    body::empty(call.version().removed_user_from_all())
}

/// Records a change for the inspector.
fn changed(
    call: &RestCall<'_>,
    action: &'static str,
    group: Option<&str>,
    user: &str,
    ttl_seconds: Option<u64>,
) {
    call.record_group(action, |change| {
        change.group = group.map(str::to_owned);
        change.user = Some(user.to_owned());
        change.ttl_seconds = ttl_seconds;
    });
}
