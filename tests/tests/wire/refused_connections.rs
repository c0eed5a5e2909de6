//! Connections that a filter or `on_connected` does not let in.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use hub_runtime::{
    HubAppBuilder, config::Retries, invocation::Category, prelude::*, testing::TestHub,
};
use serde_json::json;
use test_support::{FakeService, World, logged, response, until};
use tracing_subscriber::filter::LevelFilter;

use crate::support::{KEY, answer, call, error_of, invoke, send};

const CLOSE: &str = "DELETE /api/hubs/door/connections/conn-0001";

/// The ways to keep a connection out. The user id of a client names one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Rejects,
    RejectsAtLength,
    Denies,
    NotSignedIn,
    Throttles,
    Fails,
    Panics,
    PanicsAtOnce,
}

const REFUSALS: [Refusal; 8] = [
    Refusal::Rejects,
    Refusal::RejectsAtLength,
    Refusal::Denies,
    Refusal::NotSignedIn,
    Refusal::Throttles,
    Refusal::Fails,
    Refusal::Panics,
    Refusal::PanicsAtOnce,
];

impl Refusal {
    fn of(call: &Invocation, prefix: &str) -> Option<Self> {
        let how = call.user_id()?.strip_prefix(prefix)?;
        REFUSALS.into_iter().find(|refusal| format!("{refusal:?}") == how)
    }

    fn result(self) -> HubResult {
        match self {
            Self::Rejects => None.or_reject("Which room?"),
            // Longer than the service accepts in the URL of a close.
            Self::RejectsAtLength => Err(HubError::rejected("no".repeat(50_000))),
            Self::Denies => Err(HubError::denied("Closed")),
            Self::NotSignedIn => Err(HubError::unauthenticated("Sign in first")),
            Self::Throttles => Err(HubError::throttled(Duration::from_secs(5))),
            Self::Fails => Ok("secret".parse::<u8>().map(drop)?),
            Self::Panics | Self::PanicsAtOnce => panic!("secret"),
        }
    }

    /// The beginning of the reason that the client receives.
    fn reason(self) -> &'static str {
        match self {
            Self::Rejects => "Which room?",
            Self::RejectsAtLength => "nono",
            Self::Denies => "Closed",
            Self::NotSignedIn => "Sign in first",
            Self::Throttles => "try again in 5 seconds",
            Self::Fails | Self::Panics | Self::PanicsAtOnce => {
                "Something went wrong on the server (error id "
            }
        }
    }
}

/// Judges connections and `guarded`, and lets other calls pass.
struct Gate;

impl Filter for Gate {
    fn before(&self, call: &Invocation) -> impl Future<Output = HubResult> + Send {
        let is_judged = call.category() == Category::Connected || call.event() == "guarded";
        let refusal = Refusal::of(call, "filter-").filter(|_| is_judged);
        if refusal == Some(Refusal::PanicsAtOnce) {
            panic!("secret");
        }
        async move { refusal.map_or(Ok(()), Refusal::result) }
    }
}

struct Door;

#[serverless_hub]
#[filter(Gate)]
impl Door {
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        Ok(Negotiation::user(request.bearer_token().or_reject("who are you?")?))
    }

    async fn on_connected(&self, ctx: &Context<Self>) -> HubResult {
        Refusal::of(ctx.invocation(), "method-").map_or(Ok(()), Refusal::result)
    }

    async fn guarded(&self) {}

    async fn call(&self) {}
}

/// All users that the hub keeps out, and how.
fn refused_users() -> impl Iterator<Item = (String, Refusal)> {
    let of = |place: &'static str| {
        REFUSALS.into_iter().map(move |refusal| (format!("{place}-{refusal:?}"), refusal))
    };
    of("filter").chain(of("method"))
}

/// An app whose service is at `endpoint`. Its calls are made by hand and have no seal.
fn app_at(endpoint: &str) -> HubAppBuilder {
    let text = format!("Endpoint={endpoint};AccessKey={KEY};Version=1.0;");
    let signalr = SignalR::from_connection_string(&text).unwrap().accept_unsealed_tokens();
    HubApp::builder().signalr(signalr).hub(Door)
}

type Request = http::Request<http_body_util::Full<bytes::Bytes>>;

fn at_door(user: &str, mut request: Request) -> Request {
    let headers = request.headers_mut();
    headers.insert("x-asrs-hub", http::HeaderValue::from_static("door"));
    headers.insert("x-asrs-user-id", user.parse().unwrap());
    request
}

