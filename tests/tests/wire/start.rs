//! The output of an app at its start: its table of hubs, or all configuration problems.

use std::{
    io,
    sync::{Arc, Mutex},
};

use hub_runtime::{HubApp, negotiate::NegotiateLimit, prelude::*};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{KEY, answer, sealed::invoke};

#[derive(Default)]
struct Rooms;

#[serverless_hub(register)]
impl Rooms {
    async fn join(&self, _room: String, _quiet: Option<bool>) {}

    async fn on_connected(&self) {}

    #[hub(fallback)]
    async fn other(&self) {}
}

struct Loop {
    greeting: &'static str,
}

fn made() -> Loop {
    Loop { greeting: "made" }
}

#[serverless_hub(register = made)]
impl Loop {
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    async fn greet(&self) -> HubResult<&'static str> {
        Ok(self.greeting)
    }
}

struct Impostor;

#[serverless_hub(name = "ROOMS")]
impl Impostor {}

fn builder() -> hub_runtime::HubAppBuilder {
    let text = format!("Endpoint=http://127.0.0.1:1;AccessKey={KEY};Version=1.0;");
    HubApp::builder().signalr(SignalR::from_connection_string(&text).unwrap())
}

/// The log lines of `work`.
fn logged(work: impl FnOnce()) -> String {
    test_support::output::record();
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).without_time().finish();
    tracing::subscriber::with_default(subscriber, work);
    String::from_utf8(log.0.lock().unwrap().clone()).unwrap()
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        test_support::output::also(bytes);
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn registered_hubs_are_mounted_when_the_app_discovers_them() {
    let app = builder().discover().build().unwrap();

    let greeted = answer(&app, invoke("greet", "[]")).await;

    assert!(greeted.body.contains(r#""result":"made""#), "{}", greeted.body);
}

#[test]
fn the_start_up_log_lists_every_hub_with_its_methods() {
    let log = logged(|| drop(builder().discover().build().unwrap()));

    assert!(log.contains(r#"hub mounted hub="Rooms""#), "{log}");
    assert!(log.contains(r#"methods="join(room, quiet), connected, any other""#), "{log}");
    assert!(log.contains(r#"negotiate=true refresh=false methods="greet()""#), "{log}");
    assert!(!log.contains("not mounted"), "{log}");
}

#[test]
fn registered_hubs_without_discover_are_listed_as_not_mounted() {
    let log = logged(|| drop(builder().hub(made()).build().unwrap()));

    assert!(
        log.contains(
            r#"hub linked, but not mounted: mount it with `.discover()` or `.hub(…)` hub="Rooms""#
        ),
        "{log}"
    );
    assert!(!log.contains(r#"or `.hub(…)` hub="Loop""#), "{log}");
}

#[test]
fn a_different_hub_with_the_same_name_does_not_count_as_mounted() {
    let log = logged(|| drop(builder().hub(Impostor).hub(made()).build().unwrap()));

    assert!(log.contains(r#"or `.hub(…)` hub="Rooms""#), "{log}");
}

#[test]
fn all_problems_of_hubs_and_settings_are_listed_together() {
    let error = HubApp::builder()
        .hub(Rooms)
        .hub(Rooms)
        .hub(Impostor)
        .allow_origin("https://app.example/path")
        .negotiate_limit(NegotiateLimit::new(0, std::time::Duration::ZERO))
        .upstream_path("hooks")
        .build()
        .unwrap_err();

    let text = error.to_string();
    let problems: Vec<_> = text.lines().map(str::trim).collect();
    let expected = [
        "the app cannot start:",
        "- no SignalR service: call .signalr(SignalR::from_env_or_local()?)",
        "- the hub `rooms` is mounted more than once; keep one of `.hub(…)` and `.discover()` for it",
        "- two hubs are named `rooms`: `wire::start::Rooms` and `wire::start::Impostor`; rename one of them: \
         `#[serverless_hub(name = \"…\")]`",
        "- `https://app.example/path` is not an origin",
        "- the upstream path `hooks` must begin with `/`",
        "- the negotiate limit rejects every client: count and period must be greater than zero",
        "- `allow_origin` has no effect: no hub has a `negotiate`",
        "- `negotiate_limit` has no effect: no hub has a `negotiate`",
    ];
    assert_eq!(problems.len(), expected.len(), "{text}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.starts_with(expected), "{problem}\n{expected}");
    }
}

#[test]
fn mounting_a_discovered_hub_by_hand_is_an_error() {
    let error = builder().hub(Rooms).discover().build().unwrap_err();

    assert!(error.to_string().contains("the hub `rooms` is mounted more than once"), "{error}");
}

/// A service at this host, with a key of at least 32 bytes.
fn at(host: &str) -> SignalR {
    let text = format!("Endpoint=https://{host};AccessKey=0123456789abcdef0123456789abcdef;");
    SignalR::from_connection_string(&text).unwrap()
}

#[test]
fn an_empty_code_or_key_is_a_start_up_error() {
    let signalr = at("127.0.0.1:1").previous_access_key("");

    let error = HubApp::builder().signalr(signalr).hub(Rooms).upstream_code(" ").build();

    let text = error.unwrap_err().to_string();
    assert!(text.contains("the upstream code is empty"), "{text}");
    assert!(text.contains("the previous access key is empty"), "{text}");
}

#[test]
fn a_secret_that_can_be_guessed_is_refused_beyond_loopback_at_every_entrance() {
    let short = "k".repeat(15);
    let build = |signalr: SignalR| HubApp::builder().signalr(signalr).hub(Rooms);
    let with = |pairs: &[(&str, &str)]| {
        let settings = pairs.iter().copied().collect();
        build(SignalR::from_settings_or_local(settings).unwrap())
    };
    let connection = (
        "AzureSignalRConnectionString",
        "Endpoint=https://a.example;AccessKey=0123456789abcdef0123456789abcdef;",
    );
    let short_key = format!("Endpoint=https://a.example;AccessKey={short};");
    let client =
        format!("Endpoint=http://localhost;ClientEndpoint=https://a.example;AccessKey={short};");

    for (name, builder) in [
        ("the upstream code", build(at("a.example")).upstream_code(short.as_str())),
        ("the upstream code", with(&[connection, ("HUB_UPSTREAM_CODE", &short)])),
        ("the previous access key", build(at("a.example").previous_access_key(short.as_str()))),
        (
            "the previous access key",
            with(&[connection, ("AzureSignalRConnectionString__previousAccessKey", &short)]),
        ),
        ("the access key of", build(SignalR::from_connection_string(&short_key).unwrap())),
        ("the access key of", build(SignalR::from_connection_string(&client).unwrap())),
        (
            "the access key of",
            build(
                at("a.example")
                    .with_endpoint("b", hub_runtime::endpoints::EndpointRole::Primary, &short_key)
                    .unwrap(),
            ),
        ),
        ("HUB_LOCAL_KEY", with(&[("HUB_LOCAL_KEY", "a"), ("HUB_LOCAL_URL", "https://a.example")])),
    ] {
        let text = builder.build().unwrap_err().to_string();
        assert!(text.contains(name) && text.contains("fewer than 16 bytes"), "{text}");
        assert!(!text.contains(&short), "{text}");
    }
    let public = [("HUB_LOCAL_KEY", KEY), ("HUB_LOCAL_URL", "https://a.example")];
    let text = with(&public).build().unwrap_err().to_string();
    assert!(text.contains("HUB_LOCAL_KEY is the well-known key of the emulator"), "{text}");
}

#[test]
fn a_url_of_the_embedded_service_with_a_path_is_refused() {
    for url in ["https://live.example/signalr", "http://localhost:8888/a/b/"] {
        let settings = [("HUB_LOCAL_URL", url)].into_iter().collect();
        let text = SignalR::from_settings_or_local(settings).unwrap_err().to_string();
        assert!(text.contains("HUB_LOCAL_URL is not the URL of a host"), "{text}");
        assert!(text.contains("without a path"), "{text}");
    }
}

#[test]
fn a_secret_that_can_be_guessed_is_a_warning_on_loopback() {
    let text = "Endpoint=http://127.0.0.1:1;AccessKey=k;";
    let signalr = SignalR::from_connection_string(text).unwrap().previous_access_key("p");

    let log = logged(|| {
        drop(HubApp::builder().signalr(signalr).hub(Rooms).upstream_code("1").build().unwrap());
    });

    for name in ["the access key of", "the previous access key", "the upstream code"] {
        let is_named = |line: &&str| line.contains(name) && line.contains("fewer than 16 bytes");
        assert_eq!(log.lines().filter(is_named).count(), 1, "{name}: {log}");
    }
}

#[tokio::test]
async fn with_a_secret_that_can_be_guessed_the_app_listens_on_loopback_only() {
    let app =
        HubApp::builder().signalr(at("localhost")).hub(Rooms).upstream_code("1").build().unwrap();

    let error = app.serve("0.0.0.0:0").await.unwrap_err().to_string();

    assert!(error.contains("fewer than 16 bytes") && error.contains("loopback only"), "{error}");
}
