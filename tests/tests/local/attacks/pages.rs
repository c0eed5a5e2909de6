//! Pages of other origins. With the well-known key any page can make a token, so pages of other sites are
//! refused. With a key of its own the service accepts clients from every page, as the cloud service does: its
//! tokens are not in cookies, so that a page can only use a token that it was given.

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::Full;
use hub_core::{Secret, token};
use hub_local::{LocalService, LocalServiceBuilder};
use serde_json::json;

use crate::{
    rest_support::rest_token,
    support::{
        App, Fixture, KEY, RestResponse, URL, client_token, request_to, unix_now, user_token,
    },
    wire::Wire,
};

const ALLOW_ORIGIN: &str = "access-control-allow-origin";
const SEND: &str = "/api/hubs/chat/:send";
const OWN_KEY: &str = "a key that is not public, 32 bytes";
const ROUTES: [(Method, &str); 10] = [
    (Method::OPTIONS, "/client/negotiate?hub=chat"),
    (Method::POST, "/client/negotiate?hub=chat"),
    (Method::GET, "/client/?hub=chat"),
    (Method::POST, "/client/?hub=chat&id=x"),
    (Method::DELETE, "/client/?hub=chat&id=x"),
    (Method::POST, SEND),
    (Method::OPTIONS, SEND),
    (Method::GET, "/api/v1/auth/accessKey"),
    (Method::GET, "/api/health"),
    (Method::GET, "/"),
];

