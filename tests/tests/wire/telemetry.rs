//! The spans, events and metrics of calls, negotiate requests, refusals and sends.

use std::{collections::BTreeMap, io, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hub_runtime::{config::Retries, negotiate::NegotiateLimit, prelude::*, telemetry};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use test_support::logged;

use crate::support::{answer, builder_at, sealed::invoke};

struct Loop;

#[serverless_hub]
impl Loop {
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        match request.bearer_token() {
            Some(user) => Ok(Negotiation::user(user)),
            None => Err(HubError::unauthenticated("Who?")),
        }
    }

    async fn length(&self, text: String) -> HubResult<usize> {
        Ok(text.len())
    }

    #[filter(RequireClaim("role", "admin"))]
    async fn guarded(&self) {}

    async fn denies(&self) -> HubResult {
        Err(HubError::denied("not you"))
    }

    async fn fails(&self) -> HubResult {
        Ok(Err(io::Error::other("the database is down"))?)
    }

    async fn panics(&self) {
        panic!("oh no")
    }

    async fn tells(&self, ctx: &Context<Self>, secret: String) -> HubResult {
        Ok(ctx.clients().user("ada-the-user").send("told", (secret,)).await?)
    }
}

/// An app with an unreachable service that retries each request once.
fn app() -> HubApp {
    let retries = Retries::default().times(1).delay(Duration::from_millis(1));
    let limit = NegotiateLimit::new(3, Duration::from_hours(1));
    let builder = builder_at("http://127.0.0.1:1", Loop).retries(retries);
    builder.negotiate_limit(limit).build().unwrap()
}

async fn negotiate(app: &HubApp, path: &str, user: Option<&str>) {
    let mut request = Request::post(path);
    if let Some(user) = user {
        request = request.header("authorization", format!("Bearer {user}"));
    }
    answer(app, request.body(Empty::<Bytes>::new()).unwrap()).await;
}

const INFO: tracing_subscriber::filter::LevelFilter = tracing_subscriber::filter::LevelFilter::INFO;

