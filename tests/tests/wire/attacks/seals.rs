//! Invalid seals, and claims without a seal. The app verifies the seal before it reads the body.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context as TaskContext, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body::{Body, Frame};
use http_body_util::Full;
use hub_core::{
    Secret,
    seal::{self, Identity, SealKey},
    signature,
};
use hub_runtime::{HubApp, prelude::*};

use crate::support::{KEY, answer, invoke};

const CONNECTION: &str = "conn-0001";
const OLD_KEY: &str = "the access key before the last rotation";

struct Loop;

#[serverless_hub]
impl Loop {
    async fn claims(&self, ctx: &Context<Self>) -> HubResult<Vec<(String, String)>> {
        Ok(ctx.claims().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    #[filter(RequireClaim("role", "admin"))]
    async fn guarded(&self) -> HubResult<&'static str> {
        Ok("let in")
    }
}

struct Other;

#[serverless_hub(name = "Other")]
impl Other {}

fn signalr() -> SignalR {
    let text = format!("Endpoint=http://127.0.0.1:1;AccessKey={KEY};Version=1.0;");
    SignalR::from_connection_string(&text).unwrap()
}

fn app(signalr: SignalR) -> HubApp {
    test_support::output::record();
    HubApp::builder().signalr(signalr).hub(Loop).hub(Other).build().unwrap()
}

fn sealed(user: &str, hub: &str, role: &str, key: &str) -> String {
    let identity = Identity {
        hub: hub.to_owned(),
        user_id: Some(user.to_owned()),
        issued_at: 0,
        claims: [("role".to_owned(), role.to_owned())].into_iter().collect(),
    };
    seal::seal(&identity, &SealKey::derive(&Secret::from(key)))
}

fn by_ada(claims: &[u8]) -> Request<Full<Bytes>> {
    let mut request = invoke("guarded", "[]");
    let claims = HeaderValue::from_bytes(claims).unwrap();
    request.headers_mut().insert("x-asrs-user-claims", claims);
    request.headers_mut().insert("x-asrs-user-id", HeaderValue::from_static("ada"));
    request
}

fn with_seal(seal: impl AsRef<[u8]>) -> Request<Full<Bytes>> {
    by_ada(&[b"asrs.s.uid: ada, shub: ", seal.as_ref()].concat())
}

/// Changes a call into a call of `claims`, which returns the caller's claims.
fn asking(mut caller: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    caller.headers_mut().insert("x-asrs-event", HeaderValue::from_static("claims"));
    caller.map(|_| invoke("claims", "[]").into_body())
}

/// A body that panics when it is read.
struct Untouchable;

impl Body for Untouchable {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("the body was read")
    }
}

/// Checks that the app refuses the call and does not read its body.
async fn refused(app: &HubApp, request: Request<Full<Bytes>>) {
    let shown = format!("{:?}", request.headers());

    let answered = answer(app, request.map(|_| Untouchable)).await;

    assert_eq!(answered.status, 401, "{shown}");
}

async fn is_let_in(app: &HubApp, request: Request<Full<Bytes>>) -> bool {
    let answered = answer(app, request).await;
    assert!(answered.status == 200 || answered.status == 401, "{answered:?}");
    answered.body.contains("let in")
}

#[tokio::test]
async fn a_truncated_seal_is_refused_before_the_body_is_read() {
    let app = app(signalr());
    let good = sealed("ada", "loop", "admin", KEY);
    assert!(is_let_in(&app, with_seal(&good)).await);

    for length in 0..good.len() {
        refused(&app, with_seal(&good[..length])).await;
        refused(&app, with_seal(&good[good.len() - length..])).await;
    }
}

#[tokio::test]
async fn a_seal_with_a_changed_byte_is_refused_before_the_body_is_read() {
    let app = app(signalr());
    let good = sealed("ada", "loop", "admin", KEY).into_bytes();

    for at in 0..good.len() {
        for byte in [b'A', b'B', b'_', b'.', b'=', 0xFF] {
            let mut changed = good.clone();
            changed[at] = byte;
            if changed != good {
                refused(&app, with_seal(&changed)).await;
            }
        }
    }
}

