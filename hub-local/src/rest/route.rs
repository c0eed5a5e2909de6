//! Maps method and path to an operation.

use http::Method;
use percent_encoding::percent_decode_str;

use super::{error::RestError, segment};
use crate::query::split_at_byte;

const REFRESH: &str = ":refreshAuth";

/// The most segments of a path, without its prefix.
const MAX_SEGMENTS: usize = 7;

/// The resource of a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// The key that signs client tokens.
    AccessKey,
    /// An operation on a hub.
    Hub { hub: String, operation: Operation },
}

/// An operation on a hub or its members.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Send(Target),
    Close(Target),
    Exists(Target),
    Execute,
    GenerateToken,
    Invoke {
        connection: String,
    },
    /// New claims for the connection with this id. Without an id, the body has its token.
    Refresh {
        connection: Option<String>,
    },
    SendToStream,
    CompleteStream,
    CloseConnection {
        connection: String,
    },
    AddToGroup {
        connection: String,
        group: String,
    },
    RemoveFromGroup {
        connection: String,
        group: String,
    },
    RemoveFromAllGroups {
        connection: String,
    },
    ListGroup {
        group: String,
    },
    AddUserToGroup {
        user: String,
        group: String,
    },
    IsUserInGroup {
        user: String,
        group: String,
    },
    RemoveUserFromGroup {
        user: String,
        group: String,
    },
    RemoveUserFromAllGroups {
        user: String,
    },
}

/// The target of an operation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Everyone,
    Group(String),
    User(String),
    Connection(String),
}

impl Route {
    /// Finds the route of a request. `/api/v1` and `/api` have the same paths below them. As in the emulator,
    /// the fixed parts of a path may be percent-encoded or in another case, and a slash may follow the path.
    pub(super) fn of(method: &Method, path: &str) -> Result<Self, RestError> {
        match Self::of_usual(method, path) {
            Err(error) if error.is_no_operation() => Self::of_usual(method, &usual_spelling(path)),
            found => found,
        }
    }

    fn of_usual(method: &Method, path: &str) -> Result<Self, RestError> {
        let below = path.strip_prefix("/api/v1/").or_else(|| path.strip_prefix("/api/"));
        let mut rest = Some(below.ok_or_else(RestError::no_operation)?);
        let (mut segments, mut count) = ([""; MAX_SEGMENTS], 0);
        for segment in &mut segments {
            let Some(part) = rest.take() else { break };
            (*segment, rest) = split_at_byte(part, b'/');
            count += 1;
        }
        if rest.is_some() {
            return Err(RestError::no_operation());
        }
        match segments.get(..count).unwrap_or_default() {
            ["auth", "accessKey"] => only(method, &Method::GET, Self::AccessKey, "GET"),
            ["hubs", hub, below @ ..] => {
                let hub = segment::hub(hub)?;
                Ok(Self::Hub { hub, operation: operation(method, below)? })
            }
            _ => Err(RestError::no_operation()),
        }
    }
}

/// The path with its fixed parts in the spelling of the specification. Names stay as they are.
fn usual_spelling(path: &str) -> String {
    const COLLECTIONS: [&str; 5] = ["hubs", "groups", "users", "connections", "streams"];
    const OTHERS: [&str; 11] = [
        "api",
        "v1",
        "auth",
        "accessKey",
        ":send",
        ":closeConnections",
        ":execute",
        ":generateToken",
        ":invoke",
        REFRESH,
        ":complete",
    ];
    let (mut parts, mut is_name) = (Vec::new(), false);
    let mut rest = path.split('/').peekable();
    while let Some(part) = rest.next() {
        let fixed = || {
            let decoded = percent_decode_str(part).decode_utf8_lossy();
            COLLECTIONS.iter().chain(&OTHERS).find(|it| decoded.eq_ignore_ascii_case(it)).copied()
        };
        match (is_name, part) {
            // The slash at the end, except after a collection: an empty name is not the whole collection.
            (false, "") if rest.peek().is_none() => break,
            (true, name) => parts.push(name),
            (false, part) => parts.push(fixed().unwrap_or(part)),
        }
        // A name follows each collection.
        is_name = !is_name && parts.last().is_some_and(|part| COLLECTIONS.contains(part));
    }
    parts.join("/")
}

