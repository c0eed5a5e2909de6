//! The REST data plane of api-version 2022-06-01 to 2024-12-01, in JSON.

mod connections;
mod error;
mod groups;
mod payload;
mod route;
mod send;
mod users;

use std::sync::Arc;

use http::{Response, StatusCode, request::Parts};

use self::{
    error::RestError,
    route::{Operation, Route, To},
};
use crate::{
    body::{self, Body, RequestBody},
    hub::Hub,
    query::Query,
    state::State,
    token::{self, Destination},
    transport::client_routes::host,
};

/// A REST call whose token was checked.
pub(crate) struct Call<'a> {
    state: &'a Arc<State>,
    hub: Arc<Hub>,
    parts: &'a Parts,
    body: RequestBody,
}

impl Call<'_> {
    fn query(&self) -> Query<'_> {
        Query::new(self.parts.uri.query())
    }
}

type Answer = Result<Response<Body>, RestError>;

/// Answers a REST call.
pub(crate) async fn respond(
    state: &Arc<State>,
    parts: &Parts,
    body: RequestBody,
) -> Response<Body> {
    perform(state, parts, body).await.unwrap_or_else(RestError::into_response)
}

async fn perform(state: &Arc<State>, parts: &Parts, body: RequestBody) -> Answer {
    let path = parts.uri.path();
    let bearer = token::bearer(&parts.headers).flatten();
    token::rest(state, bearer, Destination { host: host(parts), path })
        .map_err(RestError::unauthorized)?;
    let Route { hub, operation } = Route::of(&parts.method, path)?;
    let hub = state.hub(&with_application(hub, Query::new(parts.uri.query()))?);
    run(Call { state, hub, parts, body }, operation).await
}

/// The effective name: an application's hubs have its name before theirs.
fn with_application(hub: String, query: Query<'_>) -> Result<String, RestError> {
    let Some(application) = query.first("application").filter(|it| !it.is_empty()) else {
        return Ok(hub);
    };
    route::check_hub(&application)?;
    let hub = format!("{application}_{hub}");
    route::check_hub(&hub)?;
    Ok(hub)
}

async fn run(call: Call<'_>, operation: Operation) -> Answer {
    match operation {
        Operation::Send(to) => send::send(call, &to).await,
        Operation::Close(to) => Ok(send::close(&call, &to)),
        Operation::Invoke { connection } => send::invoke(call, &connection).await,
        Operation::Exists(to) => exists(&call.hub, &to),
        Operation::CloseConnection { connection } => connections::close(&call, &connection),
        Operation::AddToGroup { connection, group } => groups::add(&call.hub, &connection, &group),
        Operation::RemoveFromGroup { connection, group } => {
            Ok(groups::remove(&call.hub, &connection, &group))
        }
        Operation::RemoveFromAllGroups { connection } => {
            Ok(groups::remove_from_all(&call.hub, &connection))
        }
        Operation::ListGroup { group } => groups::list(&call, &group),
        Operation::AddUserToGroup { user, group } => users::add(&call, &user, &group),
        Operation::IsUserInGroup { user, group } => users::is_member(&call.hub, &user, &group),
        Operation::RemoveUserFromGroup { user, group } => {
            Ok(users::remove(&call.hub, &user, &group))
        }
        Operation::RemoveUserFromAllGroups { user } => Ok(users::remove_from_all(&call.hub, &user)),
    }
}

fn exists(hub: &Hub, to: &To) -> Answer {
    let (found, code, message) = match to {
        To::Everyone => (true, "", ""),
        To::Group(group) => (
            !hub.group(group).is_empty(),
            "Warning.Group.NotExisted",
            "the group has no connections",
        ),
        To::User(user) => {
            (!hub.user(user).is_empty(), "Warning.User.NotExisted", "the user has no connections")
        }
        To::Connection(id) => {
            (hub.connection(id).is_some(), "Warning.Connection.NotExisted", "no such connection")
        }
    };
    if found { Ok(body::empty(StatusCode::OK)) } else { Err(RestError::missing(code, message)) }
}