#[tokio::test]
async fn a_seal_spliced_from_two_is_refused_before_the_body_is_read() {
    let app = app(signalr());
    let parts = |seal: String| seal.rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned()));
    let (member, of_member) = parts(sealed("ada", "loop", "member", KEY)).unwrap();
    let (admin, of_admin) = parts(sealed("ada", "loop", "admin", KEY)).unwrap();
    let (foreign, of_foreign) = parts(sealed("ada", "loop", "admin", "a foreign key")).unwrap();

    assert!(is_let_in(&app, with_seal(format!("{admin}.{of_admin}"))).await);
    for (body, mac) in [
        (&admin, &of_member),
        (&member, &of_admin),
        (&foreign, &of_foreign),
        (&foreign, &of_member),
        (&admin, &of_foreign),
        (&format!("{admin}.{of_admin}"), &of_admin),
    ] {
        refused(&app, with_seal(format!("{body}.{mac}"))).await;
    }
    let both = format!("{admin}.{of_admin}, shub: {member}.{of_member}");
    refused(&app, with_seal(both)).await;
}

#[tokio::test]
async fn a_seal_for_another_user_or_hub_is_refused_before_the_body_is_read() {
    let app = app(signalr());
    let replayed = || with_seal(sealed("ada", "loop", "admin", KEY));
    let mut bob = replayed();
    bob.headers_mut().insert("x-asrs-user-id", HeaderValue::from_static("bob"));
    let mut anonymous = replayed();
    anonymous.headers_mut().remove("x-asrs-user-id");
    let mut elsewhere = replayed();
    elsewhere.headers_mut().insert("x-asrs-hub", HeaderValue::from_static("other"));
    let mut two = replayed();
    two.headers_mut().append("x-asrs-user-id", HeaderValue::from_static("bob"));

    assert!(is_let_in(&app, replayed()).await);
    for request in [bob, anonymous, elsewhere, two] {
        refused(&app, request).await;
    }
    refused(&app, with_seal(sealed("bob", "loop", "admin", KEY))).await;
    refused(&app, with_seal(sealed("ada", "other", "admin", KEY))).await;
}

#[tokio::test]
async fn a_seal_of_an_old_key_is_valid_while_the_app_has_the_key() {
    let old = || with_seal(sealed("ada", "loop", "admin", OLD_KEY));
    let signed_with_it = || {
        let mut request = old();
        let signature = signature::sign(&Secret::from(OLD_KEY), CONNECTION);
        let signature = HeaderValue::from_str(&signature).unwrap();
        request.headers_mut().insert("x-asrs-signature", signature);
        request
    };
    let knows = app(signalr().previous_access_key(OLD_KEY));
    let forgot = app(signalr());

    assert!(is_let_in(&knows, old()).await);
    assert!(is_let_in(&knows, signed_with_it()).await);
    refused(&forgot, old()).await;
    refused(&forgot, signed_with_it()).await;
    // If a claims key is set, the app seals with the claims key. The service's key only signs.
    let apart = app(signalr().claims_key("a claims key of at least thirty-two bytes"));
    let other = sealed("ada", "loop", "admin", "a claims key of at least thirty-two bytes");
    assert!(is_let_in(&apart, with_seal(&other)).await);
    refused(&forgot, with_seal(&other)).await;
}

/// The forgery that [`SignalR::trust_plain_claims`] warns of: the service separates claims with commas and
/// does not escape commas, so a user can add claims with a display name.
const DISPLAY_NAME: &[u8] = b"name: x, role: admin";

#[tokio::test]
async fn with_trusted_plain_claims_a_display_name_can_add_a_role() {
    let trusting = app(signalr().trust_plain_claims());

    assert!(is_let_in(&trusting, by_ada(DISPLAY_NAME)).await);
    // A seal takes precedence over plain claims, even if the app trusts plain claims.
    let member = sealed("ada", "loop", "member", KEY);
    let both = [DISPLAY_NAME, b", shub: ", member.as_bytes()].concat();
    assert!(!is_let_in(&trusting, by_ada(&both)).await);
}

