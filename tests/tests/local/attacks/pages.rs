//! Pages of other origins. The service accepts clients from every page, as the cloud service does. Its tokens
//! are not in cookies, so that a page can only use a token that it was given.

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::Full;

use crate::{
    rest_support::rest_token,
    support::{App, Fixture, RestResponse, client_token},
};

const ALLOW_ORIGIN: &str = "access-control-allow-origin";
const SEND: &str = "/api/hubs/chat/:send";

async fn ask(
    fixture: &Fixture,
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
    fixture.request(request).await
}

#[tokio::test(start_paused = true)]
async fn a_foreign_page_needs_its_own_token() {
    let fixture = Fixture::new(App::silent());
    let good = client_token("ada");
    let cookies = format!("access_token={good}; Authorization=Bearer {good}; token={good}");
    let evil = ("origin", "https://evil");

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
            let answer = ask(&fixture, method.clone(), path, headers).await;
            assert_eq!(answer.status, 401, "{method} {path} {headers:?}");
            assert!(!answer.headers.contains_key("set-cookie"));
        }
    }

    // The REST API is for servers. No page may call it, even with a token, or read its responses.
    let asked = [evil, ("access-control-request-method", "POST")];
    for path in [SEND, "/api/v1/hubs/chat", "/api/v1/auth/accessKey", "/api/health"] {
        let preflight = ask(&fixture, Method::OPTIONS, path, &asked).await;
        assert!(preflight.status >= 400, "{path}");
        assert!(!preflight.headers.contains_key(ALLOW_ORIGIN), "{path}");
    }
    let bearer = format!("Bearer {}", rest_token(SEND));
    let headers = [evil, ("authorization", bearer.as_str()), ("content-type", "application/json")];
    let sent = ask(&fixture, Method::POST, SEND, &headers).await;
    assert_eq!(sent.status, 202);
    assert!(!sent.headers.contains_key(ALLOW_ORIGIN));
}

#[tokio::test(start_paused = true)]
async fn no_response_allows_any_origin_with_credentials() {
    let fixture = Fixture::new(App::silent());
    let bearer = format!("Bearer {}", client_token("ada"));
    for origin in ["https://evil", "null", "*", "https://a.example, https://b.example", ""] {
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
                let answer = ask(&fixture, method.clone(), path, headers).await;
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
    let answer = ask(&fixture, Method::POST, "/client/negotiate?hub=chat", &[]).await;
    assert!(!answer.headers.contains_key(ALLOW_ORIGIN));
}
