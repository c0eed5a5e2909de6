//! Calls and events of the embedded service, which are no HTTP requests. Clients must get the same responses as over
//! HTTP, and the app must see the same callers.

use hub_local::Template;
use hub_runtime::{HubApp, HubAppBuilder, SignalR, prelude::*};
use serde_json::{Value, json};
use test_support::{Client, KEY, RunningService, serve, user_token};
use tokio::sync::mpsc;

/// More than a short call needs. The hub's long calls are longer.
const MAX_BODY: usize = 400;

struct Small;

#[serverless_hub]
impl Small {
    async fn length(&self, text: String) -> HubResult<usize> {
        Ok(text.len())
    }

    async fn fail(&self) -> HubResult {
        Err(HubError::denied("not today"))
    }

    async fn panics(&self) {
        panic!("a panic of the test");
    }
}

/// A hub that accepts sealed tokens only, because it has a `negotiate`.
struct Sealed;

#[serverless_hub]
impl Sealed {
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        Ok(Negotiation::user(request.bearer_token().or_reject("no token")?))
    }

    async fn length(&self, text: String) -> HubResult<usize> {
        Ok(text.len())
    }
}

/// A service and its app. `url` is the address of the service, and `key` its access key.
struct Pair {
    url: String,
    key: String,
    _app: HubApp,
    _service: Option<RunningService>,
    _serving: tokio::task::JoinSet<()>,
}

impl Pair {
    async fn embedded(app: HubAppBuilder) -> Self {
        let settings = [("HUB_LOCAL_KEY", KEY), ("HUB_LOCAL_PORT", "0")];
        let signalr = SignalR::from_settings_or_local(settings.into_iter().collect()).unwrap();
        let app = app.signalr(signalr).build().unwrap();
        let (_, serving) = serve(&app).await;
        let url = app.client_url().to_owned();
        Self { url, key: KEY.to_owned(), _app: app, _service: None, _serving: serving }
    }

    async fn apart(app: HubAppBuilder) -> Self {
        let service = RunningService::start().await;
        let signalr = SignalR::from_connection_string(&service.connection_string()).unwrap();
        let text = service.connection_string();
        let key = text.split(';').find_map(|it| it.strip_prefix("AccessKey=")).unwrap().to_owned();
        let app = app.signalr(signalr).build().unwrap();
        let (address, serving) = serve(&app).await;
        let upstream = format!("http://{address}/runtime/webhooks/signalr");
        service.set_upstream([Template::new(upstream).unwrap()]);
        let url = app.client_url().to_owned();
        Self { url, key, _app: app, _service: Some(service), _serving: serving }
    }

    /// A client whose token was made with the key of the service and has no seal.
    async fn unsealed(&self, hub: &str) -> Client {
        let url = format!("{}/client/?hub={hub}", self.url);
        let mut client =
            Client::web_socket(&url, &user_token(&self.key, &url, "ada")).await.unwrap();
        client.handshake().await;
        client
    }
}

/// The completions of these calls, without their ids.
async fn answers(client: &mut Client, calls: &[(&str, Value)]) -> Vec<Value> {
    let mut answers = Vec::new();
    for (method, arguments) in calls {
        let mut answer = client.invoke(method, arguments.clone()).await;
        answer.as_object_mut().unwrap().remove("invocationId");
        // Each panic has an id of its own.
        if let Some((text, _)) =
            answer["error"].as_str().and_then(|it| it.split_once(" (error id "))
        {
            answer["error"] = json!(text);
        }
        answers.push(answer);
    }
    answers
}

fn refused(status: u16) -> Value {
    json!({ "type": 3, "error": format!("Invocation failed, status code {status}") })
}

fn app() -> HubAppBuilder {
    HubApp::builder().hub(Small).hub(Sealed).max_body(MAX_BODY).keep_refused_connections()
}

/// The answers of an embedded service and of one over HTTP, which must be the same.
async fn both(app: fn() -> HubAppBuilder, hub: &str, calls: &[(&str, Value)]) -> Vec<Value> {
    let mut seen = Vec::new();
    for pair in [Pair::embedded(app()).await, Pair::apart(app()).await] {
        let mut client = pair.unsealed(hub).await;
        seen.push(answers(&mut client, calls).await);
    }
    assert_eq!(seen[0], seen[1], "embedded, and over HTTP");
    seen.swap_remove(0)
}