fn connected(user: &str) -> Request {
    at_door(user, call("connections", "connected", r#"{"type":10}"#))
}

#[tokio::test]
async fn every_refusal_and_failure_closes_the_connection_and_shows_no_internal_text() {
    for (user, refusal) in refused_users() {
        let service = FakeService::accepting().await;
        let app = app_at(&service.base).build().unwrap();

        assert_eq!(answer(&app, connected(&user)).await.status, 403, "{user}");

        assert_eq!(service.lines(), [CLOSE], "{user}");
        let close = service.requests()[0].target.clone();
        let query = close.split_once("?").unwrap().1;
        let reason = form_value(query, "reason");
        assert!(reason.starts_with(refusal.reason()), "{user}: {reason}");
        assert!(!reason.contains("secret"), "{user}: {reason}");
    }
}

/// Returns the decoded value of a parameter.
fn form_value(query: &str, name: &str) -> String {
    let value = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
    percent_decode(value.unwrap())
}

fn percent_decode(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        let digits = [bytes.clone().next(), bytes.clone().nth(1)];
        match (byte, digits) {
            (b'%', [Some(high), Some(low)]) => {
                let digits = String::from_utf8(vec![high, low]).unwrap();
                decoded.push(u8::from_str_radix(&digits, 16).unwrap());
                bytes.nth(1);
            }
            _ => decoded.push(byte),
        }
    }
    String::from_utf8(decoded).unwrap()
}

#[tokio::test]
async fn the_calls_of_a_refused_connection_are_refused_until_it_ends() {
    let service = FakeService::accepting().await;
    let app = app_at(&service.base).build().unwrap();
    let of_refused = |request| at_door("method-Rejects", request);
    answer(&app, connected("method-Rejects")).await;

    let refused = error_of(&app, of_refused(invoke("call", "[]"))).await;
    assert_eq!(refused, "403 Forbidden: the connection was refused");
    assert_eq!(answer(&app, of_refused(send("call", "[]"))).await.status, 403);

    let disconnected = of_refused(call("connections", "disconnected", r#"{"type":11}"#));
    assert_eq!(answer(&app, disconnected).await.status, 200);
    let passed = answer(&app, of_refused(invoke("call", "[]"))).await;
    assert!(!passed.body.contains("error"), "{}", passed.body);
}

#[tokio::test]
async fn refused_connections_stay_open_if_the_app_keeps_them() {
    let service = FakeService::accepting().await;
    let app = app_at(&service.base).keep_refused_connections().build().unwrap();

    assert_eq!(answer(&app, connected("filter-Panics")).await.status, 403);

    let passed = answer(&app, at_door("filter-Panics", invoke("call", "[]"))).await;
    assert!(!passed.body.contains("error"), "{}", passed.body);
    assert!(service.requests().is_empty());
}

#[tokio::test]
async fn a_close_that_fails_is_logged_and_repeated() {
    let attempts = AtomicUsize::new(0);
    let service = FakeService::start(move |_| match attempts.fetch_add(1, Ordering::SeqCst) {
        0 => response(500, "", ""),
        _ => response(200, "", ""),
    })
    .await;
    let app = app_at(&service.base).retries(Retries::none()).build().unwrap();

    let log = logged(LevelFilter::ERROR, async {
        assert_eq!(answer(&app, connected("filter-Rejects")).await.status, 403);
    })
    .await;

    assert!(log.contains("the close of a refused connection is not confirmed"), "{log}");
    let refused = error_of(&app, at_door("filter-Rejects", invoke("call", "[]"))).await;
    assert_eq!(refused, "403 Forbidden: the connection was refused");
    until("the close is repeated", || service.lines() == [CLOSE, CLOSE]).await;
}

#[tokio::test]
async fn every_error_of_a_filter_is_403_or_429_and_the_log_names_the_filter() {
    let app = app_at("http://127.0.0.1:1").build().unwrap();
    for refusal in REFUSALS {
        let user = format!("filter-{refusal:?}");
        let (mut shown, mut status) = (String::new(), http::StatusCode::OK);

        let log = logged(LevelFilter::INFO, async {
            shown = error_of(&app, at_door(&user, invoke("guarded", "[]"))).await;
            status = answer(&app, at_door(&user, send("guarded", "[]"))).await.status;
        })
        .await;

        let (code, line) = match refusal {
            Refusal::Throttles => (429, "429 Too Many Requests: "),
            _ => (403, "403 Forbidden: "),
        };
        assert_eq!(status, code, "{refusal:?}");
        let text = shown.strip_prefix(line).unwrap_or_else(|| panic!("{refusal:?}: {shown}"));
        assert!(text.starts_with(refusal.reason()), "{refusal:?}: {shown}");
        assert!(!shown.contains("secret"), "{shown}");
        assert!(log.contains(r#"filter="Gate""#), "{refusal:?}: {log}");
        assert!(!log.contains("hub method"), "{refusal:?}: {log}");
    }
}

/// The app with the embedded service, and the app with a service over HTTP.
async fn worlds() -> [World; 2] {
    [World::embedded(Door), World::apart(Door).await]
}

#[tokio::test]
async fn a_refused_client_gets_the_reason_and_no_message() {
    for world in worlds().await {
        let mut guest = world.connect("guest").await;
        for (user, refusal) in refused_users() {
            let mut client = world.connect(&user).await;

            let close = client.recv().await;
            assert_eq!(close["type"], 7, "{user}: {close}");
            let reason = close["error"].as_str().unwrap();
            assert!(reason.starts_with(refusal.reason()), "{user}: {close}");
            world.app.context::<Door>().clients().all().send("said", (1,)).await.unwrap();
            assert!(client.recv().await.is_null(), "{user}");
            let said = json!({"type": 1, "target": "said", "arguments": [1]});
            assert_eq!(guest.recv().await, said);
        }
    }
}

#[tokio::test]
async fn the_test_client_gets_the_same_reason() {
    let hub = TestHub::new(Door);

    for (user, refusal) in refused_users() {
        let refused = hub.user(&user).connect().await.unwrap_err();
        assert!(refused.text().starts_with(refusal.reason()), "{user}: {refused}");
    }
    assert!(hub.user("guest").connect().await.is_ok());
}
