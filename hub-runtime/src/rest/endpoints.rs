//! All paths and queries of the REST API (swagger of the data plane, versions 2022-06-01 to 2024-12-01).

use std::{fmt::Write, time::Duration};

use http::Method;
use hub_core::{
    names::encode_segment,
    outbound::{Change, Check, CloseTarget},
    rest_error,
};

/// The API version of most operations.
const VERSION: &str = "2022-06-01";
/// The first version with `:generateToken`.
const GENERATE_TOKEN: &str = "2022-11-01";
/// The first version with `:invoke` and group lists.
const NEWEST: &str = "2024-12-01";

/// Method, path and query of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) method: Method,
    /// Percent-encoded. Part of the token's audience.
    pub(crate) path: String,
    pub(crate) query: String,
}

impl Endpoint {
    fn new(method: Method, hub: &str, rest: &str) -> Self {
        let path = format!("/api/hubs/{}{rest}", encode_segment(hub));
        Self { method, path, query: format!("api-version={VERSION}") }
    }

    fn newest(mut self) -> Self {
        self.query = format!("api-version={NEWEST}");
        self
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        // Writing to a String cannot fail.
        let _ = write!(self.query, "&{name}={}", encode_segment(value));
        self
    }

    fn with_all(self, name: &str, values: &[String]) -> Self {
        values.iter().fold(self, |endpoint, value| endpoint.with(name, value))
    }
}

/// Checks the health of the service.
pub(crate) fn health() -> Endpoint {
    Endpoint { method: Method::HEAD, path: "/api/health".to_owned(), query: version(VERSION) }
}

/// Gets a temporary key that signs client tokens.
pub(crate) fn access_key() -> Endpoint {
    let path = "/api/v1/auth/accessKey".to_owned();
    Endpoint { method: Method::GET, path, query: String::new() }
}

/// Lets the service generate a client token.
pub(crate) fn generate_token(hub: &str, user: Option<&str>, minutes: u64) -> Endpoint {
    let mut endpoint = Endpoint::new(Method::POST, hub, "/:generateToken");
    endpoint.query = version(GENERATE_TOKEN);
    if let Some(user) = user {
        endpoint = endpoint.with("userId", user);
    }
    endpoint.with("minutesToExpire", &minutes.to_string())
}

fn version(version: &str) -> String {
    format!("api-version={version}")
}

