//! From method and path to an operation. A path is split before it is decoded, so a `/` in a name
//! stays a part of the name.

use http::Method;
use hub_core::names;
use percent_encoding::percent_decode_str;

use super::error::RestError;

/// A resource below `/api/hubs/{hub}`, and what can be done with it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Send(To),
    Close(To),
    Invoke { connection: String },
    Exists(To),
    CloseConnection { connection: String },
    AddToGroup { connection: String, group: String },
    RemoveFromGroup { connection: String, group: String },
    RemoveFromAllGroups { connection: String },
    ListGroup { group: String },
    AddUserToGroup { user: String, group: String },
    IsUserInGroup { user: String, group: String },
    RemoveUserFromGroup { user: String, group: String },
    RemoveUserFromAllGroups { user: String },
}

/// Whom an operation is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum To {
    Everyone,
    Group(String),
    User(String),
    Connection(String),
}

/// The hub of a path, and the operation.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) hub: String,
    pub(super) operation: Operation,
}

const READ: &str = "GET, HEAD";

impl Route {
    /// Finds the operation of a request.
    pub(super) fn of(method: &Method, path: &str) -> Result<Self, RestError> {
        let rest = path.strip_prefix("/api/hubs/").ok_or_else(RestError::no_operation)?;
        let raw: Vec<&str> = rest.split('/').collect();
        let [hub, below @ ..] = raw.as_slice() else { return Err(RestError::no_operation()) };
        let hub = decode(hub)?;
        check_hub(&hub)?;
        Ok(Self { hub, operation: operation(method, below)? })
    }
}

/// Checks the name of a hub or of an application.
pub(super) fn check_hub(name: &str) -> Result<(), RestError> {
    names::check_hub(name).map_err(|error| RestError::invalid("hub", error.to_string()))
}

fn operation(method: &Method, below: &[&str]) -> Result<Operation, RestError> {
    match below {
        [":send"] => post(method, Operation::Send(To::Everyone)),
        [":closeConnections"] => post(method, Operation::Close(To::Everyone)),
        ["groups", group, verb @ (":send" | ":closeConnections")] => {
            to_many(method, verb, To::Group(self::group(group)?))
        }
        ["users", user, verb @ (":send" | ":closeConnections")] => {
            to_many(method, verb, To::User(self::user(user)?))
        }
        ["connections", id, ":send"] => {
            post(method, Operation::Send(To::Connection(connection(id)?)))
        }
        ["connections", id, ":invoke"] => {
            post(method, Operation::Invoke { connection: connection(id)? })
        }
        ["groups", group] => read(method, Operation::Exists(To::Group(self::group(group)?))),
        ["users", user] => read(method, Operation::Exists(To::User(self::user(user)?))),
        ["connections", id] => one_connection(method, connection(id)?),
        ["groups", group, "connections"] => {
            only(method, &Method::GET, Operation::ListGroup { group: self::group(group)? }, "GET")
        }
        ["groups", group, "connections", id] => {
            membership(method, connection(id)?, self::group(group)?)
        }
        ["connections", id, "groups"] => {
            let connection = connection(id)?;
            delete(method, Operation::RemoveFromAllGroups { connection })
        }
        ["users", user, "groups", group] => {
            user_membership(method, self::user(user)?, self::group(group)?)
        }
        ["users", user, "groups"] => {
            let user = self::user(user)?;
            delete(method, Operation::RemoveUserFromAllGroups { user })
        }
        _ => Err(RestError::no_operation()),
    }
}

fn to_many(method: &Method, verb: &str, to: To) -> Result<Operation, RestError> {
    post(method, if verb == ":send" { Operation::Send(to) } else { Operation::Close(to) })
}

fn one_connection(method: &Method, connection: String) -> Result<Operation, RestError> {
    match *method {
        Method::GET | Method::HEAD => Ok(Operation::Exists(To::Connection(connection))),
        Method::DELETE => Ok(Operation::CloseConnection { connection }),
        _ => Err(RestError::method("DELETE, GET, HEAD")),
    }
}

fn membership(method: &Method, connection: String, group: String) -> Result<Operation, RestError> {
    match *method {
        Method::PUT => Ok(Operation::AddToGroup { connection, group }),
        Method::DELETE => Ok(Operation::RemoveFromGroup { connection, group }),
        _ => Err(RestError::method("DELETE, PUT")),
    }
}