#[tokio::test]
async fn a_call_is_a_span_with_its_method_and_outcome() {
    let app = app();

    let log = logged(INFO, async {
        answer(&app, invoke("LENGTH", r#"["hi"]"#)).await;
        answer(&app, invoke("fails", "[]")).await;
    })
    .await;

    let span = r#"hub.call{hub="loop" method="length" connection="conn-0001" outcome="ok"}"#;
    assert!(log.contains(span), "{log}");
    let failed = r#"hub.call{hub="loop" method="fails" connection="conn-0001" outcome="failed"}"#;
    assert!(log.contains(failed), "{log}");
    // The logged error is inside the span of the call.
    let line = log.lines().find(|line| line.contains("the database is down")).unwrap();
    assert!(line.contains("hub.call{") && line.contains("error_id="), "{line}");
}

#[tokio::test]
async fn a_refusal_is_a_span_that_names_the_filter_in_the_span_of_its_call() {
    let app = app();

    let log = logged(INFO, async {
        answer(&app, invoke("guarded", "[]")).await;
        answer(&app, invoke("denies", "[]")).await;
    })
    .await;

    let line = |text: &str| log.lines().find(|line| line.contains(text)).unwrap().to_owned();
    let filtered = line("this needs role `admin`");
    assert!(
        filtered.contains("INFO") && filtered.contains(r#"filter="RequireClaim""#),
        "{filtered}"
    );
    assert!(filtered.contains(r#"hub.call{hub="loop" method="guarded""#), "{filtered}");
    assert!(filtered.contains(r#":hub.refusal{filter="RequireClaim"}"#), "{filtered}");
    assert!(line("not you").contains(r#"filter="method""#));
}

#[tokio::test]
async fn negotiates_and_calls_to_the_service_are_spans() {
    let app = app();

    let log = logged(INFO, async {
        negotiate(&app, "/loop/negotiate", Some("ada-the-user")).await;
        negotiate(&app, "/loop/negotiate", None).await;
        negotiate(&app, "/other/negotiate", None).await;
        answer(&app, invoke("tells", r#"["hunter2"]"#)).await;
    })
    .await;

    for span in [
        r#"hub.negotiate{hub="loop" outcome="ok"}"#,
        r#"hub.negotiate{hub="loop" outcome="unauthenticated"}"#,
        r#"hub.negotiate{hub="unknown" outcome="not_found"}"#,
        r#"hub.rest{hub="loop" operation="send_to_user" attempts=2 outcome="unreachable"}"#,
    ] {
        assert!(log.contains(span), "{span} in\n{log}");
    }
}

#[tokio::test]
async fn spans_and_events_at_info_and_above_contain_no_user_data() {
    let app = app();

    let log = logged(INFO, async {
        negotiate(&app, "/loop/negotiate?secret=in-a-query", Some("ada-the-user")).await;
        answer(&app, invoke("tells", r#"["hunter2"]"#)).await;
        answer(&app, invoke("length", r#"[{"password":"hunter2"}]"#)).await;
    })
    .await;

    assert!(log.contains("hub.call{"), "{log}");
    for secret in ["hunter2", "ada-the-user", "in-a-query", "Bearer", "accessToken"] {
        assert!(!log.contains(secret), "{secret} in\n{log}");
    }
}

#[tokio::test]
async fn metrics_count_calls_refusals_errors_negotiates_sends_and_retries() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let app = app();

    answer(&app, invoke("length", r#"["hi"]"#)).await;
    answer(&app, invoke("length", "[]")).await;
    answer(&app, invoke("guarded", "[]")).await;
    answer(&app, invoke("fails", "[]")).await;
    answer(&app, invoke("panics", "[]")).await;
    answer(&app, invoke("nonsense", "[]")).await;
    answer(&app, invoke("tells", r#"["x"]"#)).await;
    for user in [Some("ada"), None, None, Some("ada")] {
        negotiate(&app, "/loop/negotiate", user).await;
    }

    let mut counted = BTreeMap::new();
    let mut measured = BTreeMap::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let labels: Vec<_> = key.key().labels().map(|label| label.value()).collect();
        let name = format!("{} {}", key.key().name(), labels.join(" "));
        match value {
            DebugValue::Counter(count) => drop(counted.insert(name, count)),
            DebugValue::Histogram(values) => drop(measured.insert(name, values.len())),
            DebugValue::Gauge(_) => {}
        }
    }
    let expected = [
        (format!("{} loop fails failed", telemetry::CALLS), 1),
        (format!("{} loop guarded denied", telemetry::CALLS), 1),
        (format!("{} loop length ok", telemetry::CALLS), 1),
        (format!("{} loop length rejected", telemetry::CALLS), 1),
        (format!("{} loop panics panicked", telemetry::CALLS), 1),
        (format!("{} loop tells failed", telemetry::CALLS), 1),
        (format!("{} loop unknown rejected", telemetry::CALLS), 1),
        (format!("{} loop fails failed", telemetry::ERRORS), 1),
        (format!("{} loop panics panicked", telemetry::ERRORS), 1),
        (format!("{} loop tells failed", telemetry::ERRORS), 1),
        (format!("{} loop guarded RequireClaim", telemetry::REFUSALS), 1),
        (format!("{} loop ok", telemetry::NEGOTIATES), 1),
        (format!("{} loop unauthenticated", telemetry::NEGOTIATES), 2),
        (format!("{} loop throttled", telemetry::NEGOTIATES), 1),
        (format!("{} loop user unreachable", telemetry::SENDS), 1),
        (format!("{} loop send_to_user unreachable", telemetry::REST_CALLS), 1),
        (format!("{} loop send_to_user", telemetry::REST_RETRIES), 1),
    ];
    assert_eq!(counted, expected.into_iter().collect());
    assert_eq!(measured[&format!("{} loop length", telemetry::CALL_SECONDS)], 2);
    assert_eq!(measured[&format!("{} loop", telemetry::NEGOTIATE_SECONDS)], 4);
    assert_eq!(measured[&format!("{} loop send_to_user", telemetry::REST_SECONDS)], 1);
}
