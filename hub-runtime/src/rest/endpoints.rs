//! All paths and queries of the REST API (swagger of the data plane, versions 2022-06-01 to 2024-12-01).

use std::{fmt::Write, time::Duration};

use http::Method;
use hub_core::{
    names::encode_segment,
    outbound::{Change, Check, CloseTarget, Recipients},
    rest_error,
};

/// The API version of most operations.
const VERSION: &str = "2022-06-01";
/// The first version with `:generateToken`.
const GENERATE_TOKEN: &str = "2022-11-01";
/// The first version with `:invoke` and group lists.
const NEWEST: &str = "2024-12-01";
const REFRESH_AUTH: &str = ":refreshAuth";

/// Method, path and query of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) method: Method,
    /// Percent-encoded. Part of the token's audience.
    pub(crate) path: String,
    pub(crate) query: String,
}

impl Endpoint {
    /// Encodes each segment below the hub.
    fn new(method: Method, hub: &str, segments: &[&str]) -> Self {
        let mut path = format!("/api/hubs/{}", encode_segment(hub));
        for segment in segments {
            path.push('/');
            path.push_str(&encode_segment(segment));
        }
        Self { method, path, query: version(VERSION) }
    }

    /// Appends a verb, for example `:send`. Its colon is not encoded.
    fn verb(mut self, verb: &str) -> Self {
        self.path.push('/');
        self.path.push_str(verb);
        self
    }

    fn version(self, newest: &str) -> Self {
        Self { query: version(newest), ..self }
    }

    fn with<'a>(mut self, name: &str, values: impl IntoIterator<Item = &'a str>) -> Self {
        for value in values {
            // Writing to a String cannot fail.
            let _ = write!(self.query, "&{name}={}", encode_segment(value));
        }
        self
    }

    fn without(self, excluded: &[String]) -> Self {
        self.with("excluded", excluded.iter().map(String::as_str))
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
    let endpoint = Endpoint::new(Method::POST, hub, &[]).verb(":generateToken");
    let endpoint = endpoint.version(GENERATE_TOKEN).with("userId", user);
    endpoint.with("minutesToExpire", [minutes.to_string().as_str()])
}

fn version(version: &str) -> String {
    format!("api-version={version}")
}

pub(crate) fn send(hub: &str, to: &Recipients<'_>) -> Endpoint {
    let post = |segments: &[&str]| Endpoint::new(Method::POST, hub, segments).verb(":send");
    match to {
        Recipients::All { excluded } => post(&[]).without(excluded),
        Recipients::Connection(id) => post(&["connections", id]),
        Recipients::Group { group, excluded } => post(&["groups", group]).without(excluded),
        Recipients::User(user) => post(&["users", user]),
    }
}

pub(crate) fn invoke(hub: &str, connection_id: &str) -> Endpoint {
    let endpoint = Endpoint::new(Method::POST, hub, &["connections", connection_id]);
    endpoint.verb(":invoke").version(NEWEST)
}

pub(crate) fn change(hub: &str, change: &Change) -> Endpoint {
    let put = |segments: &[&str]| Endpoint::new(Method::PUT, hub, segments);
    let delete = |segments: &[&str]| Endpoint::new(Method::DELETE, hub, segments);
    match change {
        Change::JoinGroup { connection_id, group } => {
            put(&["groups", group, "connections", connection_id])
        }
        Change::LeaveGroup { connection_id, group } => {
            delete(&["groups", group, "connections", connection_id])
        }
        Change::LeaveAllGroups { connection_id } => {
            delete(&["connections", connection_id, "groups"])
        }
        Change::UserJoinsGroup { user, group, ttl } => {
            let ttl = ttl.map(|ttl| whole_seconds(ttl).to_string());
            put(&["users", user, "groups", group]).with("ttl", ttl.as_deref())
        }
        Change::UserLeavesGroup { user, group } => delete(&["users", user, "groups", group]),
        Change::UserLeavesAllGroups { user } => delete(&["users", user, "groups"]),
        Change::Close { whom, reason } => close(hub, whom).with("reason", reason.as_deref()),
        Change::Refresh { connection_id, .. } => {
            let endpoint = Endpoint::new(Method::POST, hub, &["connections", connection_id]);
            endpoint.verb(REFRESH_AUTH).version(NEWEST)
        }
    }
}

