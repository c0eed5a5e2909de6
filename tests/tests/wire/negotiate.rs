//! The negotiate route: accepted and refused requests, the claims of the token, and CORS.

use http::{Request, StatusCode};
use http_body_util::Empty;
use hub_runtime::{BuildProblem, HubApp, prelude::*};
use serde_json::Value;

use crate::support::{AppResponse, KEY, answer, app, builder_at};

struct Loop;

#[serverless_hub]
impl Loop {
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        match request.bearer_token() {
            Some("ada") => Ok(Negotiation::user("ada").claim("role", "a").claim("role", "b, c: d")),
            Some("big") => Ok(Negotiation::user("big").claim("photo", "x".repeat(3000))),
            Some("crlf") => Ok(Negotiation::user("a\r\nX-Evil: 1")),
            Some("blank") => Ok(Negotiation::user(" ada")),
            Some("panic") => panic!("secret"),
            Some("app service") => match request.app_service_user() {
                Some(user) => Ok(Negotiation::user(user.id)),
                None => Err(HubError::denied("not behind App Service")),
            },
            Some(_) => Err(HubError::rejected("what is that?")),
            None => Err(HubError::unauthenticated("Sign in first")),
        }
    }
}

struct NoNegotiate;

#[serverless_hub]
impl NoNegotiate {}

async fn negotiate(app: &HubApp, path: &str, token: Option<&str>) -> AppResponse {
    let mut request = Request::post(path).header("origin", "https://app.example");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    answer(app, request.body(Empty::<bytes::Bytes>::new()).unwrap()).await
}

async fn as_user(token: Option<&str>) -> AppResponse {
    negotiate(&app(Loop), "/loop/negotiate?negotiateVersion=1", token).await
}

fn claims_of(token: &str) -> serde_json::Map<String, Value> {
    hub_core::token::verify(token, &[KEY.into()], 0, u64::MAX / 2).unwrap()
}

#[tokio::test]
async fn a_handler_of_the_app_makes_url_and_token_for_a_client() {
    let app = app(NoNegotiate);

    let ada = Negotiation::user("ada").claim("role", "admin");
    let info = app.negotiate::<NoNegotiate>(ada).await.unwrap();

    let body = serde_json::to_value(&info).unwrap();
    assert_eq!(body["url"], "http://127.0.0.1:1/client/?hub=nonegotiate");
    let claims = claims_of(body["accessToken"].as_str().unwrap());
    let sealed = claims[hub_core::seal::CLAIM].as_str().unwrap();
    let identity = hub_core::seal::open(
        sealed,
        &[hub_core::seal::SealKey::derive(&hub_core::Secret::from(KEY))],
    )
    .unwrap();
    assert_eq!(identity.user_id.as_deref(), Some("ada"));
    assert_eq!(identity.claims.get("role"), Some("admin"));
    assert!(!format!("{info:?}").contains(&info.access_token));
}

#[tokio::test]
async fn a_handler_of_the_app_gets_an_error_for_a_client_without_a_token() {
    let app = app(NoNegotiate);
    let failed = async |negotiation| {
        app.negotiate::<NoNegotiate>(negotiation).await.unwrap_err().to_string()
    };

    let empty = failed(Negotiation::user("")).await;
    let long = failed(Negotiation::user("a").claim("photo", "x".repeat(3000))).await;

    assert!(empty.contains("user id"), "{empty}");
    assert!(long.ends_with("use fewer or shorter claims"), "{long}");
    app.shutdown().await;
    assert_eq!(failed(Negotiation::anonymous()).await, "the app is shutting down");
}

#[tokio::test]
async fn negotiate_redirects_to_the_service_with_a_sealed_token() {
    let answered = as_user(Some("ada")).await;

    assert_eq!(answered.status, StatusCode::OK);
    assert_eq!(answered.headers["content-type"], "application/json");
    let body: Value = serde_json::from_str(&answered.body).unwrap();
    assert_eq!(body.as_object().unwrap().len(), 2);
    assert_eq!(body["url"], "http://127.0.0.1:1/client/?hub=loop");
    let claims = claims_of(body["accessToken"].as_str().unwrap());
    // The audience has no port, as in the official SDK.
    assert_eq!(claims["aud"], "http://127.0.0.1/client/?hub=loop");
    assert_eq!(claims["asrs.s.uid"], "ada");
    assert!(claims["shub"].as_str().unwrap().starts_with("1."));
    let lifetime = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert_eq!(lifetime, 3600);
}