#[tokio::test]
async fn a_display_name_adds_no_claim() {
    let careful = app(signalr());

    assert!(!is_let_in(&careful, by_ada(DISPLAY_NAME)).await);
    let answered = answer(&careful, asking(by_ada(DISPLAY_NAME))).await;
    assert!(answered.body.contains(r#""result":[]"#), "{}", answered.body);
}

/// A hub whose clients get their tokens from its `negotiate`.
struct Negotiating;

#[serverless_hub(name = "Negotiating")]
impl Negotiating {
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    async fn who(&self, ctx: &Context<Self>) -> HubResult<(Option<String>, usize)> {
        Ok((ctx.user_id().map(str::to_owned), ctx.claims().len()))
    }
}

/// A genuine signature with user id and claims of the sender's choice, and without a seal.
fn unsealed() -> Request<Full<Bytes>> {
    let mut request = invoke("who", "[]");
    let headers = request.headers_mut();
    headers.insert("x-asrs-hub", HeaderValue::from_static("negotiating"));
    headers.insert("x-asrs-user-id", HeaderValue::from_static("admin"));
    headers.insert("x-asrs-user-claims", HeaderValue::from_static("role: admin"));
    request
}

#[tokio::test]
async fn without_a_seal_a_call_of_a_hub_that_negotiates_is_refused_before_the_body_is_read() {
    let app = HubApp::builder().signalr(signalr()).hub(Negotiating).build().unwrap();
    let without_claims = || {
        let mut request = unsealed();
        request.headers_mut().remove("x-asrs-user-claims");
        request
    };
    let (mut came, mut left) = (without_claims(), without_claims());
    for (request, event) in [(&mut came, "connected"), (&mut left, "disconnected")] {
        request.headers_mut().insert("x-asrs-category", HeaderValue::from_static("connections"));
        request.headers_mut().insert("x-asrs-event", HeaderValue::from_static(event));
    }

    for request in [unsealed(), without_claims(), came, left] {
        let answered = answer(&app, request.map(|_| Untouchable)).await;

        assert_eq!(answered.status, 401);
        assert!(answered.body.contains("SignalR::accept_unsealed_tokens()"), "{}", answered.body);
    }
}

#[tokio::test]
async fn where_unsealed_tokens_are_accepted_the_user_is_the_services_and_there_are_no_claims() {
    let accepting = signalr().accept_unsealed_tokens();
    let accepting = HubApp::builder().signalr(accepting).hub(Negotiating).build().unwrap();

    let answered = answer(&accepting, unsealed()).await;

    assert!(answered.body.contains(r#""result":["admin",0]"#), "{}", answered.body);
}

#[tokio::test]
async fn a_client_whose_token_no_negotiate_made_is_closed_although_the_service_accepts_the_token() {
    let service = test_support::RunningService::start().await;
    let connection_string = service.connection_string();
    let signalr = SignalR::from_connection_string(&connection_string).unwrap();
    let app = HubApp::builder().signalr(signalr).hub(Negotiating).build().unwrap();
    let (address, _serving) = test_support::serve(&app).await;
    let url = format!("http://{address}/runtime/webhooks/signalr");
    service.set_upstream([hub_local::Template::new(url).unwrap()]);
    let key = connection_string.split_once("AccessKey=").unwrap().1.split(';').next().unwrap();
    let url = format!("{}/client/?hub=negotiating", app.client_url());
    let token = test_support::user_token(key, &url, "admin");

    let made_elsewhere = serde_json::json!({ "url": url, "accessToken": token });
    let mut client = service.connect(&made_elsewhere);
    client.handshake().await;
    let closed = client.recv().await;

    assert_eq!(closed["type"], 7, "{closed}");
    let reason = "the access token was not made by the negotiate of this app";
    assert_eq!(closed["error"], reason, "{closed}");
}

#[tokio::test]
async fn two_roles_in_a_seal_both_arrive() {
    let identity = Identity {
        hub: "loop".to_owned(),
        user_id: Some("ada".to_owned()),
        issued_at: 0,
        claims: ["reader", "admin"]
            .map(|role| ("role".to_owned(), role.to_owned()))
            .into_iter()
            .collect(),
    };
    let seal = seal::seal(&identity, &SealKey::derive(&Secret::from(KEY)));

    let answered = answer(&app(signalr()), asking(with_seal(seal))).await;

    let both = r#""result":[["role","reader"],["role","admin"]]"#;
    assert!(answered.body.contains(both), "{}", answered.body);
}
