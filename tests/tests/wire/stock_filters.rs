//! Filters of the app, and filters that the runtime provides.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{HeaderValue, Request};
use http_body_util::Full;
use hub_runtime::{HubApp, prelude::*};
use tokio::time::advance;

use crate::support::{answer, builder_at, call, error_of, invoke, send};

type Journal = Arc<Mutex<Vec<String>>>;

/// Records each of its runs in a journal.
struct Note(&'static str, Journal);

impl Filter for Note {
    async fn before(&self, call: &Invocation) -> HubResult {
        self.1.lock().unwrap().push(format!("{} before {}", self.0, call.event()));
        Ok(())
    }

    async fn after(&self, _: &Invocation, outcome: Result<(), &HubError>) {
        self.1.lock().unwrap().push(format!("{} after {}", self.0, outcome.is_ok()));
    }
}

/// Records each of its runs in the journal of the called hub.
struct HubNote(&'static str);

impl Filter for HubNote {
    async fn before(&self, call: &Invocation) -> HubResult {
        let Loop { journal } = call.hub().or_reject("another hub")?;
        journal.lock().unwrap().push(format!("{} before {}", self.0, call.event()));
        Ok(())
    }

    async fn after(&self, call: &Invocation, outcome: Result<(), &HubError>) {
        let Some(Loop { journal }) = call.hub() else { return };
        journal.lock().unwrap().push(format!("{} after {}", self.0, outcome.is_ok()));
    }
}

/// Checks the arguments, query, headers and claims of a call.
struct OnlyToOwnRoom;

impl Filter for OnlyToOwnRoom {
    async fn before(&self, call: &Invocation) -> HubResult {
        let room: String = call.argument(0)?;
        let raw = std::str::from_utf8(call.raw_arguments()).map_err(HubError::internal)?;
        let own = call.query().get("room").or_reject("no room in the query")?;
        let custom = call.headers().contains_key("x-custom");
        if room == own && custom && raw.starts_with('[') && call.claims().is_empty() {
            return Ok(());
        }
        Err(HubError::denied("Not your room"))
    }
}

#[derive(Default)]
struct Loop {
    journal: Journal,
}

#[serverless_hub]
#[filter(HubNote("block"))]
impl Loop {
    #[filter(HubNote("method"))]
    async fn noted(&self) {}

    async fn plain(&self) {}

    #[filter(OnlyToOwnRoom)]
    async fn say(&self, _room: String) {}

    #[filter(RateLimit::per_user(2, Duration::from_secs(10)))]
    async fn limited(&self) {}

    #[hub(fallback)]
    async fn other(&self) {}

    async fn on_connected(&self) {}

    async fn on_disconnected(&self) {}
}

struct Second;

#[serverless_hub]
impl Second {
    async fn plain(&self) {}
}

fn builder() -> hub_runtime::HubAppBuilder {
    builder_at("http://127.0.0.1:1", Loop::default())
}

fn with(
    mut request: Request<Full<bytes::Bytes>>,
    name: &'static str,
    value: &'static str,
) -> Request<Full<bytes::Bytes>> {
    request.headers_mut().insert(name, HeaderValue::from_static(value));
    request
}

fn of_user(user: &'static str, event: &str) -> Request<Full<bytes::Bytes>> {
    with(invoke(event, "[]"), "x-asrs-user-id", user)
}

/// The same request from another connection.
fn of_connection_2(request: Request<Full<bytes::Bytes>>) -> Request<Full<bytes::Bytes>> {
    let signature = "sha256=69295f0439ba6cb30ec8ae1cf42943fb206eb6d959a95b031a630799a494bb21";
    with(with(request, "x-asrs-connection-id", "conn-0002"), "x-asrs-signature", signature)
}

async fn passes(app: &HubApp, request: Request<Full<bytes::Bytes>>) -> bool {
    !answer(app, request).await.body.contains("error")
}

#[tokio::test]
async fn filters_run_in_the_order_app_hub_method_and_back() {
    let journal = Journal::default();
    let hub = Loop { journal: journal.clone() };
    let app = builder_at("http://127.0.0.1:1", hub)
        .filter(Note("first", journal.clone()))
        .filter(Note("second", journal.clone()))
        .build()
        .unwrap();

    assert!(passes(&app, invoke("noted", "[]")).await);

    assert_eq!(
        *journal.lock().unwrap(),
        [
            "first before noted",
            "second before noted",
            "block before noted",
            "method before noted",
            "method after true",
            "block after true",
            "second after true",
            "first after true"
        ]
    );
}

#[tokio::test]
async fn app_filters_cover_every_hub_and_connection_but_not_disconnected() {
    let journal = Journal::default();
    let app = builder().hub(Second).filter(Note("app", journal.clone())).build().unwrap();
    let second = |request| with(request, "x-asrs-hub", "second");

    answer(&app, second(invoke("plain", "[]"))).await;
    answer(&app, second(call("connections", "connected", r#"{"type":10}"#))).await;
    answer(&app, call("connections", "connected", r#"{"type":10}"#)).await;
    answer(&app, call("connections", "disconnected", r#"{"type":11}"#)).await;
    answer(&app, invoke("whatever", "[]")).await;

    let noted = journal.lock().unwrap().join(",");
    assert_eq!(
        noted,
        "app before plain,app after true,app before connected,app after true,app before connected,app after true,\
         app before whatever,app after true"
    );
}

#[tokio::test]
async fn the_position_of_an_app_filter_in_the_builder_does_not_matter() {
    let text = format!("Endpoint=http://127.0.0.1:1;AccessKey={};", crate::support::KEY);
    let app = HubApp::builder()
        .filter(Maintenance::on("Closed"))
        .signalr(SignalR::from_connection_string(&text).unwrap())
        .hub(Loop::default())
        .build()
        .unwrap();

    assert_eq!(error_of(&app, invoke("plain", "[]")).await, "403 Forbidden: Closed");
}

#[tokio::test]
async fn a_filter_sees_claims_query_headers_and_arguments() {
    let app = builder().build().unwrap();
    let own = || {
        with(
            with(invoke("say", r#"["rust"]"#), "x-asrs-client-query", "?room=rust"),
            "x-custom",
            "1",
        )
    };

    assert!(passes(&app, own()).await);
    let elsewhere = with(own(), "x-asrs-client-query", "?room=go");
    assert_eq!(error_of(&app, elsewhere).await, "403 Forbidden: Not your room");
    let unreadable =
        with(with(invoke("say", "[1]"), "x-asrs-client-query", "?room=rust"), "x-custom", "1");
    assert_eq!(
        error_of(&app, unreadable).await,
        "403 Forbidden: argument 1: invalid type: integer `1`, expected a string"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_reports_the_wait_and_refills_with_time() {
    let app = builder().build().unwrap();
    for _ in 0..2 {
        assert!(passes(&app, of_user("ada", "limited")).await);
    }

    let shown = error_of(&app, of_user("ada", "limited")).await;

    assert_eq!(shown, "429 Too Many Requests: try again in 5 seconds");
    advance(Duration::from_millis(4200)).await;
    let shown = error_of(&app, of_user("ada", "limited")).await;
    assert_eq!(shown, "429 Too Many Requests: try again in 1 second");
    advance(Duration::from_secs(1)).await;
    assert!(passes(&app, of_user("ada", "limited")).await);
    assert!(!passes(&app, of_user("ada", "limited")).await);
    assert_eq!(
        answer(&app, with(send("limited", "[]"), "x-asrs-user-id", "ada")).await.status,
        429
    );
}

#[tokio::test(start_paused = true)]
async fn a_user_limit_counts_all_methods_and_connections() {
    let app = builder().filter(RateLimit::per_user(2, Duration::from_secs(10))).build().unwrap();

    assert!(passes(&app, of_user("ada", "plain")).await);
    assert!(passes(&app, of_connection_2(of_user("ada", "noted"))).await);
    assert!(!passes(&app, of_user("ada", "plain")).await);
    assert!(passes(&app, of_user("bob", "plain")).await);
    // The limit counts each connection without a user separately.
    assert!(passes(&app, invoke("plain", "[]")).await);
    assert!(passes(&app, of_connection_2(invoke("plain", "[]"))).await);
}

#[tokio::test(start_paused = true)]
async fn a_connection_limit_ignores_the_user() {
    let app =
        builder().filter(RateLimit::per_connection(1, Duration::from_secs(10))).build().unwrap();

    assert!(passes(&app, of_user("ada", "plain")).await);
    assert!(!passes(&app, of_user("bob", "plain")).await);
    assert!(passes(&app, of_connection_2(of_user("ada", "plain"))).await);
}

#[tokio::test(start_paused = true)]
async fn a_method_limit_counts_all_callers_and_spellings() {
    let app = builder().filter(RateLimit::per_method(1, Duration::from_secs(10))).build().unwrap();

    assert!(passes(&app, of_user("ada", "plain")).await);
    assert!(!passes(&app, of_user("bob", "P_LAIN")).await);
    assert!(passes(&app, of_user("ada", "noted")).await);
    // All names without a method share the fallback's bucket.
    assert!(passes(&app, of_user("ada", "x1")).await);
    assert!(!passes(&app, of_user("ada", "x2")).await);
}

#[tokio::test(start_paused = true)]
async fn a_limit_for_each_user_and_method_counts_each_pair() {
    let limit = RateLimit::per_user(1, Duration::from_secs(10)).each_method();
    let app = builder().filter(limit).build().unwrap();

    assert!(passes(&app, of_user("ada", "plain")).await);
    assert!(!passes(&app, of_user("ada", "plain")).await);
    assert!(passes(&app, of_user("ada", "noted")).await);
    assert!(passes(&app, of_user("bob", "plain")).await);
}

#[tokio::test(start_paused = true)]
async fn connections_do_not_count_as_calls() {
    let app =
        builder().filter(RateLimit::per_connection(1, Duration::from_secs(10))).build().unwrap();

    for _ in 0..3 {
        let connected = answer(&app, call("connections", "connected", r#"{"type":10}"#)).await;
        assert_eq!(connected.status, 200);
    }
    assert!(passes(&app, invoke("plain", "[]")).await);
}

#[tokio::test]
async fn maintenance_is_switched_while_the_app_runs() {
    let maintenance = Maintenance::off();
    let app = builder().filter(maintenance.clone()).build().unwrap();
    assert!(passes(&app, invoke("plain", "[]")).await);

    maintenance.begin("Back at ten");

    assert_eq!(error_of(&app, invoke("plain", "[]")).await, "403 Forbidden: Back at ten");
    let connected = call("connections", "connected", r#"{"type":10}"#);
    assert_eq!(answer(&app, connected).await.status, 403);
    let disconnected = call("connections", "disconnected", r#"{"type":11}"#);
    assert_eq!(answer(&app, disconnected).await.status, 200);
    maintenance.end();
    assert!(passes(&app, invoke("plain", "[]")).await);
}

#[tokio::test(start_paused = true)]
async fn one_filter_in_two_places_has_one_state() {
    let shared = Arc::new(RateLimit::per_connection(1, Duration::from_secs(10)));
    let first = builder().filter(Arc::clone(&shared)).build().unwrap();
    let second = builder().filter(shared).build().unwrap();

    assert!(passes(&first, invoke("plain", "[]")).await);
    assert!(!passes(&second, invoke("plain", "[]")).await);
}