async fn ask(
    service: &LocalService,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> RestResponse {
    let mut request = Request::new(Full::new(Bytes::from_static(br#"{"target":"m"}"#)));
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap();
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap()))
        .collect();
    *request.headers_mut() = headers;
    request_to(service, request).await
}

fn with_well_known_key(
    setting: impl FnOnce(LocalServiceBuilder) -> LocalServiceBuilder,
) -> LocalService {
    test_support::output::record();
    setting(LocalService::builder().key(KEY).upstream(App::silent())).build()
}

/// The status of a WebSocket request from a page with this origin, sent to this host.
async fn opened(service: &LocalService, key: &str, host: &str, origin: &str) -> u16 {
    let token = user_token(key, &format!("{URL}/client/?hub=chat"), "ada");
    let mut wire = Wire::pipe(service);
    let head = format!(
        "GET /client/?hub=chat&access_token={token} HTTP/1.1\r\nhost: {host}\r\norigin: {origin}\r\n\
         connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    wire.write(head.as_bytes()).await;
    wire.head().await.status
}

#[tokio::test(start_paused = true)]
async fn with_the_well_known_key_a_foreign_page_is_refused_on_every_route() {
    let service = with_well_known_key(|builder| builder);
    let client = format!("Bearer {}", client_token("ada"));
    let rest = format!("Bearer {}", rest_token(SEND));

    for (method, path) in ROUTES {
        for origin in ["https://evil.example", "null", "http://127.0.0.1.evil.example", "file://"] {
            for bearer in [None, Some(&client), Some(&rest)] {
                let headers: Vec<_> = std::iter::once(("origin", origin))
                    .chain(bearer.map(|bearer| ("authorization", bearer.as_str())))
                    .collect();
                let answer = ask(&service, method.clone(), path, &headers).await;
                let text = str::from_utf8(&answer.body).unwrap();
                assert_eq!(answer.status, 403, "{method} {path} {origin}");
                assert!(text.contains(&format!("--allow-origin {origin}")), "{text}");
                assert!(!answer.headers.contains_key(ALLOW_ORIGIN), "{method} {path} {origin}");
            }
        }
        // Native clients and servers send no origin.
        assert_ne!(ask(&service, method.clone(), path, &[]).await.status, 403, "{method} {path}");
    }
    assert_eq!(opened(&service, KEY, "127.0.0.1:8888", "https://evil.example").await, 403);
    let headers = [("authorization", rest.as_str()), ("content-type", "application/json")];
    assert_eq!(ask(&service, Method::POST, SEND, &headers).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn with_the_well_known_key_pages_of_this_machine_and_of_the_own_host_connect() {
    let service = with_well_known_key(|builder| {
        builder
            .public_url("https://live.example:8443")
            .allow_host("proxied.example")
            .allow_origin("https://app.example")
    });

    for (host, origin) in [
        // Two tabs of one page, and pages on other ports of this machine.
        ("127.0.0.1:8888", "http://127.0.0.1:7071"),
        ("127.0.0.1:8888", "http://localhost:5173"),
        ("localhost:8888", "http://[::1]:3000"),
        ("localhost:8888", "https://chat.localhost"),
        // A page of the same host: through a proxy that passes on the host, on a machine of the network, and
        // in a container.
        ("proxied.example", "https://proxied.example"),
        ("192.168.0.7:8888", "http://192.168.0.7:3000"),
        ("signalr:8888", "http://signalr:8080"),
        // A page of the public URL: through a proxy that does not pass on the host.
        ("127.0.0.1:8888", "https://live.example"),
        ("127.0.0.1:8888", "https://app.example"),
    ] {
        assert_eq!(opened(&service, KEY, host, origin).await, 101, "{host} {origin}");
        let preflight = ask(
            &service,
            Method::OPTIONS,
            "/client/negotiate?hub=chat",
            &[("origin", origin), ("host", host)],
        )
        .await;
        assert_eq!(preflight.status, 204, "{host} {origin}");
        assert_eq!(preflight.headers[ALLOW_ORIGIN], origin);
    }
    for origin in ["http://app.example", "https://app.example:8080", "https://other.example"] {
        assert_eq!(opened(&service, KEY, "127.0.0.1:8888", origin).await, 403, "{origin}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_secondary_key_counts_as_well_and_a_second_origin_line_hides_nothing() {
    let builder = LocalService::builder().key(OWN_KEY).secondary_key(KEY);
    assert_eq!(opened(&builder.build(), KEY, "localhost", "https://evil.example").await, 403);

    let lines = "http://localhost\r\norigin: https://evil.example";
    let service = with_well_known_key(|builder| builder);
    assert_eq!(opened(&service, KEY, "localhost", lines).await, 403);
}

#[tokio::test(start_paused = true)]
async fn with_a_key_of_its_own_a_foreign_page_needs_its_own_token() {
    let builder = LocalService::builder().key(OWN_KEY).upstream(App::silent());
    let service = builder.build();
    let audience = format!("{URL}/client/?hub=chat");
    let good = user_token(OWN_KEY, &audience, "ada");
    let cookies = format!("access_token={good}; Authorization=Bearer {good}; token={good}");
    let evil = ("origin", "https://evil.example");

    // Headers that a browser adds by itself do not authorize a request.
    for (method, path) in [
        (Method::POST, "/client/negotiate?hub=chat"),
        (Method::GET, "/client/?hub=chat"),
        (Method::POST, "/client/?hub=chat&id=x"),
        (Method::DELETE, "/client/?hub=chat&id=x"),
        (Method::POST, SEND),
    ] {
        let basic = ("authorization", "Basic YWRhOnB3");
        for headers in [&[evil][..], &[evil, ("cookie", &cookies)], &[evil, basic]] {
            let answer = ask(&service, method.clone(), path, headers).await;
            assert_eq!(answer.status, 401, "{method} {path} {headers:?}");
            assert!(!answer.headers.contains_key("set-cookie"));
        }
    }
    assert_eq!(opened(&service, OWN_KEY, "localhost", "https://evil.example").await, 101);

    // The REST API is for servers. No page may call it, even with a token, or read its responses.
    let asked = [evil, ("access-control-request-method", "POST")];
    for path in [SEND, "/api/v1/hubs/chat", "/api/v1/auth/accessKey", "/api/health"] {
        let preflight = ask(&service, Method::OPTIONS, path, &asked).await;
        assert!(preflight.status >= 400, "{path}");
        assert!(!preflight.headers.contains_key(ALLOW_ORIGIN), "{path}");
    }
    let claims = json!({ "aud": format!("{URL}{SEND}"), "exp": unix_now() + 3600 });
    let bearer = format!("Bearer {}", token::sign(&claims, &Secret::from(OWN_KEY)).unwrap());
    let headers = [evil, ("authorization", bearer.as_str()), ("content-type", "application/json")];
    let sent = ask(&service, Method::POST, SEND, &headers).await;
    assert_eq!(sent.status, 202);
    assert!(!sent.headers.contains_key(ALLOW_ORIGIN));
}

#[tokio::test(start_paused = true)]
async fn no_response_allows_any_origin_with_credentials() {
    let fixture = Fixture::new(App::silent());
    let bearer = format!("Bearer {}", client_token("ada"));
    for origin in [
        "https://evil",
        "http://localhost",
        "null",
        "*",
        "https://a.example, https://b.example",
        "",
    ] {
        for (method, path) in [
            (Method::OPTIONS, "/client/negotiate?hub=chat"),
            (Method::POST, "/client/negotiate?hub=chat"),
            (Method::GET, "/client/?hub=chat"),
            (Method::OPTIONS, SEND),
            (Method::GET, "/"),
        ] {
            for headers in
                [&[("origin", origin)][..], &[("origin", origin), ("authorization", &bearer)]]
            {
                let answer = ask(&fixture.service, method.clone(), path, headers).await;
                let allowed: Vec<_> = answer.headers.get_all(ALLOW_ORIGIN).iter().collect();
                assert!(allowed.iter().all(|it| *it != "*"), "{method} {path} {origin}");
                assert!(allowed.len() <= 1 && allowed.iter().all(|it| *it == origin));
                if !allowed.is_empty() {
                    assert_eq!(answer.headers["vary"], "Origin", "{method} {path} {origin}");
                }
            }
        }
    }
    // The response to a request without an origin allows no origin.
    let answer = ask(&fixture.service, Method::POST, "/client/negotiate?hub=chat", &[]).await;
    assert!(!answer.headers.contains_key(ALLOW_ORIGIN));
}
