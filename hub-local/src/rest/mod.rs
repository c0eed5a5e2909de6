//! The REST data plane: v1, 2020-10-01, and 2022-06-01 to 2024-12-01.

mod call;
mod connections;
mod encodings;
mod error;
mod execute;
mod filter;
mod groups;
mod invoke;
mod keys;
mod payload;
mod refresh;
mod route;
mod segment;
mod send;
mod streams;
mod users;
mod version;

use std::sync::Arc;

use http::{HeaderMap, Response, StatusCode, request::Parts};
use hub_core::{names, rest_error};

use self::{
    call::{RestCall, RestResult},
    error::RestError,
    route::{Operation, Route, Target},
    version::ApiVersion,
};
use hub_net::body::UnreadBody;

pub(crate) use self::{
    route::Target as Recipient,
    send::{send_for_inspector, send_in_process},
};
use crate::{
    auth,
    body::{self, Body},
    connection::Hub,
    query::Query,
    state::State,
};

const PREFIX: &str = "/api/";

/// Whether a path belongs to the REST API. The case of fixed parts does not matter, as in the emulator.
pub(crate) fn is_path(path: &str) -> bool {
    path.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// Responds to a REST call.
pub(crate) async fn respond(state: &Arc<State>, parts: &Parts, body: UnreadBody) -> Response<Body> {
    perform(state, parts, body).await.unwrap_or_else(|error| {
        error.log(&state.shared.log, parts);
        if let Some(recorder) = &state.shared.recorder {
            error.record(recorder, parts);
        }
        error.into_response(ApiVersion::of(parts.uri.path(), Query::new(parts.uri.query())))
    })
}

async fn perform(state: &Arc<State>, parts: &Parts, body: UnreadBody) -> RestResult {
    let limit = state.shared.limits.max_rest_header_bytes;
    if size(&parts.headers) > limit {
        return Err(RestError::headers(limit));
    }
    let path = parts.uri.path();
    let bearer = auth::bearer(&parts.headers).flatten();
    state.authority.rest(bearer, path).map_err(RestError::unauthorized)?;
    match Route::of(&parts.method, path)? {
        Route::AccessKey => keys::access_key(state, bearer),
        Route::Hub { hub, operation } => {
            let hub = state.hubs.hub(&with_application(hub, Query::new(parts.uri.query()))?);
            run(RestCall { state, hub, parts, body }, operation).await
        }
    }
}

/// The size of the headers on the wire in bytes.
fn size(headers: &HeaderMap) -> usize {
    let punctuation = ": \r\n".len();
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + punctuation).sum()
}

/// The effective hub name: `application_hub` if the query has an `application`.
fn with_application(hub: String, query: Query<'_>) -> Result<String, RestError> {
    let Some(application) = query.first("application").filter(|it| !it.is_empty()) else {
        return Ok(hub);
    };
    segment::check("application", names::check_hub(&application))?;
    let hub = format!("{application}_{hub}");
    segment::check("application", names::check_hub(&hub))?;
    Ok(hub)
}

async fn run(call: RestCall<'_>, operation: Operation) -> RestResult {
    match operation {
        Operation::Send(to) => send::send(call, &to).await,
        Operation::Close(to) => Ok(send::close(&call, &to)),
        Operation::Exists(to) => exists(&call.hub, &to),
        // Boxed: rare, and the future of a send is smaller without them.
        Operation::Execute => Box::pin(execute::execute(call)).await,
        Operation::GenerateToken => keys::generate_token(&call),
        Operation::Invoke { connection } => Box::pin(invoke::invoke(call, &connection)).await,
        Operation::Refresh { connection } => {
            Box::pin(refresh::refresh(call, connection.as_deref())).await
        }
        Operation::SendToStream => Box::pin(streams::send(call)).await,
        // No stream is ever open, see `streams`.
        Operation::CompleteStream => Ok(body::empty(StatusCode::ACCEPTED)),
        Operation::CloseConnection { connection } => connections::close(&call, &connection),
        Operation::AddToGroup { connection, group } => groups::add(&call, &connection, &group),
        Operation::RemoveFromGroup { connection, group } => {
            Ok(groups::remove(&call, &connection, &group))
        }
        Operation::RemoveFromAllGroups { connection } => {
            Ok(groups::remove_from_all(&call, &connection))
        }
        Operation::ListGroup { group } => groups::list(&call, &group),
        Operation::AddUserToGroup { user, group } => users::add(&call, &user, &group),
        Operation::IsUserInGroup { user, group } => users::is_member(&call, &user, &group),
        Operation::RemoveUserFromGroup { user, group } => Ok(users::remove(&call, &user, &group)),
        Operation::RemoveUserFromAllGroups { user } => Ok(users::remove_from_all(&call, &user)),
    }
}

fn exists(hub: &Hub, to: &Target) -> RestResult {
    let (found, code, message) = match to {
        Target::Everyone => (true, "", ""),
        Target::Group(group) => {
            (!hub.group(group).is_empty(), rest_error::NO_GROUP, "the group has no connections")
        }
        Target::User(user) => {
            (!hub.user(user).is_empty(), rest_error::NO_USER, "the user has no connections")
        }
        Target::Connection(id) => (
            hub.connection(id).is_some(),
            rest_error::NO_CONNECTION,
            "the connection does not exist",
        ),
    };
    if found { Ok(body::empty(StatusCode::OK)) } else { Err(RestError::missing(code, message)) }
}