/// The recipients of a message.
pub(crate) enum Send<'a> {
    All { excluded: &'a [String] },
    Connection(&'a str),
    Group { group: &'a str, excluded: &'a [String] },
    User(&'a str),
}

pub(crate) fn send(hub: &str, to: &Send<'_>) -> Endpoint {
    let post = |rest: &str| Endpoint::new(Method::POST, hub, rest);
    match to {
        Send::All { excluded } => post("/:send").with_all("excluded", excluded),
        Send::Connection(id) => post(&format!("/connections/{}/:send", encode_segment(id))),
        Send::Group { group, excluded } => {
            post(&format!("/groups/{}/:send", encode_segment(group))).with_all("excluded", excluded)
        }
        Send::User(user) => post(&format!("/users/{}/:send", encode_segment(user))),
    }
}

pub(crate) fn invoke(hub: &str, connection_id: &str) -> Endpoint {
    let rest = format!("/connections/{}/:invoke", encode_segment(connection_id));
    Endpoint::new(Method::POST, hub, &rest).newest()
}

pub(crate) fn change(hub: &str, change: &Change) -> Endpoint {
    let endpoint = |method, rest: &str| Endpoint::new(method, hub, rest);
    let group_member = |group: &str, id: &str| {
        format!("/groups/{}/connections/{}", encode_segment(group), encode_segment(id))
    };
    let user_group = |user: &str, group: &str| {
        format!("/users/{}/groups/{}", encode_segment(user), encode_segment(group))
    };
    match change {
        Change::JoinGroup { connection_id, group } => {
            endpoint(Method::PUT, &group_member(group, connection_id))
        }
        Change::LeaveGroup { connection_id, group } => {
            endpoint(Method::DELETE, &group_member(group, connection_id))
        }
        Change::LeaveAllGroups { connection_id } => endpoint(
            Method::DELETE,
            &format!("/connections/{}/groups", encode_segment(connection_id)),
        ),
        Change::UserJoinsGroup { user, group, ttl } => {
            let joined = endpoint(Method::PUT, &user_group(user, group));
            match ttl {
                Some(ttl) => joined.with("ttl", &whole_seconds(*ttl).to_string()),
                None => joined,
            }
        }
        Change::UserLeavesGroup { user, group } => {
            endpoint(Method::DELETE, &user_group(user, group))
        }
        Change::UserLeavesAllGroups { user } => {
            endpoint(Method::DELETE, &format!("/users/{}/groups", encode_segment(user)))
        }
        Change::Close { whom, reason } => {
            let closed = close(hub, whom);
            match reason {
                Some(reason) => closed.with("reason", reason),
                None => closed,
            }
        }
    }
}

/// A time to live in whole seconds. Rounds up, since the service treats zero differently. The service reads
/// a 32-bit integer.
fn whole_seconds(ttl: Duration) -> u64 {
    let begun = u64::from(ttl.subsec_nanos() > 0);
    ttl.as_secs().saturating_add(begun).min(i32::MAX as u64)
}

fn close(hub: &str, whom: &CloseTarget) -> Endpoint {
    let post = |rest: String, excluded: &[String]| {
        Endpoint::new(Method::POST, hub, &rest).with_all("excluded", excluded)
    };
    match whom {
        CloseTarget::Connection(id) => {
            Endpoint::new(Method::DELETE, hub, &format!("/connections/{}", encode_segment(id)))
        }
        CloseTarget::User { user, excluded } => {
            post(format!("/users/{}/:closeConnections", encode_segment(user)), excluded)
        }
        CloseTarget::Group { group, excluded } => {
            post(format!("/groups/{}/:closeConnections", encode_segment(group)), excluded)
        }
        CloseTarget::All { excluded } => post("/:closeConnections".to_owned(), excluded),
    }
}

/// The endpoint, and the error code that means `false`.
pub(crate) fn check(hub: &str, check: &Check) -> (Endpoint, &'static str) {
    let head = |rest: String| Endpoint::new(Method::HEAD, hub, &rest);
    match check {
        Check::ConnectionExists(id) => {
            (head(format!("/connections/{}", encode_segment(id))), rest_error::NO_CONNECTION)
        }
        Check::UserExists(user) => {
            (head(format!("/users/{}", encode_segment(user))), rest_error::NO_USER)
        }
        Check::GroupExists(group) => {
            (head(format!("/groups/{}", encode_segment(group))), rest_error::NO_GROUP)
        }
        Check::UserInGroup { user, group } => (
            head(format!("/users/{}/groups/{}", encode_segment(user), encode_segment(group))),
            "Info.User.NotInGroup",
        ),
    }
}

pub(crate) fn members(hub: &str, group: &str, continuation: Option<&str>) -> Endpoint {
    let rest = format!("/groups/{}/connections", encode_segment(group));
    let endpoint = Endpoint::new(Method::GET, hub, &rest).newest();
    match continuation {
        Some(token) => endpoint.with("continuationToken", token),
        None => endpoint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(endpoint: &Endpoint) -> String {
        format!("{} {}?{}", endpoint.method, endpoint.path, endpoint.query)
    }

    fn changed(what: &Change) -> String {
        line(&change("chat", what))
    }

    #[test]
    fn names_are_encoded_into_single_segments() {
        let to = Send::Group { group: "a/b ?#%é", excluded: &["c&1".to_owned(), "c2".to_owned()] };

        assert_eq!(
            line(&send("chat", &to)),
            "POST /api/hubs/chat/groups/a%2Fb%20%3F%23%25%C3%A9/:send?api-version=2022-06-01&excluded=c%261&excluded=c2"
        );
    }

    #[test]
    fn every_send_operation_has_its_path() {
        let sent = |to| line(&send("chat", &to));

        assert_eq!(
            sent(Send::All { excluded: &[] }),
            "POST /api/hubs/chat/:send?api-version=2022-06-01"
        );
        assert_eq!(
            sent(Send::User("ada")),
            "POST /api/hubs/chat/users/ada/:send?api-version=2022-06-01"
        );
        assert_eq!(
            sent(Send::Connection("c1")),
            "POST /api/hubs/chat/connections/c1/:send?api-version=2022-06-01"
        );
        assert_eq!(
            line(&invoke("chat", "c1")),
            "POST /api/hubs/chat/connections/c1/:invoke?api-version=2024-12-01"
        );
    }

    #[test]
    fn every_change_operation_has_its_path() {
        let (user, group) = ("ada".to_owned(), "g".to_owned());
        let connection_id = "c1".to_owned();

        assert_eq!(
            changed(&Change::JoinGroup {
                connection_id: connection_id.clone(),
                group: group.clone()
            }),
            "PUT /api/hubs/chat/groups/g/connections/c1?api-version=2022-06-01"
        );
        assert_eq!(
            changed(&Change::LeaveAllGroups { connection_id: connection_id.clone() }),
            "DELETE /api/hubs/chat/connections/c1/groups?api-version=2022-06-01"
        );
        assert_eq!(
            changed(&Change::UserJoinsGroup {
                user: user.clone(),
                group: group.clone(),
                ttl: Some(Duration::from_secs(60))
            }),
            "PUT /api/hubs/chat/users/ada/groups/g?api-version=2022-06-01&ttl=60"
        );
        assert_eq!(
            changed(&Change::UserLeavesGroup { user: user.clone(), group }),
            "DELETE /api/hubs/chat/users/ada/groups/g?api-version=2022-06-01"
        );
        assert_eq!(
            changed(&Change::UserLeavesAllGroups { user }),
            "DELETE /api/hubs/chat/users/ada/groups?api-version=2022-06-01"
        );
        assert_eq!(
            changed(&Change::Close {
                whom: CloseTarget::Connection(connection_id),
                reason: Some("bye bye".to_owned())
            }),
            "DELETE /api/hubs/chat/connections/c1?api-version=2022-06-01&reason=bye%20bye"
        );
        assert_eq!(
            changed(&Change::Close {
                whom: CloseTarget::All { excluded: vec!["c1".to_owned()] },
                reason: None
            }),
            "POST /api/hubs/chat/:closeConnections?api-version=2022-06-01&excluded=c1"
        );
    }

    #[test]
    fn a_time_to_live_is_whole_seconds_and_never_zero_by_rounding() {
        let ttl = |ttl| {
            let (user, group) = ("ada".to_owned(), "g".to_owned());
            let joined = Change::UserJoinsGroup { user, group, ttl: Some(ttl) };
            changed(&joined).rsplit_once('=').unwrap().1.to_owned()
        };

        assert_eq!(ttl(Duration::from_millis(1)), "1");
        assert_eq!(ttl(Duration::from_millis(1500)), "2");
        assert_eq!(ttl(Duration::ZERO), "0");
        assert_eq!(ttl(Duration::MAX), "2147483647");
    }

    #[test]
    fn every_check_has_its_path_and_its_negative_response() {
        let (endpoint, no) = check("chat", &Check::ConnectionExists("c1".to_owned()));

        assert_eq!(line(&endpoint), "HEAD /api/hubs/chat/connections/c1?api-version=2022-06-01");
        assert_eq!(no, "Warning.Connection.NotExisted");
    }

    #[test]
    fn a_member_list_uses_the_newest_version_and_continues() {
        assert_eq!(
            line(&members("chat", "g", Some("t=="))),
            "GET /api/hubs/chat/groups/g/connections?api-version=2024-12-01&continuationToken=t%3D%3D"
        );
    }
}
