//! Sends, closes, existence checks, and the errors of REST calls.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::Full;
use serde_json::json;

use crate::support::{App, Fixture, URL, message, signed, unix_now};

#[tokio::test(start_paused = true)]
async fn messages_reach_everyone_users_and_connections() {
    let fixture = Fixture::new(App::silent());
    let (mut ada, id) = fixture.client_and_id("ada").await;
    let (mut bob, other) = fixture.client_and_id("bob").await;

    fixture.send(":send?api-version=2022-06-01", "all").await;
    fixture.send("users/bob/:send", "bob").await;
    fixture.send(&format!("connections/{id}/:send"), "ada").await;
    fixture.send(&format!(":send?excluded=x&excluded={other}"), "not bob").await;
    fixture.send("users/absent/:send", "to no client").await;
    fixture.send("connections/absent/:send", "to no client").await;
    fixture.send("groups/absent/:send", "to no client").await;
    fixture.send(":send", "end").await;

    for text in ["all", "ada", "not bob", "end"] {
        assert_eq!(ada.recv_text().await, message(text));
    }
    for text in ["all", "bob", "end"] {
        assert_eq!(bob.recv_text().await, message(text));
    }
}

#[tokio::test(start_paused = true)]
async fn the_bytes_of_arguments_pass_through_in_both_spellings() {
    let fixture = Fixture::new(App::silent());
    let mut ada = fixture.client("ada").await;

    let body = r#"{"Target":"größe","Arguments":[ 1.50,{"b":1, "a":12345678901234567890}]}"#;
    assert_eq!(fixture.post(":send", body).await.status, 202);

    let arguments = r#"[ 1.50,{"b":1, "a":12345678901234567890}]"#;
    let expected = format!("{{\"type\":1,\"target\":\"größe\",\"arguments\":{arguments}}}\x1e");
    assert_eq!(ada.recv_text().await, expected);
}

#[tokio::test(start_paused = true)]
async fn an_application_has_separate_hubs() {
    let fixture = Fixture::new(App::silent());
    let url = format!("{URL}/client/?hub=App_Chat");
    let claims = json!({ "aud": url, "exp": unix_now() + 60 });
    let connection = fixture.service.connect_memory(&url, &signed(&claims)).unwrap();
    let mut client = crate::support::Client::in_memory(connection);
    client.handshake().await;
    let call = fixture.app.called("connected").await;
    assert_eq!(call.header("x-asrs-hub"), Some("app_chat"));

    fixture.send(":send", "other hub").await;
    fixture.send(":send?application=APP", "ours").await;

    assert_eq!(client.recv_text().await, message("ours"));
}

