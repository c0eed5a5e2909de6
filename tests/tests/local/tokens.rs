//! Accepted tokens, and attacks with tokens.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use hub_core::{Secret, token};
use hub_local::LocalService;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{App, Client, Fixture, KEY, URL, client_token, message, signed, unix_now};

const AUD: &str = "http://127.0.0.1:8888/client/?hub=chat";

fn connects(fixture: &Fixture, token: &str) -> Result<(), String> {
    let url = format!("{URL}/client/?hub=chat");
    let connected = fixture.service.connect_memory(&url, token);
    connected.map(drop).map_err(|error| {
        assert_eq!(error.status.as_u16(), 401);
        error.text
    })
}

fn with_audience(aud: &Value) -> String {
    signed(&json!({ "aud": aud, "exp": unix_now() + 60 }))
}

#[tokio::test(start_paused = true)]
async fn path_and_hub_of_an_audience_decide_and_its_host_does_not() {
    let fixture = Fixture::new(App::silent());

    for good in [
        AUD,
        "http://localhost/client/?hub=chat",
        "https://LOCALHOST/Client/?hub=CHAT",
        "http://127.0.0.1/client?hub=chat",
        "http://[::1]:5/client/?hub=chat&asrs.op=x",
        // The name of the service in Compose, while clients call it by another one.
        "http://signalr:8888/client/?hub=chat",
        "https://signalr.example/client/?hub=chat",
    ] {
        assert_eq!(connects(&fixture, &with_audience(&json!(good))), Ok(()), "{good}");
        assert_eq!(connects(&fixture, &with_audience(&json!(["x", good]))), Ok(()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_audience_is_refused_with_the_expected_value() {
    let fixture = Fixture::new(App::silent());

    for bad in [
        "http://localhost/client/?hub=other",
        "http://localhost/client/",
        "http://localhost/server/?hub=chat",
        "ftp://localhost/client/?hub=chat",
        "/client/?hub=chat",
        "chat",
        "",
    ] {
        let error = connects(&fixture, &with_audience(&json!(bad))).unwrap_err();
        assert!(error.contains("`aud` must be http://127.0.0.1:8888/client/?hub=chat"), "{bad}");
    }
    assert!(connects(&fixture, &signed(&json!({ "exp": unix_now() + 60 }))).is_err());
}

#[tokio::test(start_paused = true)]
async fn the_error_of_a_wrong_audience_names_the_public_url() {
    let fixture = Fixture::new(App::silent());

    fixture.service.set_public_url("https://signalr.example:8443/").unwrap();

    assert_eq!(fixture.service.public_url(), "https://signalr.example:8443");
    let error = connects(&fixture, &with_audience(&json!("x"))).unwrap_err();
    assert!(error.contains("must be https://signalr.example:8443/client/?hub=chat"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_number_as_user_id_is_the_user_of_that_text() {
    let fixture = Fixture::new(App::silent());
    let token = signed(&json!({ "aud": AUD, "exp": unix_now() + 60, "nameid": 42 }));
    let url = format!("{URL}/client/?hub=chat");
    let mut client = Client::in_memory(fixture.service.connect_memory(&url, &token).unwrap());
    client.handshake().await;

    assert_eq!(fixture.app.called("connected").await.header("x-asrs-user-id"), Some("42"));
    fixture.send("users/42/:send", "hi").await;
    assert_eq!(client.recv_text().await, message("hi"));

    let other = signed(&json!({ "aud": AUD, "exp": unix_now() + 60, "nameid": { "id": 42 } }));
    let error = connects(&fixture, &other).unwrap_err();
    assert_eq!(error, "the claim `nameid`, the user id, must be a text or an integer");
}

#[tokio::test(start_paused = true)]
async fn a_user_id_with_a_blank_at_an_end_is_refused_at_negotiate_and_at_connect() {
    let fixture = Fixture::new(App::silent());
    let text = "a user id must not begin or end with white space";
    for user in [" ada", "ada "] {
        let token = client_token(user);
        for path in ["/client/negotiate?hub=chat", "/client/?hub=chat"] {
            let request =
                Request::post(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
            let refused = fixture.request(request.body(Full::default()).unwrap()).await;
            assert_eq!((refused.status, &refused.body[..]), (400, text.as_bytes()), "{path}");
        }
        let refused = fixture.service.connect_memory(AUD, &token).unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.text.as_str()), (400, text));
    }
    assert!(fixture.service.connect_memory(AUD, &client_token("ada lovelace")).is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_expiry_as_text_and_two_credentials_in_one_header_are_named() {
    let fixture = Fixture::new(App::silent());
    let token = signed(&json!({ "aud": AUD, "exp": "4102444800" }));
    let error = connects(&fixture, &token).unwrap_err();
    assert_eq!(error, "`exp` must be a number of seconds since 1970 (RFC 7519, section 2)");

    let token = client_token("ada");
    for path in ["/client/negotiate?hub=chat", "/api/hubs/chat/:send"] {
        let request = Request::post(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}, Bearer {token}"));
        let refused = fixture.request(request.body(Full::default()).unwrap()).await;
        assert_eq!(refused.status, 401);
        let body = str::from_utf8(&refused.body).unwrap();
        assert!(body.contains("the Authorization header contains two credentials"), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_valid_for_sixty_seconds_after_its_expiry() {
    let fixture = Fixture::new(App::silent());
    let token = signed(&json!({ "aud": AUD, "exp": unix_now() + 10 }));

    sleep(Duration::from_secs(68)).await;
    assert_eq!(connects(&fixture, &token), Ok(()));
    sleep(Duration::from_secs(5)).await;

    let error = connects(&fixture, &token).unwrap_err();
    assert!(error.starts_with("the token expired"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_open_connection_outlives_its_token() {
    let fixture = Fixture::new(App::silent());
    let mut client = fixture.client("ada").await;
    let reading = async { while !client.recv_text().await.contains("late") {} };
    let sending = async {
        sleep(Duration::from_hours(3)).await;
        // The request is sent three hours later, so its token must still be valid at that time.
        let path = "/api/hubs/chat/:send";
        let claims = json!({ "aud": format!("{URL}{path}"), "exp": unix_now() + 20_000 });
        let request = Request::post(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", signed(&claims)))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from_static(br#"{"target":"late"}"#)));
        assert_eq!(fixture.request(request.unwrap()).await.status, 202);
    };

    tokio::join!(reading, sending);
}

#[tokio::test(start_paused = true)]
async fn forged_tokens_are_refused() {
    let fixture = Fixture::new(App::silent());
    let good = client_token("ada");
    let parts: Vec<&str> = good.split('.').collect();
    let foreign = token::sign(&json!({ "aud": AUD, "exp": 5 }), &Secret::from("other")).unwrap();
    // The headers `{"alg":"none"}` and `{"alg":"RS256","typ":"JWT"}`.
    let none = format!("eyJhbGciOiJub25lIn0.{}.", parts[1]);
    let rs256 = format!("eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.{}.{}", parts[1], parts[2]);
    let spliced =
        format!("{}.{}.{}", parts[0], client_token("eve").split('.').nth(1).unwrap(), parts[2]);
    let eternal = signed(&json!({ "aud": AUD }));

    for forged in [foreign, none, rs256, spliced, eternal, String::new(), "a.b.c".to_owned()] {
        assert!(connects(&fixture, &forged).is_err(), "{forged}");
    }
}

#[tokio::test(start_paused = true)]
async fn both_keys_are_accepted() {
    let service = LocalService::builder().key("another").secondary_key(KEY).build();

    assert!(service.connect_memory(AUD, &client_token("ada")).is_ok());
    let string = service.connection_string();
    assert_eq!(
        string.expose(),
        "Endpoint=http://127.0.0.1;Port=8888;AccessKey=another;Version=1.0;"
    );
}

#[tokio::test(start_paused = true)]
async fn the_default_key_is_random() {
    let (one, two) = (LocalService::builder().build(), LocalService::builder().build());

    assert_ne!(one.connection_string().expose(), two.connection_string().expose());
    assert!(!format!("{one:?}").contains("Key"));
}

async fn rest(fixture: &Fixture, path: &str, aud: &str) -> u16 {
    let token = with_audience(&json!(aud));
    let request = Request::post(path)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json");
    let body = Full::new(Bytes::from_static(br#"{"target":"m"}"#));
    fixture.request(request.body(body).unwrap()).await.status
}

#[tokio::test(start_paused = true)]
async fn rest_audiences_have_three_forms_at_any_host() {
    let fixture = Fixture::new(App::silent());
    let path = "/api/hubs/chat/users/a%2Fb/:send?api-version=2022-06-01&excluded=x";
    let plain = "/api/hubs/chat/users/a%2Fb/:send";

    for aud in [
        format!("https://signalr{plain}"),
        format!("http://127.0.0.1:8888{plain}"),
        format!("http://localhost{plain}?api-version=2022-06-01"),
        format!("https://Localhost:8888{plain}"),
        "http://localhost/api/hubs/Chat/users/a%2fb/:send".to_owned(),
        "http://localhost/api/hubs/chat/users/a/b/:send".to_owned(),
        format!("https://proxy.example{plain}"),
    ] {
        assert_eq!(rest(&fixture, path, &aud).await, 202, "{aud}");
    }
    let other = format!("http://localhost{plain}").replace("chat", "other");
    assert_eq!(rest(&fixture, path, &other).await, 401);
}

#[tokio::test(start_paused = true)]
async fn a_rest_token_is_for_one_resource_and_a_client_token_for_none() {
    let fixture = Fixture::new(App::silent());
    let path = "/api/hubs/chat/:send";

    for aud in ["http://localhost/api/hubs/other/:send", "http://localhost/api/hubs/chat", AUD] {
        assert_eq!(rest(&fixture, path, aud).await, 401, "{aud}");
    }
    let without = Request::post(path).body(Full::new(Bytes::new())).unwrap();
    let answer = fixture.request(without).await;
    assert_eq!(answer.outcome(), (401, Some("Error.Request.Unauthorized")));
}