fn user_membership(method: &Method, user: String, group: String) -> Result<Operation, RestError> {
    match *method {
        Method::PUT => Ok(Operation::AddUserToGroup { user, group }),
        Method::DELETE => Ok(Operation::RemoveUserFromGroup { user, group }),
        Method::GET | Method::HEAD => Ok(Operation::IsUserInGroup { user, group }),
        _ => Err(RestError::method("DELETE, GET, HEAD, PUT")),
    }
}

fn post(method: &Method, operation: Operation) -> Result<Operation, RestError> {
    only(method, &Method::POST, operation, "POST")
}

fn delete(method: &Method, operation: Operation) -> Result<Operation, RestError> {
    only(method, &Method::DELETE, operation, "DELETE")
}

fn read(method: &Method, operation: Operation) -> Result<Operation, RestError> {
    if method == Method::HEAD { Ok(operation) } else { only(method, &Method::GET, operation, READ) }
}

fn only(
    method: &Method,
    wanted: &Method,
    operation: Operation,
    allow: &'static str,
) -> Result<Operation, RestError> {
    if method == wanted { Ok(operation) } else { Err(RestError::method(allow)) }
}

fn group(segment: &str) -> Result<String, RestError> {
    let name = decode(segment)?;
    names::check_group(&name).map_err(|error| RestError::invalid("group", error.to_string()))?;
    Ok(name)
}

fn user(segment: &str) -> Result<String, RestError> {
    let id = decode(segment)?;
    names::check_user(&id).map_err(|error| RestError::invalid("user", error.to_string()))?;
    Ok(id)
}

fn connection(segment: &str) -> Result<String, RestError> {
    let id = decode(segment)?;
    names::check_connection_id(&id)
        .map_err(|error| RestError::invalid("connection", error.to_string()))?;
    Ok(id)
}

fn decode(segment: &str) -> Result<String, RestError> {
    percent_decode_str(segment)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| RestError::invalid("path", "the path is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(method: &Method, below: &str) -> Result<Operation, u16> {
        Route::of(method, &format!("/api/hubs/chat/{below}"))
            .map(|route| route.operation)
            .map_err(|error| error.into_response().status().as_u16())
    }

    #[test]
    fn a_slash_in_a_name_stays_in_the_name() {
        let found = route(&Method::PUT, "groups/a%2Fb/connections/c%20d").unwrap();

        let (connection, group) = ("c d".to_owned(), "a/b".to_owned());
        assert_eq!(found, Operation::AddToGroup { connection, group });
        assert_eq!(route(&Method::POST, "groups/a/b/:send"), Err(404));
    }

    #[test]
    fn a_verb_is_one_only_when_it_is_not_encoded() {
        let sent = route(&Method::POST, "users/%3Asend/:send").unwrap();

        assert_eq!(sent, Operation::Send(To::User(":send".to_owned())));
        assert_eq!(route(&Method::POST, "users/x/%3Asend"), Err(404));
    }

    #[test]
    fn dots_are_refused_in_every_spelling() {
        for dots in ["..", ".", "%2e%2e", "%2E", ".%2e"] {
            assert_eq!(route(&Method::POST, &format!("groups/{dots}/:send")), Err(400), "{dots}");
            assert_eq!(route(&Method::HEAD, &format!("users/{dots}")), Err(400), "{dots}");
            assert_eq!(route(&Method::HEAD, &format!("connections/{dots}")), Err(400), "{dots}");
        }
        assert_eq!(route(&Method::POST, "groups//:send"), Err(400));
        assert_eq!(route(&Method::POST, "groups/%FF/:send"), Err(400));
        assert_eq!(route(&Method::POST, "groups/a%0Ab/:send"), Err(400));
    }

    #[test]
    fn wrong_methods_and_unknown_paths_differ() {
        assert_eq!(route(&Method::GET, ":send"), Err(405));
        assert_eq!(route(&Method::POST, "groups/a"), Err(405));
        assert_eq!(route(&Method::GET, "groups/a/connections/b"), Err(405));
        assert_eq!(route(&Method::GET, "unknown"), Err(404));
        assert_eq!(route(&Method::GET, ""), Err(404));
    }

    #[test]
    fn the_hub_is_checked() {
        let of = |path| Route::of(&Method::POST, path).map(|route| route.hub);

        assert_eq!(of("/api/hubs/chat/:send").unwrap(), "chat");
        assert!(of("/api/hubs/1chat/:send").is_err());
        assert!(of("/api/hubs/../:send").is_err());
        assert!(of("/api/hubs").is_err());
    }
}
