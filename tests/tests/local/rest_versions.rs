//! Every REST operation in every version of the API, byte for byte over a socket.

use crate::{
    rest_support::Server,
    support::{App, Fixture, message},
};

const MESSAGE: &str = r#"{"target":"m","arguments":["hi"]}"#;
const OK: &str = "200 OK";
const ACCEPTED: &str = "202 Accepted";
const NO_CONTENT: &str = "204 No Content";

/// The versions, each with a path prefix and a query.
const V1: (&str, &str) = ("/api/v1/hubs/chat", "");
const PREVIEW: (&str, &str) = ("/api/hubs/chat", "api-version=2020-10-01");
const VERSIONS: [&str; 7] =
    ["2022-06-01", "2022-11-01", "2023-07-01", "2024-12-01", "2026-07-01", "unknown", ""];

fn path((prefix, version): (&str, &str), below: &str) -> String {
    let separator = if below.contains('?') { "&" } else { "?" };
    match version {
        "" => format!("{prefix}{below}"),
        version => format!("{prefix}{below}{separator}{version}"),
    }
}

/// The bytes of a response without a body. A response that cannot have a body has no `content-length`.
fn empty(method: &str, status: &str) -> String {
    let bodiless = method == "HEAD" || status == NO_CONTENT;
    let length = if bodiless { "" } else { "content-length: 0\r\n" };
    format!("HTTP/1.1 {status}\r\n{length}connection: close\r\n\r\n")
}

/// The sorted lines of a response, because the order of headers is not significant.
fn lines(answer: &str) -> Vec<&str> {
    let mut lines: Vec<_> = answer.split("\r\n").collect();
    lines.sort_unstable();
    lines
}

/// Calls the operation in all versions. `statuses` are those of v1, of 2020-10-01 and of later versions.
async fn check(server: &Server, method: &str, below: &str, body: &str, statuses: [&str; 3]) {
    let [v1, preview, dated] = statuses;
    let later = VERSIONS.map(|version| format!("api-version={version}"));
    let later = later.iter().map(|version| (("/api/hubs/chat", version.as_str()), dated));
    for (version, status) in [(V1, v1), (PREVIEW, preview)].into_iter().chain(later) {
        let path = path(version, below);
        let answer = server.send(method, &path, body).await;
        assert_eq!(lines(&answer), lines(&empty(method, status)), "{method} {path}");
    }
}

#[tokio::test]
async fn sends_are_accepted_in_both_forms() {
    let fixture = Fixture::new(App::silent());
    let (mut ada, id) = fixture.client_and_id("ada").await;
    let server = Server::start(&fixture).await;
    let accepted = [ACCEPTED; 3];
    check(&server, "PUT", &format!("/groups/g/connections/{id}"), "", [OK; 3]).await;

    let resources = ["", "/groups/g", "/users/ada", &format!("/connections/{id}")];
    for resource in resources {
        check(&server, "POST", resource, MESSAGE, accepted).await;
        check(&server, "POST", &format!("{resource}/:send"), MESSAGE, accepted).await;
    }

    for _ in 0..resources.len() * 2 * (VERSIONS.len() + 2) {
        assert_eq!(ada.recv_text().await, message("hi"));
    }
}