#[tokio::test]
async fn embedded_calls_have_the_completions_of_calls_over_http() {
    let fitting = "x".repeat(100);
    // The second call may be too long, so the service passes it as a request. The third call is too long.
    let (near, beyond) = ("\u{1}".repeat(50), "x".repeat(MAX_BODY));
    let calls = [
        ("length", json!([fitting])),
        ("length", json!([near])),
        ("length", json!([beyond])),
        ("LENGTH", json!(["case"])),
        ("length", json!([1])),
        ("length", json!([])),
        ("fail", json!([])),
        ("panics", json!([])),
        ("negotiate", json!([])),
        ("unknown", json!([])),
        ("unknown", json!([beyond])),
    ];

    let answers = both(app, "small", &calls).await;

    let expected = [
        json!(100),
        json!(50),
        json!("Invocation failed, status code 413"),
        json!(4),
        json!("argument 1 (`text`): invalid type: integer `1`, expected a string"),
        json!("argument 1 (`text`) is missing"),
        json!("403 Forbidden: not today"),
        json!("Something went wrong on the server"),
        json!("Unknown hub method 'negotiate'"),
        json!("Unknown hub method 'unknown'"),
        json!("Invocation failed, status code 413"),
    ];
    let seen = answers.iter().map(|it| it.get("result").unwrap_or(&it["error"]).clone());
    assert_eq!(seen.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn an_unsealed_client_is_refused_for_each_call_of_the_embedded_service() {
    let calls = [("length", json!(["x"])), ("length", json!(["y"]))];

    let answers = both(app, "sealed", &calls).await;

    assert_eq!(answers, vec![refused(401); 2]);
}

#[tokio::test]
async fn a_hub_that_is_not_mounted_is_refused_for_each_call_of_the_embedded_service() {
    let answers = both(app, "other", &[("length", json!(["x"])), ("length", json!(["y"]))]).await;

    assert_eq!(answers, vec![refused(404); 2]);
}

/// A hub that uses another service than the embedded one.
struct Abroad;

#[serverless_hub(connection = "Other")]
impl Abroad {
    async fn length(&self, text: String) -> HubResult<usize> {
        Ok(text.len())
    }
}

#[tokio::test]
async fn a_client_of_the_embedded_service_cannot_call_a_hub_of_another_service() {
    let other = "Endpoint=https://other.service.signalr.net;AccessKey=a-key-of-the-other-service-0000;Version=1.0;";
    let settings = [("HUB_LOCAL_KEY", KEY), ("HUB_LOCAL_PORT", "0"), ("Other", other)];
    let signalr = SignalR::from_settings_or_local(settings.into_iter().collect()).unwrap();
    let app = HubApp::builder().hub(Small).hub(Abroad).keep_refused_connections();
    let app = app.signalr(signalr).build().unwrap();
    let (url, key) = (app.client_url().to_owned(), KEY.to_owned());
    let (_, serving) = serve(&app).await;
    let pair = Pair { url, key, _app: app, _service: None, _serving: serving };

    for (hub, answer) in [("small", json!({ "type": 3, "result": 1 })), ("abroad", refused(401))] {
        let mut client = pair.unsealed(hub).await;
        let calls = [("length", json!(["x"])), ("length", json!(["y"]))];
        assert_eq!(answers(&mut client, &calls).await, vec![answer; 2], "{hub}");
    }
}

/// A hub that sends what it learns about each event and call.
struct Seen(mpsc::UnboundedSender<Value>);

#[serverless_hub]
impl Seen {
    async fn on_connected(&self, ctx: &Context<Self>) {
        self.note(ctx);
    }

    async fn on_disconnected(&self, ctx: &Context<Self>) {
        self.note(ctx);
    }

    async fn call(&self, ctx: &Context<Self>) {
        self.note(ctx);
    }
}

impl Seen {
    fn note(&self, ctx: &Context<Self>) {
        let call = ctx.invocation();
        let headers = call.headers();
        let value = |name: &str| headers.get(name).map(|it| it.to_str().unwrap().to_owned());
        let names = [
            "x-asrs-category",
            "x-asrs-event",
            "x-asrs-hub",
            "x-asrs-user-id",
            "x-asrs-client-query",
            "content-type",
        ];
        let id = ctx.connection_id();
        self.0
            .send(json!({
                "event": call.event(),
                "category": format!("{:?}", call.category()),
                "hub": call.hub_name(),
                "user": ctx.user_id(),
                "claims": ctx.claims().iter().collect::<Vec<_>>(),
                "query": call.query().iter().collect::<Vec<_>>(),
                "error": call.error(),
                "protocol": call.protocol().name(),
                "headers": names.map(value),
                "has the id": value("x-asrs-connection-id").as_deref() == Some(id),
                "is signed": value("x-asrs-signature").is_some_and(|it| it.starts_with("sha256=")),
                "has claims": value("x-asrs-user-claims").is_some(),
                "has a request id": value("x-hub-request-id").is_some(),
            }))
            .unwrap();
    }
}

#[tokio::test]
async fn events_of_the_embedded_service_are_those_over_http() {
    let mut seen = Vec::new();
    for embedded in [true, false] {
        let (sender, mut notes) = mpsc::unbounded_channel();
        let app = HubApp::builder().hub(Seen(sender));
        let pair = if embedded { Pair::embedded(app).await } else { Pair::apart(app).await };
        let url = format!("{}/client/?hub=seen&room=a%20b", pair.url);
        let token = user_token(&pair.key, &url, "ada");
        let mut client = Client::web_socket(&url, &token).await.unwrap();
        client.handshake().await;
        client.invoke("call", json!([])).await;
        drop(client);
        let mut all = Vec::new();
        for _ in 0..3 {
            all.push(notes.recv().await.unwrap());
        }
        seen.push(all);
    }

    assert_eq!(seen[0], seen[1], "embedded, and over HTTP");
    let of = |name: &str| seen[0].iter().map(|note| note[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("event"), ["connected", "call", "disconnected"]);
    assert_eq!(of("user"), ["ada", "ada", "ada"]);
    assert_eq!(of("query")[0], json!([["hub", "seen"], ["room", "a b"]]));
    assert!(of("error")[2].as_str().is_some_and(|error| error.contains("lost")));
    assert_eq!(
        of("headers")[0],
        json!(["connections", "connected", "seen", "ada", null, "application/json"])
    );
    for property in ["has the id", "is signed", "has claims", "has a request id"] {
        assert_eq!(of(property), [true, true, true], "{property}");
    }
}