#[tokio::test(start_paused = true)]
async fn existence_checks_return_200_or_404_with_a_code() {
    let fixture = Fixture::new(App::silent());
    let (_ada, id) = fixture.client_and_id("ada").await;
    assert_eq!(fixture.status(Method::PUT, &format!("groups/g/connections/{id}")).await, 200);

    for method in [Method::HEAD, Method::GET] {
        for there in [format!("connections/{id}"), "users/ada".to_owned(), "groups/g".to_owned()] {
            assert_eq!(fixture.status(method.clone(), &there).await, 200, "{there}");
        }
        for (missing, code) in [
            ("connections/x", "Warning.Connection.NotExisted"),
            ("users/x", "Warning.User.NotExisted"),
            ("groups/x", "Warning.Group.NotExisted"),
            ("users/ada/groups/g", "Info.User.NotInGroup"),
        ] {
            let answer = fixture.rest(method.clone(), missing, "").await;
            assert_eq!(answer.outcome(), (404, Some(code)), "{missing}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn adding_an_unknown_connection_is_an_error_but_removing_it_is_not() {
    let fixture = Fixture::new(App::silent());

    let added = fixture.rest(Method::PUT, "groups/g/connections/x", "").await;

    assert_eq!(added.outcome(), (404, Some("Error.Connection.NotExisted")));
    assert_eq!(fixture.status(Method::DELETE, "groups/g/connections/x").await, 200);
    assert_eq!(fixture.status(Method::DELETE, "connections/x/groups").await, 200);
    assert_eq!(fixture.status(Method::DELETE, "users/x/groups/g").await, 204);
    assert_eq!(fixture.status(Method::DELETE, "users/x/groups").await, 204);
    let closed = fixture.rest(Method::DELETE, "connections/x", "").await;
    assert_eq!(closed.outcome(), (404, Some("Warning.Connection.NotExisted")));
}

#[tokio::test(start_paused = true)]
async fn a_closed_connection_gets_the_reason_and_no_longer_exists() {
    let fixture = Fixture::new(App::silent());
    let (mut ada, id) = fixture.client_and_id("ada").await;

    fixture.send(":send", "before").await;
    let below = format!("connections/{id}");
    assert_eq!(fixture.status(Method::DELETE, &format!("{below}?reason=go%20away")).await, 200);

    assert_eq!(fixture.status(Method::HEAD, &below).await, 404);
    assert_eq!(ada.recv_text().await, message("before"));
    assert_eq!(ada.recv_text().await, "{\"type\":7,\"error\":\"go away\"}\x1e");
    assert_eq!(ada.recv_text().await, "");
    let body = fixture.app.called("disconnected").await.body;
    assert_eq!(body, "{\"Type\":11,\"Error\":\"go away\"}");
}

#[tokio::test(start_paused = true)]
async fn all_except_excluded_connections_are_closed() {
    let fixture = Fixture::new(App::silent());
    let (mut ada, id) = fixture.client_and_id("ada").await;
    let mut bob = fixture.client("bob").await;
    let mut eve = fixture.client("eve").await;

    let below = format!(":closeConnections?excluded={id}");
    assert_eq!(fixture.status(Method::POST, &below).await, 204);
    assert_eq!(fixture.status(Method::POST, "groups/x/:closeConnections").await, 204);
    assert_eq!(bob.recv_text().await, "{\"type\":7}\x1e");
    assert_eq!(eve.recv_text().await, "{\"type\":7}\x1e");
    let below = "users/ada/:closeConnections?reason=bye";
    assert_eq!(fixture.status(Method::POST, below).await, 204);

    assert_eq!(ada.recv_text().await, "{\"type\":7,\"error\":\"bye\"}\x1e");
}

#[tokio::test(start_paused = true)]
async fn invalid_bodies_are_refused() {
    let fixture = Fixture::new(App::silent());
    let invalid = (400, Some("Error.Request.Invalid"));

    assert_eq!(fixture.post(":send", "").await.outcome(), invalid);
    assert_eq!(fixture.post(":send", "{}").await.outcome(), invalid);
    assert_eq!(fixture.post(":send", r#"{"target":""}"#).await.outcome(), invalid);
    let answer = fixture.post(":send", r#"{"target":"m","arguments":1}"#).await;
    assert_eq!(answer.outcome(), invalid);
    assert_eq!(answer.json()["target"], "body");
    assert!(answer.json()["message"].as_str().unwrap().contains("must be a list"));
}

#[tokio::test(start_paused = true)]
async fn a_body_over_1_mib_is_a_413() {
    let fixture = Fixture::new(App::silent());
    let fill = "x".repeat(1024 * 1024);

    let answer = fixture.post(":send", &format!("{{\"target\":\"{fill}\"}}")).await;

    assert_eq!(answer.outcome(), (413, Some("Error.Request.TooLarge")));
}

#[tokio::test(start_paused = true)]
async fn unknown_content_types_are_a_415_after_the_token_check() {
    let fixture = Fixture::new(App::silent());
    let path = "/api/hubs/chat/:send";
    let token = signed(&json!({ "aud": format!("{URL}{path}"), "exp": unix_now() + 60 }));
    let request = |content_type: Option<&str>, token: &str| {
        let mut request =
            Request::post(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let body = Full::new(Bytes::from_static(br#"{"target":"m"}"#));
        fixture.request(request.body(body).unwrap())
    };

    assert_eq!(request(Some("application/json; charset=utf-8"), &token).await.status, 202);
    assert_eq!(request(Some("text/plain"), &token).await.status, 415);
    assert_eq!(request(None, &token).await.status, 415);
    assert_eq!(request(None, "x").await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn wrong_methods_paths_and_ttls_are_errors() {
    let fixture = Fixture::new(App::silent());

    let wrong = fixture.rest(Method::GET, ":send", "").await;
    assert_eq!(wrong.outcome(), (405, Some("Error.Request.MethodNotAllowed")));
    assert_eq!(wrong.headers["allow"], "POST");
    assert_eq!(fixture.status(Method::GET, "nothing").await, 404);
    for (ttl, status) in [
        ("-1", 400),
        ("x", 400),
        ("1.5", 400),
        ("2147483648", 400),
        ("99999999999999999999", 400),
        ("2147483647", 200),
        ("%205", 200),
        ("", 200),
    ] {
        let below = format!("users/ada/groups/g?ttl={ttl}");
        assert_eq!(fixture.status(Method::PUT, &below).await, status, "{ttl}");
    }
}

#[tokio::test(start_paused = true)]
async fn health_needs_no_token() {
    let fixture = Fixture::new(App::silent());

    for path in ["/api/health", "/health"] {
        for method in [Method::HEAD, Method::GET] {
            let request = Request::builder().method(method).uri(path).body(Full::default());
            assert_eq!(fixture.request(request.unwrap()).await.status, 200);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_operation_waits_for_a_client_that_does_not_read() {
    let fixture = Fixture::new(App::silent());
    let (_stuck, id) = fixture.client_and_id("stuck").await;

    let work = async {
        for _ in 0..200 {
            fixture.send(":send", "x").await;
        }
        fixture.status(Method::DELETE, &format!("connections/{id}")).await
    };

    assert_eq!(tokio::time::timeout(Duration::from_millis(1), work).await.unwrap(), 200);
}
