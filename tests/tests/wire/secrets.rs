//! No output contains a secret: logs at every level, responses, errors, panics, `Debug` and metrics.
//!
//! The tests plant the secrets. `tests/secrets.py` searches the output of all tests for the same
//! secrets.

use std::fmt::Debug;

use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::Full;
use hub_core::{
    Secret,
    seal::{self, Identity, SealKey},
    signature, token,
};
use hub_runtime::{
    HubApp,
    bindings::SignalRConnectionInfo,
    config::{AccessToken, Retries},
    negotiate::TokenVerifier,
    prelude::*,
};
use metrics_util::debugging::DebuggingRecorder;
use test_support::{FakeService, logged, response};
use tracing_subscriber::filter::LevelFilter;

use crate::support::answer;

const KEY: &str = "planted-key-7Qw3vX9sT2mK8bN4cZ6r";
const CODE: &str = "planted-code-9zXc4V";
const CLAIM: &str = "planted-claim-5fGh1J";
const ARGUMENT: &str = "planted-argument-8kLm2P";
const QUERY: &str = "planted-query-3rTy6U";
const USER: &str = "planted-user-2wEr7T";
const CONNECTION: &str = "conn-0001";

struct Loop;

/// Logs all data of a call, as an application does during debugging.
struct Shows;

impl Filter for Shows {
    async fn before(&self, call: &Invocation) -> HubResult {
        tracing::trace!(?call, claims = ?call.claims(), query = ?call.query(), "shown");
        Ok(())
    }
}

#[serverless_hub]
#[filter(Shows)]
impl Loop {
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        tracing::trace!(?request, query = ?request.query(), "shown");
        let user = request.bearer_token().or_reject("Who?")?;
        Ok(Negotiation::user(user).claim("role", CLAIM))
    }

    async fn tells(&self, ctx: &Context<Self>, text: String) -> HubResult {
        Ok(ctx.clients().user(USER).send("told", (text,)).await?)
    }

    async fn rejects(&self, ctx: &Context<Self>, _text: String) -> HubResult {
        tracing::trace!(?ctx, claims = ?ctx.claims(), "shown");
        assert_eq!(ctx.claims().get("role"), Some(CLAIM));
        Err(HubError::rejected("not like this"))
    }

    #[filter(RequireClaim("role", "another"))]
    async fn guarded(&self, _text: String) {}

    async fn fails(&self, _text: String) -> HubResult {
        Ok(Err(std::io::Error::other("the database is down"))?)
    }

    async fn panics(&self, text: String) {
        assert!(text.is_empty(), "oh no");
    }

    async fn picky(&self, _number: u8) {}
}

fn key() -> Secret {
    Secret::from(KEY)
}

fn sealed() -> String {
    let identity = Identity {
        hub: "loop".to_owned(),
        user_id: Some(USER.to_owned()),
        issued_at: 0,
        claims: [("role".to_owned(), CLAIM.to_owned())].into_iter().collect(),
    };
    seal::seal(&identity, &SealKey::derive(&key()))
}

/// An upstream call with a secret in every field that can contain a secret.
fn call(event: &str, number: usize) -> Request<Full<Bytes>> {
    let body = format!(
        r#"{{"type":1,"invocationId":"{number}","target":"{event}","arguments":["{ARGUMENT}"]}}"#
    );
    Request::post(format!("/runtime/webhooks/signalr?code={CODE}"))
        .header("X-ASRS-Connection-Id", CONNECTION)
        .header("X-ASRS-Hub", "loop")
        .header("X-ASRS-Category", "messages")
        .header("X-ASRS-Event", event)
        .header("X-ASRS-User-Id", USER)
        .header("X-ASRS-User-Claims", format!("shub: {}", sealed()))
        .header("X-ASRS-Client-Query", format!("?room={QUERY}&access_token={}", user_token()))
        .header("X-ASRS-Signature", signature::sign(&key(), CONNECTION))
        .header("Content-Type", "application/json")
        .body(Full::from(body))
        .unwrap()
}

