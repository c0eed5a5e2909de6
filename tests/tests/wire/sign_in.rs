//! The time limits of signing in with Microsoft Entra, and what clients and logs show of a failure.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use http::Request;
use http_body_util::Empty;
use hub_runtime::{
    HubApp, HubAppBuilder,
    config::{AccessToken, TokenSource, TokenSourceError},
    prelude::*,
};
use test_support::{FakeService, logged, response};
use tokio::time::Instant;
use tracing_subscriber::filter::LevelFilter;

use crate::support::{AppResponse, KEY, answer};

const NOWHERE: &str = "http://127.0.0.1:1";

struct Loop;

#[serverless_hub]
impl Loop {
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::user("ada"))
    }
}

/// Counts the requests for a token, and answers none of them.
#[derive(Clone, Default)]
struct Silent(Arc<AtomicU32>);

#[async_trait]
impl TokenSource for Silent {
    async fn token(&self, _: &str) -> Result<AccessToken, TokenSourceError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::future::pending().await
    }
}

struct Ready;

#[async_trait]
impl TokenSource for Ready {
    async fn token(&self, _: &str) -> Result<AccessToken, TokenSourceError> {
        Ok(AccessToken::lasting("entra", Duration::from_hours(1)))
    }
}

fn builder(endpoint: &str, source: impl TokenSource) -> HubAppBuilder {
    test_support::output::record();
    let signalr = SignalR::from_endpoint(endpoint, source).unwrap();
    let signalr = signalr.claims_key("a claims key of at least thirty-two bytes");
    HubApp::builder().signalr(signalr).hub(Loop).upstream_code("a code of sixteen or more bytes")
}

async fn negotiate(app: &HubApp) -> AppResponse {
    let request = Request::post("/loop/negotiate").body(Empty::<Bytes>::new());
    answer(app, request.unwrap()).await
}

#[tokio::test(start_paused = true)]
async fn an_app_signs_in_when_it_starts() {
    let source = Silent::default();

    let _app = builder(NOWHERE, source.clone()).build().unwrap();
    tokio::task::yield_now().await;

    assert_eq!(source.0.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn negotiates_are_503_within_ten_seconds_without_a_token_and_the_log_has_one_line() {
    let source = Silent::default();
    let started = Instant::now();
    let log = logged(LevelFilter::INFO, async {
        let app = builder(NOWHERE, source.clone()).build().unwrap();
        for answered in join_all((0..20).map(|_| negotiate(&app))).await {
            assert_eq!(answered.status, 503);
            let text = "The app cannot sign in to the SignalR service; try again later";
            assert_eq!(answered.body, text);
        }
    });
    let log = log.await;

    assert_eq!(started.elapsed().as_secs(), 9);
    assert_eq!(source.0.load(Ordering::SeqCst), 1);
    let errors: Vec<_> = log.lines().filter(|line| line.contains("ERROR")).collect();
    let [only] = errors[..] else { panic!("{log}") };
    assert!(only.contains("cannot sign in with Microsoft Entra"), "{only}");
    assert!(only.contains("no token within 9s"), "{only}");
    assert!(!log.contains("role"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn a_send_ends_within_its_limit_while_the_sign_in_hangs() {
    let app = builder(NOWHERE, Silent::default()).rest_timeout(Duration::from_secs(1));
    let app = app.build().unwrap();
    let clients = app.context::<Loop>().clients();
    let started = Instant::now();

    let error = clients.all().send("x", ()).await.unwrap_err();

    assert_eq!(started.elapsed().as_secs(), 1);
    assert!(matches!(error, SendError::Token(_)), "{error}");
    assert!(!error.may_have_happened());
    let asked = clients.client("c").invoke::<u32>("x", ()).timeout(Duration::from_secs(2));
    let Err(InvokeError::Send(SendError::Token(_))) = asked.await else { panic!() };
    assert_eq!(started.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_gives_no_key_in_time_or_fails_is_503_and_one_line_in_the_log() {
    let silent = FakeService::start(|_| None::<test_support::FakeResponse>).await;
    let failing = FakeService::start(|_| response(500, "", "")).await;
    for service in [&silent, &failing] {
        let app = builder(&service.base, Ready).build().unwrap();
        let started = Instant::now();

        let log = logged(LevelFilter::ERROR, async {
            for answered in join_all((0..20).map(|_| negotiate(&app))).await {
                assert_eq!(answered.status, 503);
            }
        });

        let log = log.await;
        assert!(started.elapsed() <= Duration::from_secs(10), "{:?}", started.elapsed());
        let lines = log.matches("cannot get a key for client tokens from the service");
        assert_eq!(lines.count(), 1, "{log}");
        assert!(!log.contains("role"), "{log}");
    }
}

#[tokio::test]
async fn a_role_is_advised_only_after_the_services_403() {
    let refusing = FakeService::start(|_| response(403, "", "no")).await;
    let app = builder(&refusing.base, Ready).build().unwrap();

    let log = logged(LevelFilter::ERROR, async {
        assert_eq!(negotiate(&app).await.status, 500);
    });

    let log = log.await;
    let cause = log.find("the service does not allow this (403)").expect("the cause");
    let advice = log.find("assign the role SignalR Service Owner").expect("the advice");
    assert!(cause < advice, "{log}");
}

#[tokio::test]
async fn without_the_client_id_of_the_service_the_start_warns_that_any_application_may_call() {
    let settings = |more: Option<(&'static str, &'static str)>| {
        let text = format!("Endpoint={NOWHERE};AccessKey={KEY};Version=1.0;");
        let name = "AzureSignalRConnectionString";
        let mut pairs = vec![
            (name.to_owned(), text),
            (format!("{name}__upstreamAudience"), "api://chat".to_owned()),
            (format!("{name}__upstreamTenantId"), "tenant-1".to_owned()),
        ];
        pairs.extend(more.map(|(key, value)| (format!("{name}__{key}"), value.to_owned())));
        SignalR::from_settings(pairs.into_iter().collect()).unwrap()
    };
    let start = async |signalr| {
        let starting = async { HubApp::builder().signalr(signalr).hub(Loop).build().unwrap() };
        logged(LevelFilter::WARN, starting).await
    };

    let warned = start(settings(None)).await;
    let text = "every application of the tenant that can get a token for this audience can call the app as the service: set AzureSignalRConnectionString__upstreamClientId to the application id or object id of the service's identity";
    assert!(warned.contains(text), "{warned}");
    let silent = start(settings(Some(("upstreamClientId", "service-1")))).await;
    assert!(!silent.contains("upstreamClientId"), "{silent}");
}
