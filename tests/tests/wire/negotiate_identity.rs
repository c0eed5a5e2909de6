//! The identity of a client before it connects: bearer tokens, App Service, and the options in the token for
//! the service.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hub_runtime::{HubApp, negotiate::TokenVerifier, prelude::*, testing::TestHub};
use serde_json::{Map, Value, json};
use test_support::World;

use crate::support::{AppResponse, KEY, answer, app, builder_at};

const SECRET: &str = "the identity provider's own secret";

struct Loop {
    tokens: TokenVerifier,
}

impl Default for Loop {
    fn default() -> Self {
        let tokens = TokenVerifier::hs256(SECRET).unwrap();
        Self { tokens: tokens.issuer("https://issuer.example").audience("loop") }
    }
}

#[serverless_hub]
impl Loop {
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        match request.query().get("as") {
            Some("bearer") => {
                let claims =
                    request.verified_claims(&self.tokens).map_err(HubError::unauthenticated)?;
                let user = claims.get("sub").or_reject("the token has no `sub`")?;
                Ok(Negotiation::user(user).copy_claims(&claims, ["roles"]))
            }
            Some("unverified") => {
                let claims = request.unverified_claims().or_reject("no token")?;
                Ok(Negotiation::anonymous().copy_claims(&claims, ["theme"]))
            }
            Some("app service") => {
                let user = request.app_service_user().or_reject("no App Service")?;
                let roles = user.claims.clone();
                Ok(Negotiation::user(&user.id)
                    .copy_claims(&roles, ["r"])
                    .claim("admin", user.has_role("admin").to_string()))
            }
            Some("all terms") => Ok(Negotiation::user("ada")
                .lifetime(Duration::from_secs(90))
                .close_on_expiry()
                .detailed_errors()
                .diagnostic_client()),
            _ => Ok(Negotiation::user("ada")),
        }
    }
}