/// Refreshes the connection whose token is in the body. It is not settled which version has the operation.
pub(crate) fn refresh(hub: &str) -> Endpoint {
    Endpoint::new(Method::POST, hub, &["connections"]).verb(REFRESH_AUTH).version(NEWEST)
}

/// A time to live in whole seconds. Rounds up, since the service treats zero differently. The service reads
/// a 32-bit integer.
fn whole_seconds(ttl: Duration) -> u64 {
    let begun = u64::from(ttl.subsec_nanos() > 0);
    ttl.as_secs().saturating_add(begun).min(i32::MAX as u64)
}

fn close(hub: &str, whom: &CloseTarget) -> Endpoint {
    let post = |segments: &[&str], excluded: &[String]| {
        let endpoint = Endpoint::new(Method::POST, hub, segments);
        endpoint.verb(":closeConnections").without(excluded)
    };
    match whom {
        CloseTarget::Connection(id) => Endpoint::new(Method::DELETE, hub, &["connections", id]),
        CloseTarget::User { user, excluded } => post(&["users", user], excluded),
        CloseTarget::Group { group, excluded } => post(&["groups", group], excluded),
        CloseTarget::All { excluded } => post(&[], excluded),
    }
}

/// The endpoint, and the error code that means `false`.
pub(crate) fn check(hub: &str, check: &Check) -> (Endpoint, &'static str) {
    let head = |segments: &[&str]| Endpoint::new(Method::HEAD, hub, segments);
    match check {
        Check::ConnectionExists(id) => (head(&["connections", id]), rest_error::NO_CONNECTION),
        Check::UserExists(user) => (head(&["users", user]), rest_error::NO_USER),
        Check::GroupExists(group) => (head(&["groups", group]), rest_error::NO_GROUP),
        Check::UserInGroup { user, group } => {
            (head(&["users", user, "groups", group]), "Info.User.NotInGroup")
        }
    }
}

pub(crate) fn members(hub: &str, group: &str, continuation: Option<&str>) -> Endpoint {
    let endpoint = Endpoint::new(Method::GET, hub, &["groups", group, "connections"]);
    endpoint.version(NEWEST).with("continuationToken", continuation)
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
        let to = Recipients::Group {
            group: "a/b ?#%é",
            excluded: &["c&1".to_owned(), "c2".to_owned()],
        };

        assert_eq!(
            line(&send("chat", &to)),
            "POST /api/hubs/chat/groups/a%2Fb%20%3F%23%25%C3%A9/:send?api-version=2022-06-01&excluded=c%261&excluded=c2"
        );
    }

    #[test]
    fn every_send_operation_has_its_path() {
        let sent = |to| line(&send("chat", &to));

        assert_eq!(
            sent(Recipients::All { excluded: &[] }),
            "POST /api/hubs/chat/:send?api-version=2022-06-01"
        );
        assert_eq!(
            sent(Recipients::User("ada")),
            "POST /api/hubs/chat/users/ada/:send?api-version=2022-06-01"
        );
        assert_eq!(
            sent(Recipients::Connection("c1")),
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
        assert_eq!(
            changed(&Change::Refresh {
                connection_id: "c1".to_owned(),
                negotiation: hub_core::Negotiation::anonymous()
            }),
            "POST /api/hubs/chat/connections/c1/:refreshAuth?api-version=2024-12-01"
        );
        assert_eq!(
            line(&refresh("chat")),
            "POST /api/hubs/chat/connections/:refreshAuth?api-version=2024-12-01"
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