#[tokio::test]
async fn each_refusal_has_its_status_and_text() {
    let shown = async |token| {
        let answered = as_user(token).await;
        assert_eq!(answered.headers["content-type"], "text/plain; charset=utf-8");
        (answered.status.as_u16(), answered.body)
    };

    assert_eq!(shown(None).await, (401, "Sign in first".to_owned()));
    assert_eq!(shown(Some("eve")).await, (400, "what is that?".to_owned()));
    assert_eq!(shown(Some("app service")).await.0, 403);
    assert_eq!(shown(Some("crlf")).await.0, 400);
    let blank = "a user id must not begin or end with white space".to_owned();
    assert_eq!(shown(Some("blank")).await, (400, blank));
    let (status, text) = shown(Some("panic")).await;
    assert_eq!(status, 500);
    assert!(text.contains("error id") && !text.contains("secret"));
}

#[tokio::test]
async fn a_token_above_the_service_limit_is_refused_with_its_size() {
    let answered = as_user(Some("big")).await;

    assert_eq!(answered.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answered.body.contains("4096"), "{}", answered.body);
}

#[tokio::test]
async fn every_documented_path_negotiates() {
    let app = app(Loop);

    for path in [
        "/loop/negotiate",
        "/LOOP/Negotiate",
        "/api/loop/negotiate",
        "/negotiate",
        "/api/negotiate",
    ] {
        assert_eq!(negotiate(&app, path, Some("ada")).await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(
        negotiate(&app, "/other/negotiate", Some("ada")).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_hub_without_negotiate_has_no_such_route() {
    let answered = negotiate(&app(NoNegotiate), "/nonegotiate/negotiate", None).await;

    assert_eq!(answered.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn app_service_headers_are_read_only_if_trusted() {
    let request = || {
        Request::post("/negotiate")
            .header("authorization", "Bearer app service")
            .header("x-ms-client-principal-id", "ada")
            .body(Empty::<bytes::Bytes>::new())
            .unwrap()
    };
    let trusting =
        builder_at("http://127.0.0.1:1", Loop).trust_app_service_headers().build().unwrap();

    assert_eq!(answer(&app(Loop), request()).await.status, StatusCode::FORBIDDEN);
    assert_eq!(answer(&trusting, request()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_allowed_origin_can_read_responses_and_refusals() {
    let app =
        builder_at("http://127.0.0.1:1", Loop).allow_origin("https://app.example").build().unwrap();

    for token in [Some("ada"), None] {
        let answered = negotiate(&app, "/loop/negotiate", token).await;

        assert_eq!(answered.headers["access-control-allow-origin"], "https://app.example");
        assert_eq!(answered.headers["access-control-allow-credentials"], "true");
        assert_eq!(answered.headers["vary"], "Origin");
    }
}

#[tokio::test]
async fn a_foreign_origin_gets_no_cors_headers() {
    let answered = as_user(Some("ada")).await;

    assert!(!answered.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_preflight_needs_no_token() {
    let app =
        builder_at("http://127.0.0.1:1", Loop).allow_origin("https://app.example").build().unwrap();
    let request = Request::options("/loop/negotiate?negotiateVersion=1")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,x-requested-with,x-signalr-user-agent",
        )
        .body(Empty::<bytes::Bytes>::new())
        .unwrap();

    let answered = answer(&app, request).await;

    assert_eq!(answered.status, StatusCode::NO_CONTENT);
    assert_eq!(answered.headers["access-control-allow-origin"], "https://app.example");
    assert_eq!(answered.headers["access-control-allow-methods"], "POST, OPTIONS");
    assert_eq!(
        answered.headers["access-control-allow-headers"],
        "authorization,x-requested-with,x-signalr-user-agent"
    );
}

#[tokio::test]
async fn a_wildcard_origin_is_a_start_up_error_among_others() {
    let built = builder_at("http://127.0.0.1:1", Loop).hub(Loop).allow_origin("*").build();

    let error = built.unwrap_err();
    let [BuildProblem::MountedTwice { name }, BuildProblem::InvalidOrigin { origin, problem }] =
        error.problems()
    else {
        panic!("{error}")
    };
    assert_eq!((name.as_str(), origin.as_str()), ("loop", "*"));
    assert!(problem.contains("`*` cannot be allowed"));
}
