//! Actions: sends, closes, groups, calls that run again.

use std::{sync::Arc, time::Duration};

use http::Response;
use hub_core::names;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{again, error::Refused, json as to_json};
use crate::{
    body::Body,
    connection::{Hub, ending::Ending},
    hub::registry::JoinOutcome,
    inspect::{GroupChange, Inspection, Via},
    rest::{self, Recipient},
    state::State,
};

/// The longest time of a user in a group that the REST API accepts, in seconds.
const MAX_TTL_SECONDS: u64 = i32::MAX as u64;

/// An action.
#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Action {
    Send { hub: String, target: Target, method: String, arguments: Option<Vec<Value>> },
    Close { hub: String, connection: String, reason: Option<String> },
    Join(Membership),
    Leave(Membership),
    RunAgain { call: u64, arguments: Option<Vec<Value>> },
    Clear,
}

/// The receivers of a send.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    kind: Kind,
    name: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    All,
    Group,
    User,
    Connection,
}

/// A connection or a user in a group.
#[derive(Deserialize)]
pub(super) struct Membership {
    hub: String,
    group: String,
    connection: Option<String>,
    user: Option<String>,
    ttl_seconds: Option<u64>,
}

pub(super) async fn respond(
    state: &Arc<State>,
    inspection: &Inspection,
    action: Box<RawValue>,
) -> Result<Response<Body>, Refused> {
    let action = serde_json::from_str(action.get()).map_err(|error| {
        let fix =
            "the actions are send, close, join, leave, run_again and clear: see docs/inspect.md";
        Refused::invalid(format!("the action is not valid: {error}"), fix)
    })?;
    match action {
        Action::Send { hub, target, method, arguments } => {
            send(state, &hub, &target, method, arguments.unwrap_or_default()).await
        }
        Action::Close { hub, connection, reason } => close(state, &hub, &connection, reason),
        Action::Join(membership) => join(state, inspection, &membership),
        Action::Leave(membership) => leave(state, inspection, &membership),
        Action::RunAgain { call, arguments } => {
            again::run(state, inspection, call, arguments).await
        }
        Action::Clear => {
            inspection.recorder.clear();
            Ok(to_json(&json!({})))
        }
    }
}

/// The hub of an action. A hub without clients has nothing to act on.
fn hub(state: &State, name: &str) -> Result<Arc<Hub>, Refused> {
    names::check_hub(name).map_err(|error| {
        Refused::invalid(error.to_string(), "use the name of a hub of the service")
    })?;
    state.hubs.find(name).ok_or_else(|| {
        let error = format!("no client has used the hub `{name}`");
        Refused::missing(error, "connect a client to the hub first, or check its name")
    })
}

async fn send(
    state: &Arc<State>,
    hub: &str,
    target: &Target,
    method: String,
    arguments: Vec<Value>,
) -> Result<Response<Body>, Refused> {
    let hub = self::hub(state, hub)?;
    let name = target.name.as_deref().unwrap_or_default();
    let checked = match target.kind {
        Kind::All => Ok(()),
        Kind::Group => names::check_group(name),
        Kind::User => names::check_user(name),
        Kind::Connection => names::check_connection_id(name),
    };
    checked.map_err(|error| Refused::invalid(error.to_string(), "set `target.name`"))?;
    let to = match target.kind {
        Kind::All => Recipient::Everyone,
        Kind::Group => Recipient::Group(name.to_owned()),
        Kind::User => Recipient::User(name.to_owned()),
        Kind::Connection => Recipient::Connection(name.to_owned()),
    };
    let message = json!({ "target": method, "arguments": arguments }).to_string();
    let recipients = rest::send_for_inspector(state, &hub, &to, message.into())
        .await
        .map_err(|error| Refused::invalid(error, "change `method` or `arguments`"))?;
    Ok(to_json(&json!({ "recipients": recipients })))
}

fn close(
    state: &State,
    hub: &str,
    connection: &str,
    reason: Option<String>,
) -> Result<Response<Body>, Refused> {
    let found = self::hub(state, hub)?.connection(connection).ok_or_else(no_connection)?;
    let reason = reason.filter(|reason| !reason.is_empty());
    found.end(Ending::by_service(reason, state.shared.allow_reconnect));
    Ok(to_json(&json!({})))
}

fn no_connection() -> Refused {
    Refused::missing(
        "the connection does not exist",
        "it may have ended: look at the list of clients",
    )
}

impl Membership {
    fn check(&self) -> Result<(), Refused> {
        names::check_group(&self.group)
            .map_err(|error| Refused::invalid(error.to_string(), "set `group`"))?;
        if let Some(user) = &self.user {
            names::check_user(user)
                .map_err(|error| Refused::invalid(error.to_string(), "set `user`"))?;
        }
        if self.connection.is_some() == self.user.is_some() {
            let error = "a membership has either a connection or a user";
            return Err(Refused::invalid(error, "set `connection` or `user`"));
        }
        if self.ttl_seconds.is_some_and(|ttl| ttl > MAX_TTL_SECONDS || self.user.is_none()) {
            let error = format!("`ttl_seconds` is for users, from 0 to {MAX_TTL_SECONDS}");
            return Err(Refused::invalid(error, "leave it out for a connection"));
        }
        Ok(())
    }

    fn change(&self, hub: &Hub, action: &'static str) -> GroupChange {
        GroupChange {
            group: Some(self.group.clone()),
            user: self.user.clone(),
            connection: self.connection.clone(),
            ttl_seconds: self.ttl_seconds,
            ..GroupChange::new(hub.shared_name(), Via::Inspector, action)
        }
    }
}

fn join(
    state: &State,
    inspection: &Inspection,
    membership: &Membership,
) -> Result<Response<Body>, Refused> {
    membership.check()?;
    let hub = hub(state, &membership.hub)?;
    let full = |error: crate::hub::quota::QuotaExceeded| {
        Refused::conflict(error.to_string(), "remove memberships, or raise the limit")
    };
    if let Some(connection) = &membership.connection {
        let join = || hub.add_to_group(connection, &membership.group);
        if state.hubs.join(join).map_err(full)? == JoinOutcome::NoConnection {
            return Err(no_connection());
        }
    }
    if let Some(user) = &membership.user {
        let ttl = membership.ttl_seconds.map(Duration::from_secs);
        let join = || hub.add_user_to_group(user, &membership.group, ttl);
        state.hubs.join(join).map_err(full)?;
    }
    inspection.recorder.group(membership.change(&hub, "join"));
    Ok(to_json(&json!({})))
}

fn leave(
    state: &State,
    inspection: &Inspection,
    membership: &Membership,
) -> Result<Response<Body>, Refused> {
    membership.check()?;
    let hub = hub(state, &membership.hub)?;
    if let Some(connection) = &membership.connection {
        hub.remove_from_group(connection, &membership.group);
    }
    if let Some(user) = &membership.user {
        hub.remove_user_from_group(user, &membership.group);
    }
    inspection.recorder.group(membership.change(&hub, "leave"));
    Ok(to_json(&json!({})))
}