fn operation(method: &Method, below: &[&str]) -> Result<Operation, RestError> {
    match below {
        [] | [":send"] => post(method, Operation::Send(Target::Everyone)),
        [":closeConnections"] => post(method, Operation::Close(Target::Everyone)),
        [":execute"] => post(method, Operation::Execute),
        [":generateToken"] => post(method, Operation::GenerateToken),
        ["groups", group, below @ ..] => in_group(method, segment::group(group)?, below),
        ["users", user, below @ ..] => of_user(method, segment::user(user)?, below),
        ["connections", verb] if is_refresh(verb) => {
            post(method, Operation::Refresh { connection: None })
        }
        ["connections", id, below @ ..] => of_connection(method, segment::connection(id)?, below),
        _ => Err(RestError::no_operation()),
    }
}

/// Whether the part after `connections` is no connection id.
fn is_refresh(part: &str) -> bool {
    percent_decode_str(part).decode_utf8_lossy().eq_ignore_ascii_case(REFRESH)
}

fn in_group(method: &Method, group: String, below: &[&str]) -> Result<Operation, RestError> {
    match below {
        [] => send_or_exists(method, Target::Group(group)),
        [":send"] => post(method, Operation::Send(Target::Group(group))),
        [":closeConnections"] => post(method, Operation::Close(Target::Group(group))),
        ["connections"] => only(method, &Method::GET, Operation::ListGroup { group }, "GET"),
        ["connections", id] => membership(method, segment::connection(id)?, group),
        ["users", user] => user_membership(method, segment::user(user)?, group),
        _ => Err(RestError::no_operation()),
    }
}

fn of_user(method: &Method, user: String, below: &[&str]) -> Result<Operation, RestError> {
    match below {
        [] => send_or_exists(method, Target::User(user)),
        [":send"] => post(method, Operation::Send(Target::User(user))),
        [":closeConnections"] => post(method, Operation::Close(Target::User(user))),
        ["groups"] => delete(method, Operation::RemoveUserFromAllGroups { user }),
        ["groups", group] => user_membership(method, user, segment::group(group)?),
        _ => Err(RestError::no_operation()),
    }
}

fn of_connection(
    method: &Method,
    connection: String,
    below: &[&str],
) -> Result<Operation, RestError> {
    match below {
        [] if method == Method::DELETE => Ok(Operation::CloseConnection { connection }),
        [] => send_or_exists(method, Target::Connection(connection))
            .map_err(|_| RestError::method("DELETE, GET, HEAD, POST")),
        [":send"] => post(method, Operation::Send(Target::Connection(connection))),
        [":invoke"] => post(method, Operation::Invoke { connection }),
        [REFRESH] => post(method, Operation::Refresh { connection: Some(connection) }),
        ["groups"] => delete(method, Operation::RemoveFromAllGroups { connection }),
        ["groups", group] => membership(method, connection, segment::group(group)?),
        ["streams", stream, ":send"] => {
            segment::check_stream(stream)?;
            post(method, Operation::SendToStream)
        }
        ["streams", stream, ":complete"] => {
            segment::check_stream(stream)?;
            post(method, Operation::CompleteStream)
        }
        _ => Err(RestError::no_operation()),
    }
}

/// The resource itself: `POST` sends to it (v1), `GET` and `HEAD` check that it exists.
fn send_or_exists(method: &Method, to: Target) -> Result<Operation, RestError> {
    match *method {
        Method::GET | Method::HEAD => Ok(Operation::Exists(to)),
        Method::POST => Ok(Operation::Send(to)),
        _ => Err(RestError::method("GET, HEAD, POST")),
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

fn only<T>(
    method: &Method,
    wanted: &Method,
    found: T,
    allow: &'static str,
) -> Result<T, RestError> {
    if method == wanted { Ok(found) } else { Err(RestError::method(allow)) }
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