#[tokio::test]
async fn excluded_connections_get_nothing_in_any_version() {
    let fixture = Fixture::new(App::silent());
    let (mut ada, ada_id) = fixture.client_and_id("ada").await;
    let (mut bob, bob_id) = fixture.client_and_id("bob").await;
    let server = Server::start(&fixture).await;

    let below = format!("/:send?excluded={ada_id}&excluded={bob_id}&excluded=x");
    check(&server, "POST", &below, MESSAGE, [ACCEPTED; 3]).await;
    check(&server, "POST", "", r#"{"Target":"end","Arguments":null}"#, [ACCEPTED; 3]).await;

    let end = "{\"type\":1,\"target\":\"end\",\"arguments\":[]}\x1e";
    assert_eq!(ada.recv_text().await, end);
    assert_eq!(bob.recv_text().await, end);
}

#[tokio::test]
async fn connection_membership_responses_are_equal_in_both_orders() {
    let fixture = Fixture::new(App::silent());
    let (_ada, id) = fixture.client_and_id("ada").await;
    let server = Server::start(&fixture).await;
    let orders = [format!("/groups/g/connections/{id}"), format!("/connections/{id}/groups/g")];

    for below in &orders {
        check(&server, "PUT", below, "", [OK; 3]).await;
        check(&server, "HEAD", "/groups/g", "", [OK; 3]).await;
        check(&server, "GET", "/groups/g", "", [OK; 3]).await;
        check(&server, "DELETE", below, "", [OK; 3]).await;
    }
    check(&server, "DELETE", &format!("/connections/{id}/groups"), "", [OK; 3]).await;
    check(&server, "DELETE", "/groups/g/connections/unknown", "", [OK; 3]).await;
}

#[tokio::test]
async fn user_membership_statuses_depend_on_the_version() {
    let fixture = Fixture::new(App::silent());
    let server = Server::start(&fixture).await;

    for below in ["/users/ada/groups/g", "/groups/g/users/ada"] {
        check(&server, "PUT", below, "", [ACCEPTED, ACCEPTED, OK]).await;
        check(&server, "PUT", &format!("{below}?ttl=60"), "", [ACCEPTED, ACCEPTED, OK]).await;
        check(&server, "HEAD", below, "", [OK; 3]).await;
        check(&server, "GET", below, "", [OK; 3]).await;
        check(&server, "DELETE", below, "", [ACCEPTED, OK, NO_CONTENT]).await;
    }
    check(&server, "DELETE", "/users/ada/groups", "", [OK, OK, NO_CONTENT]).await;
}

#[tokio::test]
async fn connections_are_checked_and_closed() {
    let fixture = Fixture::new(App::silent());
    let server = Server::start(&fixture).await;

    for (version, status) in [
        (V1, ACCEPTED),
        (PREVIEW, OK),
        (("/api/hubs/chat", "api-version=2022-06-01"), OK),
        (("/api/v1/hubs/chat", "api-version=2022-06-01"), ACCEPTED),
    ] {
        let (mut client, id) = fixture.client_and_id("ada").await;
        for method in ["HEAD", "GET"] {
            let path = path(version, &format!("/connections/{id}"));
            let answer = server.send(method, &path, "").await;
            assert_eq!(lines(&answer), lines(&empty(method, OK)));
        }
        let below = format!("/connections/{id}?reason=b%C3%BCe");
        let answer = server.send("DELETE", &path(version, &below), "").await;
        assert_eq!(lines(&answer), lines(&empty("DELETE", status)));
        assert_eq!(client.recv_text().await, "{\"type\":7,\"error\":\"büe\"}\x1e");
    }
    for below in ["/:closeConnections", "/groups/g/:closeConnections", "/users/u/:closeConnections"]
    {
        check(&server, "POST", below, "", [NO_CONTENT; 3]).await;
    }
}

/// The bytes of an error response of v1.
fn text_error(status: &str, code: &str, text: &str) -> String {
    let length = text.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\n\
         x-ms-error-code: {code}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{text}"
    )
}

/// The bytes of an error response of later versions.
fn json_error(status: &str, code: &str, json: &str) -> String {
    text_error(status, code, json).replace("text/plain; charset=utf-8", "application/json")
}

#[tokio::test]
async fn errors_are_text_in_v1_and_json_in_later_versions() {
    let fixture = Fixture::new(App::silent());
    let server = Server::start(&fixture).await;
    let dated = ("/api/hubs/chat", "api-version=2024-12-01");

    for (below, code, text) in [
        ("/connections/x", "Warning.Connection.NotExisted", "the connection does not exist"),
        ("/groups/x", "Warning.Group.NotExisted", "the group has no connections"),
        ("/users/x", "Warning.User.NotExisted", "the user has no connections"),
        ("/users/x/groups/g", "Info.User.NotInGroup", "the user is not in the group"),
        ("/groups/g/users/x", "Info.User.NotInGroup", "the user is not in the group"),
    ] {
        let status = "404 Not Found";
        let old = server.send("GET", &path(V1, below), "").await;
        assert_eq!(lines(&old), lines(&text_error(status, code, text)));
        let json = format!("{{\"code\":\"{code}\",\"message\":\"{text}\"}}");
        for version in [PREVIEW, dated] {
            let new = server.send("GET", &path(version, below), "").await;
            assert_eq!(lines(&new), lines(&json_error(status, code, &json)));
            let head = server.send("HEAD", &path(version, below), "").await;
            let (bodiless, _) = new.split_once("\r\n\r\n").unwrap();
            assert_eq!(lines(&head), lines(&format!("{bodiless}\r\n\r\n")));
        }
    }
    let code = "Error.Connection.NotExisted";
    let added = server.send("PUT", &path(dated, "/groups/g/connections/x"), "").await;
    let json = format!("{{\"code\":\"{code}\",\"message\":\"the connection does not exist\"}}");
    assert_eq!(lines(&added), lines(&json_error("404 Not Found", code, &json)));
    let closed = server.send("DELETE", &path(dated, "/connections/x"), "").await;
    assert!(closed.contains("x-ms-error-code: Warning.Connection.NotExisted\r\n"));
    let closed = server.send("DELETE", &path(V1, "/connections/x"), "").await;
    assert_eq!(lines(&closed), lines(&empty("DELETE", ACCEPTED)));
}

#[tokio::test]
async fn bad_requests_are_text_in_v1_and_json_in_later_versions() {
    let fixture = Fixture::new(App::silent());
    let server = Server::start(&fixture).await;
    let (status, code) = ("400 Bad Request", "Error.Request.Invalid");
    let text = "`target` must be a method name";

    let old = server.send("POST", "/api/v1/hubs/chat", "{}").await;
    let new = server.send("POST", "/api/hubs/chat/:send", "{}").await;

    assert_eq!(lines(&old), lines(&text_error(status, code, text)));
    let json = format!("{{\"code\":\"{code}\",\"message\":\"{text}\",\"target\":\"body\"}}");
    assert_eq!(lines(&new), lines(&json_error(status, code, &json)));
}
