//! The negotiate request of the service, and the use of its ids.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{App, Fixture, RestResponse, URL, client_token, signed, unix_now};

async fn request(
    fixture: &Fixture,
    method: Method,
    path: &str,
    token: Option<String>,
) -> RestResponse {
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap();
    if let Some(token) = token {
        let value = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    fixture.request(request).await
}

async fn negotiate(fixture: &Fixture, query: &str) -> RestResponse {
    let path = format!("/client/negotiate?{query}");
    request(fixture, Method::POST, &path, Some(client_token("ada"))).await
}

fn status(fixture: &Fixture, id: &str, user: &str) -> u16 {
    let url = format!("{URL}/client/?hub=chat&id={id}");
    match fixture.service.connect_memory(&url, &client_token(user)) {
        Ok(_) => 101,
        Err(error) => error.status.as_u16(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test(start_paused = true)]
async fn version_1_gives_a_public_id_and_a_secret_token() {
    let fixture = Fixture::new(App::silent());

    let answer = negotiate(&fixture, "hub=chat&negotiateVersion=1&unknown=x").await;

    let json = answer.json();
    let (id, token) = (text(&json["connectionId"]), text(&json["connectionToken"]));
    assert_eq!((id.len(), token.len()), (22, 22));
    assert_ne!(id, token);
    let expected = format!(
        "{{\"negotiateVersion\":1,\"connectionId\":\"{id}\",\"connectionToken\":\"{token}\",\
         \"availableTransports\":[{{\"transport\":\"WebSockets\",\"transferFormats\":[\"Text\",\"Binary\"]}},\
         {{\"transport\":\"ServerSentEvents\",\"transferFormats\":[\"Text\"]}},\
         {{\"transport\":\"LongPolling\",\"transferFormats\":[\"Text\",\"Binary\"]}}]}}"
    );
    assert_eq!(answer.body, expected);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(status(&fixture, id, "ada"), 404, "the public id opens nothing");
    assert_eq!(status(&fixture, token, "ada"), 101);
}

#[tokio::test(start_paused = true)]
async fn version_0_has_one_id_and_hub_and_names_ignore_case() {
    let fixture = Fixture::new(App::silent());

    let json = negotiate(&fixture, "HUB=Chat").await.json();

    assert_eq!(json["negotiateVersion"], 0);
    assert_eq!(json.get("connectionToken"), None);
    assert_eq!(status(&fixture, text(&json["connectionId"]), "ada"), 101);
}

#[tokio::test(start_paused = true)]
async fn the_connection_has_the_public_id() {
    let fixture = Fixture::new(App::silent());
    let json = negotiate(&fixture, "hub=chat&negotiateVersion=1").await.json();
    let url = format!("{URL}/client/?hub=chat&id={}", text(&json["connectionToken"]));
    let connection = fixture.service.connect_memory(&url, &client_token("ada")).unwrap();

    crate::support::Client::in_memory(connection).handshake().await;

    let call = fixture.app.called("connected").await;
    assert_eq!(call.header("x-asrs-connection-id"), json["connectionId"].as_str());
}

#[tokio::test(start_paused = true)]
async fn version_errors_are_in_the_negotiate_response() {
    let fixture = Fixture::new(App::silent());

    let answer = negotiate(&fixture, "hub=chat&negotiateVersion=x").await;

    assert_eq!(answer.status, 200);
    let error = "The client requested a non-integer protocol version.";
    assert_eq!(answer.json(), json!({ "error": error }));
}

#[tokio::test(start_paused = true)]
async fn a_negotiated_connection_must_be_opened_in_time_once_and_by_its_user() {
    let fixture = Fixture::new(App::silent());
    let token = |json: Value| text(&json["connectionToken"]).to_owned();
    let query = "hub=chat&negotiateVersion=1";
    let first = token(negotiate(&fixture, query).await.json());
    let second = token(negotiate(&fixture, query).await.json());
    let third = token(negotiate(&fixture, query).await.json());

    assert_eq!(status(&fixture, &first, "bob"), 403);
    let url = format!("{URL}/client/?hub=chat&id={second}");
    let open = fixture.service.connect_memory(&url, &client_token("ada")).unwrap();
    assert_eq!(status(&fixture, &second, "ada"), 409);
    drop(open);
    sleep(Duration::from_secs(15)).await;
    assert_eq!(status(&fixture, &second, "ada"), 404);
    assert_eq!(status(&fixture, &third, "ada"), 404);
    assert_eq!(status(&fixture, "unknown", "ada"), 404);
}

#[tokio::test(start_paused = true)]
async fn hub_and_http_method_are_checked_after_the_token() {
    let fixture = Fixture::new(App::silent());

    assert_eq!(negotiate(&fixture, "").await.status, 400);
    assert_eq!(negotiate(&fixture, "hub=chat&hub=chat").await.status, 400);
    assert_eq!(negotiate(&fixture, "hub=1%2F..").await.status, 400);
    let path = "/client/negotiate?hub=chat";
    assert_eq!(request(&fixture, Method::POST, path, None).await.status, 401);
    assert_eq!(request(&fixture, Method::GET, path, None).await.status, 405);
    assert_eq!(request(&fixture, Method::POST, "/client/negotiate", None).await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn an_invalid_user_id_is_refused() {
    let fixture = Fixture::new(App::silent());
    for user in ["..", ".", "a\nb"] {
        let aud = format!("{URL}/client/?hub=chat");
        let token = signed(&json!({ "aud": aud, "exp": unix_now() + 60, "nameid": user }));

        let path = "/client/negotiate?hub=chat";
        let answer = request(&fixture, Method::POST, path, Some(token)).await;

        assert_eq!(answer.status, 400, "{user:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn methods_and_ids_that_are_not_known_are_refused_after_the_token() {
    let fixture = Fixture::new(App::silent());
    let path = "/client/?hub=chat&id=x";
    let token = || Some(client_token("ada"));

    let polling = request(&fixture, Method::GET, path, token()).await;
    let unknown = request(&fixture, Method::PATCH, path, token()).await;

    assert_eq!(polling.status, 404);
    assert_eq!(polling.body, "No Connection with that ID");
    assert_eq!(unknown.status, 405);
    assert_eq!(request(&fixture, Method::GET, path, None).await.status, 401);
}
