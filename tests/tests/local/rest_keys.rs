//! Generated client tokens, and the access key.

use std::time::Duration;

use http::{Request, header::AUTHORIZATION};
use http_body_util::Full;
use hub_core::{Secret, token};
use hub_local::LocalService;
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use crate::{
    rest_support::{call, rest_token},
    support::{App, Client, Fixture, KEY, RestResponse, URL, message, segment, unix_now},
};

const PATH: &str = "/api/hubs/Chat/:generateToken?api-version=2022-11-01";

async fn generated(fixture: &Fixture, query: &str) -> RestResponse {
    call(fixture, "POST", &format!("{PATH}{query}"), &[], b"").await
}

fn claims(answer: &RestResponse) -> Map<String, Value> {
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let json = answer.json();
    assert_eq!(json.as_object().unwrap().len(), 1);
    let token = json["token"].as_str().unwrap();
    token::verify(token, &[Secret::from(KEY)], unix_now(), 5).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_generated_token_connects_its_user() {
    let fixture = Fixture::new(App::silent());
    let query = format!("&userId={}", segment("Zoë/😀"));
    let answer = generated(&fixture, &query).await;
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    claims(&answer);

    let url = format!("{URL}/client/?hub=chat");
    let mut client = Client::in_memory(fixture.service.connect_memory(&url, &token).unwrap());
    client.handshake().await;

    let connected = fixture.app.called("connected").await;
    assert_eq!(connected.header("x-asrs-user-id"), Some("Zoë/😀"));
    fixture.send(&format!("users/{}/:send", segment("Zoë/😀")), "hi").await;
    assert_eq!(client.recv_text().await, message("hi"));
}

#[tokio::test(start_paused = true)]
async fn a_generated_token_lasts_an_hour_or_the_requested_minutes() {
    let fixture = Fixture::new(App::silent());
    let lifetime = |claims: &Map<String, Value>| {
        claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap()
    };

    let anonymous = claims(&generated(&fixture, "").await);
    assert_eq!(lifetime(&anonymous), 3600);
    assert_eq!(anonymous["aud"], format!("{URL}/client/?hub=chat"));
    assert_eq!(anonymous.get("asrs.s.uid"), None);
    let short = claims(&generated(&fixture, "&minutesToExpire=1&userId=").await);
    assert_eq!(lifetime(&short), 60);
    assert_eq!(short.get("asrs.s.uid"), None);
    let application = claims(&generated(&fixture, "&application=App").await);
    assert_eq!(application["aud"], format!("{URL}/client/?hub=app_chat"));
}

#[tokio::test(start_paused = true)]
async fn a_generated_token_expires() {
    let fixture = Fixture::new(App::silent());
    let answer = generated(&fixture, "&minutesToExpire=1").await.json();
    let url = format!("{URL}/client/?hub=chat");
    let connect = || fixture.service.connect_memory(&url, answer["token"].as_str().unwrap());

    assert!(connect().is_ok());
    sleep(Duration::from_mins(3)).await;

    assert_eq!(connect().unwrap_err().status.as_u16(), 401);
}

#[tokio::test(start_paused = true)]
async fn invalid_minutes_and_users_are_refused() {
    let fixture = Fixture::new(App::silent());
    let long = format!("&userId={}", "x".repeat(4000));
    for (query, target) in [
        ("&minutesToExpire=0", "minutesToExpire"),
        ("&minutesToExpire=-1", "minutesToExpire"),
        ("&minutesToExpire=1.5", "minutesToExpire"),
        ("&minutesToExpire=2147483648", "minutesToExpire"),
        ("&minutesToExpire=99999999999999999999", "minutesToExpire"),
        ("&userId=..", "userId"),
        ("&userId=a%0Ab", "userId"),
        ("&userId=%20ada", "userId"),
        (&long, "userId"),
    ] {
        let answer = generated(&fixture, query).await;
        assert_eq!(answer.outcome(), (400, Some("Error.Request.Invalid")), "{query}");
        assert_eq!(answer.json()["target"], target);
    }
    assert_eq!(generated(&fixture, "&minutesToExpire=2147483647").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn the_access_key_is_the_one_that_signed_the_callers_token() {
    let fixture = Fixture::new(App::silent());

    for path in ["/api/auth/accessKey?api-version=2023-07-01", "/api/v1/auth/accessKey"] {
        let answer = call(&fixture, "GET", path, &[], b"").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.json()["AccessKey"], KEY);
        let id = answer.json()["KeyId"].as_str().unwrap().to_owned();
        assert_eq!(id.len(), 16);
        assert!(!KEY.contains(&id));
    }
    assert_eq!(call(&fixture, "POST", "/api/auth/accessKey", &[], b"").await.status, 405);
}

#[tokio::test(start_paused = true)]
async fn the_access_key_endpoint_returns_only_the_callers_key() {
    let service = LocalService::builder().key("the first").secondary_key(KEY).build();
    let fixture = Fixture { service, app: App::silent() };
    let path = "/api/auth/accessKey";

    assert_eq!(call(&fixture, "GET", path, &[], b"").await.json()["AccessKey"], KEY);
    let without = Request::get(path).body(Full::default()).unwrap();
    assert_eq!(fixture.request(without).await.status, 401);
    let foreign = json!({ "aud": format!("{URL}{path}"), "exp": unix_now() + 60 });
    let foreign = token::sign(&foreign, &Secret::from("foreign")).unwrap();
    let request = Request::get(path).header(AUTHORIZATION, format!("Bearer {foreign}"));
    let answer = fixture.request(request.body(Full::default()).unwrap()).await;
    assert_eq!(answer.outcome(), (401, Some("Error.Request.Unauthorized")));
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
    assert!(!rest_token(path).is_empty());
}
