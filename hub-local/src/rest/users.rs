//! Users in groups; they stay there without a connection.

use std::time::Duration;

use http::{Response, StatusCode};

use super::{Answer, Call, error::RestError};
use crate::{
    body::{self, Body},
    hub::Hub,
};

/// `ttl` is in seconds; 0 is about the user's present connections only.
pub(super) fn add(call: &Call<'_>, user: &str, group: &str) -> Answer {
    let ttl =
        match call.query().first("ttl") {
            None => None,
            Some(text) => Some(text.parse().map(Duration::from_secs).map_err(|_| {
                RestError::invalid("ttl", "ttl must be a number of seconds from 0")
            })?),
        };
    call.hub.add_user_to_group(user, group, ttl);
    Ok(body::empty(StatusCode::OK))
}

pub(super) fn is_member(hub: &Hub, user: &str, group: &str) -> Answer {
    if hub.is_user_in_group(user, group) {
        return Ok(body::empty(StatusCode::OK));
    }
    Err(RestError::missing("Info.User.NotInGroup", "the user is not in the group"))
}

pub(super) fn remove(hub: &Hub, user: &str, group: &str) -> Response<Body> {
    hub.remove_user_from_group(user, group);
    body::empty(StatusCode::NO_CONTENT)
}

pub(super) fn remove_from_all(hub: &Hub, user: &str) -> Response<Body> {
    hub.remove_user_from_all_groups(user);
    body::empty(StatusCode::NO_CONTENT)
}