fn user_token() -> String {
    token::sign(&serde_json::json!({ "sub": USER }), &Secret::from(KEY)).unwrap()
}

/// All secrets, including the values that are derived from the key.
fn secrets() -> Vec<String> {
    let last = |text: &str, mark: char| text.rsplit(mark).next().unwrap().to_owned();
    vec![
        KEY.to_owned(),
        CODE.to_owned(),
        CLAIM.to_owned(),
        last(&sealed(), '.'),
        last(&signature::sign(&key(), CONNECTION), '='),
        last(&user_token(), '.'),
    ]
}

/// The secrets that a text contains. Each token for the service is new, so the search looks for the
/// first characters of a token.
fn told(text: &str) -> Vec<String> {
    let heads = ["eyJhbGciOi", "eyJ0eXAiOi", "Bearer ey"].map(str::to_owned);
    secrets().into_iter().chain(heads).filter(|secret| text.contains(secret.as_str())).collect()
}

fn app(service: &FakeService) -> HubApp {
    test_support::output::record();
    let signalr = SignalR::from_connection_string(&service.connection_string(KEY)).unwrap();
    let retries = Retries::default().times(1).delay(std::time::Duration::ZERO);
    let builder = HubApp::builder().signalr(signalr).hub(Loop).retries(retries);
    builder.upstream_code(CODE).build().unwrap()
}

fn negotiate(bearer: &str) -> Request<Full<Bytes>> {
    Request::post(format!("/loop/negotiate?room={QUERY}&access_token={bearer}"))
        .header("authorization", format!("Bearer {bearer}"))
        .header("cookie", format!("session={bearer}"))
        .body(Full::default())
        .unwrap()
}

/// Sends calls of every outcome, with and without genuine proofs, and returns the responses.
async fn everything(app: &HubApp) -> String {
    let events = ["tells", "rejects", "guarded", "fails", "panics", "picky", "nothing"];
    let mut requests: Vec<_> =
        events.iter().enumerate().map(|(number, event)| call(event, number)).collect();
    let proofs = ["x-asrs-signature", "x-asrs-connection-id", "x-asrs-user-id", "content-type"];
    for header in proofs {
        let mut without = call("tells", 20);
        without.headers_mut().remove(header);
        requests.push(without);
    }
    for (header, value) in [
        (
            "x-asrs-user-claims",
            format!("{}x", call("tells", 0).headers()["x-asrs-user-claims"].to_str().unwrap()),
        ),
        ("x-asrs-hub", "other".to_owned()),
        ("x-asrs-user-id", format!("{USER}-other")),
    ] {
        let mut changed = call("tells", 21);
        changed.headers_mut().insert(header, HeaderValue::from_str(&value).unwrap());
        requests.push(changed);
    }
    let mut uncoded = call("tells", 22);
    *uncoded.uri_mut() = format!("/runtime/webhooks/signalr?code={CODE}x").parse().unwrap();
    requests.push(uncoded);
    requests.push(call("tells", 23).map(|_| Full::from(format!("{{\"{ARGUMENT}"))));
    let mut answers = String::new();
    for request in requests {
        let answer = answer(app, request).await;
        answers.push_str(&format!("{} {:?} {}\n", answer.status, answer.headers, answer.body));
    }
    answers
}

#[tokio::test]
async fn no_log_and_no_response_contains_a_secret() {
    // The service refuses each REST request.
    let service = FakeService::start(|_| response(401, "", "no")).await;
    let app = app(&service);
    let mut answers = String::new();

    let log = logged(LevelFilter::TRACE, async {
        answers = everything(&app).await;
        answer(&app, negotiate(&user_token())).await;
        answer(&app, negotiate("")).await;
    })
    .await;

    // The app called the service, and the log contains each refusal.
    assert!(!service.requests().is_empty());
    for line in
        ["hub method panicked", "call rejected", "upstream call refused", "malformed", "shown"]
    {
        assert!(log.contains(line), "{line} is not in\n{log}");
    }
    assert_eq!(told(&log), [""; 0], "{log}");
    assert_eq!(told(&answers), [""; 0], "{answers}");
}