async fn negotiate(app: &HubApp, how: &str, headers: &[(&str, &str)]) -> AppResponse {
    let mut request = Request::post(format!("/loop/negotiate?as={how}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(app, request.body(Empty::<Bytes>::new()).unwrap()).await
}

/// The claims of a client's access token.
fn given(answered: &AppResponse) -> Map<String, Value> {
    assert_eq!(answered.status, StatusCode::OK, "{}", answered.body);
    let body: Value = serde_json::from_str(&answered.body).unwrap();
    let token = body["accessToken"].as_str().unwrap();
    hub_core::token::verify(token, &[KEY.into()], 0, u64::MAX / 2).unwrap()
}

/// The application's claims inside the seal.
fn sealed(claims: &Map<String, Value>) -> Vec<(String, String)> {
    let key = hub_core::seal::SealKey::derive(&KEY.into());
    let identity = hub_core::seal::open(claims["shub"].as_str().unwrap(), &[key]).unwrap();
    identity.claims.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn bearer(claims: &Value, secret: &str) -> String {
    format!("Bearer {}", hub_core::token::sign(claims, &secret.into()).unwrap())
}

fn in_an_hour() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_secs() + 3600
}

#[tokio::test]
async fn a_verified_bearer_token_provides_user_and_roles() {
    let claims = json!({
        "iss": "https://issuer.example", "aud": ["other", "loop"], "sub": "ada",
        "roles": ["reader", "writer"], "email": "stays behind", "exp": in_an_hour(),
    });

    let answered =
        negotiate(&app(Loop::default()), "bearer", &[("authorization", &bearer(&claims, SECRET))])
            .await;

    let claims = given(&answered);
    assert_eq!(claims["asrs.s.uid"], "ada");
    let roles =
        [("roles", "reader"), ("roles", "writer")].map(|(n, v)| (n.to_owned(), v.to_owned()));
    assert_eq!(sealed(&claims), roles);
}

#[tokio::test]
async fn an_invalid_bearer_token_is_401_with_the_reason() {
    let app = app(Loop::default());
    let good = json!({ "iss": "https://issuer.example", "aud": "loop", "sub": "eve", "exp": in_an_hour() });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        bearer(&claims, SECRET)
    };
    let refused = async |token: String| {
        let answered = negotiate(&app, "bearer", &[("authorization", &token)]).await;
        (answered.status.as_u16(), answered.body)
    };

    let foreign = refused(bearer(&good, "another provider's secret, of full length")).await;
    assert_eq!(foreign, (401, "the token is not signed with a known key".to_owned()));
    let (status, expired) = refused(with("exp", json!(1000))).await;
    assert!(status == 401 && expired.starts_with("the token expired "), "{expired}");
    let issuer = refused(with("iss", json!("https://evil.example"))).await;
    assert_eq!(issuer, (401, "the token comes from another issuer (claim `iss`)".to_owned()));
    let audience = refused(with("aud", json!("shop"))).await;
    assert_eq!(audience, (401, "the token is meant for another audience (claim `aud`)".to_owned()));
    assert_eq!(refused(String::new()).await, (401, "there is no bearer token".to_owned()));
}

#[tokio::test]
async fn unverified_claims_are_read_from_any_token() {
    let token = bearer(&json!({ "theme": "dark" }), "whatever");

    let answered =
        negotiate(&app(Loop::default()), "unverified", &[("authorization", &token)]).await;

    assert_eq!(sealed(&given(&answered)), [("theme".to_owned(), "dark".to_owned())]);
}

#[tokio::test]
async fn the_app_service_principal_is_read_only_behind_app_service() {
    // {"auth_typ":"aad","role_typ":"r","claims":[{"typ":"r","val":"admin"},{"typ":"r","val":"a, b: c"}]}
    let principal = "eyJhdXRoX3R5cCI6ImFhZCIsInJvbGVfdHlwIjoiciIsImNsYWltcyI6W3sidHlwIjoiciIsInZhbCI6ImFkbWluIn0seyJ0eXAiOiJyIiwidmFsIjoiYSwgYjogYyJ9XX0=";
    let headers = [("x-ms-client-principal-id", "ada"), ("x-ms-client-principal", principal)];
    let trusting = builder_at("http://127.0.0.1:1", Loop::default()).trust_app_service_headers();

    let trusted = negotiate(&trusting.build().unwrap(), "app%20service", &headers).await;
    let not = negotiate(&app(Loop::default()), "app%20service", &headers).await;

    let claims = given(&trusted);
    assert_eq!(claims["asrs.s.uid"], "ada");
    let expected = [("r", "admin"), ("r", "a, b: c"), ("admin", "true")];
    assert_eq!(sealed(&claims), expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    assert_eq!((not.status.as_u16(), not.body.as_str()), (400, "no App Service"));
}

#[tokio::test]
async fn the_token_contains_the_options_of_the_negotiation() {
    let app = app(Loop::default());

    let all = given(&negotiate(&app, "all%20terms", &[]).await);
    let none = given(&negotiate(&app, "nothing", &[]).await);

    let lifetime = all["exp"].as_u64().unwrap() - all["iat"].as_u64().unwrap();
    assert_eq!(lifetime, 90);
    assert_eq!(all["asrs.s.coae"], "true");
    assert_eq!(all["asrs.s.aeo"], all["exp"].to_string());
    assert_eq!(all["asrs.s.derror"], "True");
    assert_eq!(all["asrs.s.dc"], "true");
    let system = none.keys().filter(|name| name.starts_with("asrs.s.")).collect::<Vec<_>>();
    assert_eq!(system, ["asrs.s.uid"]);
}

/// A hub whose `negotiate` sets the options that the bearer token names.
struct Terms;

#[serverless_hub]
impl Terms {
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        let given = Negotiation::user("ada").lifetime(Duration::from_secs(100));
        Ok(match request.bearer_token() {
            Some("detailed") => given.detailed_errors(),
            Some("expiring") => given.close_on_expiry(),
            Some("diagnostic") => given.close_on_expiry().diagnostic_client(),
            _ => given,
        })
    }
}

#[tokio::test]
async fn only_a_client_with_detailed_errors_gets_the_cause() {
    // The embedded service sends detailed errors to every client.
    let world = World::apart(Terms).await;
    let mut told = Vec::new();

    for terms in ["plain", "detailed"] {
        let mut client = world.connect(terms).await;
        client.send(&json!({ "type": 1 })).await;
        let closed = client.recv().await;
        assert_eq!(closed["type"], 7, "{closed}");
        told.push(closed["error"].as_str().unwrap().contains("ProtocolError: "));
    }

    assert_eq!(told, [false, true]);
}

#[tokio::test(start_paused = true)]
async fn a_diagnostic_client_is_not_closed_on_expiry() {
    let hub = TestHub::new(Terms);
    let client = async |terms: &str| {
        let request = Request::builder().header("authorization", format!("Bearer {terms}"));
        hub.negotiate(request.body(()).unwrap()).await.unwrap()
    };
    let (plain, expiring, diagnostic) =
        (client("plain").await, client("expiring").await, client("diagnostic").await);

    tokio::time::sleep(Duration::from_secs(200)).await;

    assert!(expiring.ended().is_some());
    assert_eq!((plain.ended(), diagnostic.ended()), (None, None));
}