#[tokio::test]
async fn nothing_of_a_user_is_logged_at_info_and_above() {
    let service = FakeService::start(|_| response(400, "", "no")).await;
    let app = app(&service);

    let log = logged(LevelFilter::INFO, async {
        everything(&app).await;
        answer(&app, negotiate(USER)).await;
    })
    .await;

    for text in [USER, CLAIM, ARGUMENT, QUERY] {
        assert!(!log.contains(text), "{text} in\n{log}");
    }
}

#[tokio::test]
async fn metric_names_and_labels_contain_no_secret() {
    let service = FakeService::accepting().await;
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let app = app(&service);

    everything(&app).await;
    answer(&app, negotiate(&user_token())).await;

    let keys: Vec<_> = snapshotter.snapshot().into_vec().into_iter().map(|it| it.0).collect();
    let keys = format!("{keys:?}");
    assert!(keys.contains("hub_calls_total") && keys.contains("hub_rest_calls_total"), "{keys}");
    assert_eq!(told(&keys), [""; 0], "{keys}");
    for text in [USER, ARGUMENT, QUERY] {
        assert!(!keys.contains(text), "{text} in {keys}");
    }
}

#[tokio::test]
async fn debug_output_contains_no_secret() {
    let service = FakeService::accepting().await;
    let text = service.connection_string(KEY);
    let signalr =
        SignalR::from_connection_string(&text).unwrap().claims_key(KEY).previous_access_key(KEY);
    let app = app(&service);
    let builder = HubApp::builder().signalr(signalr.clone()).hub(Loop).upstream_code(CODE);
    let verifier = TokenVerifier::hs256(KEY.repeat(2)).unwrap();
    let negotiated = answer(&app, negotiate(USER)).await;
    assert!(negotiated.body.contains("accessToken"));

    let shown = |value: &dyn Debug| format!("{value:?} {value:#?}");
    let texts = [
        shown(&key()),
        shown(&SealKey::derive(&key())),
        shown(&signalr),
        shown(&builder),
        shown(&app),
        shown(&app.service()),
        shown(&app.context::<Loop>()),
        shown(&verifier),
        shown(&Negotiation::user(USER).claim("role", CLAIM)),
        shown(&Identity {
            hub: "loop".to_owned(),
            user_id: Some(USER.to_owned()),
            issued_at: 0,
            claims: [("role".to_owned(), CLAIM.to_owned())].into_iter().collect(),
        }),
        shown(&AccessToken::lasting(user_token(), std::time::Duration::from_secs(60))),
        shown(&SignalRConnectionInfo { url: "http://x".to_owned(), access_token: user_token() }),
    ];

    for text in texts {
        assert_eq!(told(&text), [""; 0], "{text}");
    }
}

#[tokio::test]
async fn errors_about_settings_do_not_repeat_the_keys_in_them() {
    for text in [
        format!("Endpoint=http://127.0.0.1:1;AccessKey={KEY};Version=9.0;"),
        format!("Endpoint=nonsense;AccessKey={KEY};Version=1.0;"),
        format!("Endpoint=http://127.0.0.1:1;AccessKey={KEY};AccessKey={KEY};Version=1.0;"),
        format!("AccessKey={KEY}"),
        format!("Endpoint=http://127.0.0.1:1;AccesKey={KEY};Version=1.0;"),
        format!("Endpoint=http://127.0.0.1:1;{KEY};Version=1.0;"),
        KEY.to_owned(),
    ] {
        let error = SignalR::from_connection_string(&text).unwrap_err();

        assert_eq!(told(&format!("{error} {error:?}")), [""; 0], "{text}: {error}");
    }
}
