//! A repeated `invoke` runs once, and each copy receives the first completion.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::{BodyExt, Full};
use hub_core::{
    Secret,
    seal::{self, Identity, SealKey},
};
use hub_runtime::{HubApp, prelude::*, testing::TestHub};
use serde_json::json;
use test_support::{World, serve};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    time::timeout,
};
use tower_service::Service;

use crate::support::{KEY, SIGNATURE, answer, app, invoke_as as invoke_without_id, send};

/// A timeout that is long enough for a busy machine.
const WAIT: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Shared {
    filtered: AtomicUsize,
    handled: AtomicUsize,
    begun: Notify,
    go_on: Notify,
}

impl Shared {
    /// The number of runs of the filter, and of the methods.
    fn counts(&self) -> (usize, usize) {
        (self.filtered.load(Ordering::SeqCst), self.handled.load(Ordering::SeqCst))
    }
}

struct Counted(Arc<Shared>);

impl Filter for Counted {
    async fn before(&self, _: &Invocation) -> HubResult {
        self.0.filtered.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

struct Loop(Arc<Shared>);

impl Loop {
    fn handled(&self) -> usize {
        self.0.handled.fetch_add(1, Ordering::SeqCst) + 1
    }
}

#[serverless_hub]
impl Loop {
    async fn pay(&self, amount: u32) -> HubResult<String> {
        Ok(format!("{amount}, as number {}", self.handled()))
    }

    async fn slow(&self, ctx: &Context<Self>) -> HubResult<bool> {
        self.handled();
        self.0.begun.notify_one();
        self.0.go_on.notified().await;
        Ok(ctx.cancellation().is_cancelled())
    }

    async fn fails(&self) -> HubResult {
        self.handled();
        Err(HubError::internal("the database is down"))
    }

    async fn panics(&self) -> HubResult {
        assert_eq!(self.handled(), 0, "never");
        Ok(())
    }

    async fn long(&self) -> HubResult<String> {
        self.handled();
        Ok("x".repeat(5000))
    }

    #[filter(RequireClaim("role", "moderator"))]
    async fn guarded(&self) -> HubResult<&'static str> {
        self.handled();
        Ok("the answer for moderators")
    }
}

fn counting() -> (HubApp, Arc<Shared>) {
    let shared = Arc::<Shared>::default();
    let builder = crate::support::builder_at("http://127.0.0.1:1", Loop(Arc::clone(&shared)));
    (builder.filter(Counted(Arc::clone(&shared))).build().unwrap(), shared)
}

async fn body(app: &HubApp, request: Request<Full<Bytes>>) -> String {
    let answer = answer(app, request).await;
    assert_eq!(answer.status, 200);
    answer.body
}

/// A call whose request has an id: that of the invocation.
fn invoke_as(id: &str, event: &str, arguments: &str) -> Request<Full<Bytes>> {
    with_id(id, invoke_without_id(id, event, arguments))
}

fn with_id(id: &str, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    request.headers_mut().insert("x-hub-request-id", HeaderValue::from_str(id).unwrap());
    request
}

/// A call as the bytes of an HTTP request.
fn on_the_wire(event: &str) -> String {
    let body = format!(r#"{{"type":1,"invocationId":"0","target":"{event}","arguments":[]}}"#);
    format!(
        "POST /runtime/webhooks/signalr HTTP/1.1\r\nHost: x\r\nX-ASRS-Connection-Id: conn-0001\r\nX-ASRS-Hub: loop\r\nX-ASRS-Category: messages\r\nX-ASRS-Event: {event}\r\nX-ASRS-Signature: {SIGNATURE}\r\nX-Hub-Request-Id: 0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn the_same_invocation_replayed_is_handled_once() {
    let (app, shared) = counting();
    let pay = || invoke_as("0", "pay", "[5]");

    let answers = [body(&app, pay()).await, body(&app, pay()).await, body(&app, pay()).await];

    let first = "{\"type\":3,\"invocationId\":\"0\",\"result\":\"5, as number 1\"}\u{1e}";
    assert_eq!(answers, [first; 3]);
    assert_eq!(shared.counts(), (1, 1));
}

#[tokio::test]
async fn copies_of_a_running_call_wait_for_its_response_even_if_its_caller_disconnects() {
    let (app, shared) = counting();
    let (address, _serving) = serve(&app).await;
    let connect = || async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(on_the_wire("slow").as_bytes()).await.unwrap();
        stream
    };
    let first = connect().await;
    shared.begun.notified().await;
    let (second, mut third) = (connect().await, connect().await);

    drop(first);
    drop(second);
    let asked = tokio::spawn(async move {
        let mut answered = vec![0; 1024];
        let read = third.read(&mut answered).await.unwrap();
        String::from_utf8(answered[..read].to_vec()).unwrap()
    });
    // The app may detect the first caller's disconnect before or after the method continues.
    shared.go_on.notify_one();

    let answered = timeout(WAIT, asked).await.expect("the copy waits for nothing").unwrap();
    assert!(answered.starts_with("HTTP/1.1 200 OK\r\n"), "{answered}");
    assert!(answered.contains("{\"type\":3,\"invocationId\":\"0\",\"result\":"), "{answered}");
    assert_eq!(shared.counts(), (1, 1));
}

#[tokio::test]
async fn a_copy_gets_the_response_of_a_call_whose_peer_disconnected() {
    let (app, shared) = counting();
    let slow = || invoke_as("0", "slow", "[]");
    let mut first = Box::pin(answer(&app, slow()));
    assert!(futures_util::poll!(&mut first).is_pending());
    let mut copy = Box::pin(body(&app, slow()));
    assert!(futures_util::poll!(&mut copy).is_pending());

    drop(first);
    shared.go_on.notify_one();

    // The method ran to completion, and its cancellation token was set.
    let expected = "{\"type\":3,\"invocationId\":\"0\",\"result\":true}\u{1e}";
    assert_eq!(timeout(WAIT, copy).await.expect("the copy waits for nothing"), expected);
    assert_eq!(body(&app, slow()).await, expected);
    assert_eq!(shared.counts(), (1, 1));
}

#[tokio::test]
async fn copies_get_the_same_failure_with_the_same_error_id() {
    let (app, shared) = counting();
    for (id, event) in [("0", "fails"), ("1", "panics"), ("2", "guarded")] {
        let first = body(&app, invoke_as(id, event, "[]")).await;
        let again = body(&app, invoke_as(id, event, "[]")).await;

        assert!(first.contains("\"error\":"), "{first}");
        assert_eq!(first, again);
    }
    assert_eq!(shared.counts(), (3, 2));
}

#[tokio::test]
async fn a_copy_of_a_call_with_a_long_response_gets_an_error() {
    let (app, shared) = counting();
    let first = body(&app, invoke_as("0", "long", "[]")).await;

    let again = body(&app, invoke_as("0", "long", "[]")).await;

    assert!(first.len() > 5000);
    assert_eq!(
        again,
        "{\"type\":3,\"invocationId\":\"0\",\"error\":\"this invocation was already handled, and its result is no longer available\"}\u{1e}"
    );
    assert_eq!(shared.counts(), (1, 1));
}

#[tokio::test]
async fn calls_with_one_invocation_id_each_run() {
    let (app, shared) = counting();

    let mut answers = Vec::new();
    // The requests of hub-local have ids of their own, those of Azure SignalR Service have none.
    for (request_id, arguments) in
        [(Some("1"), "[5]"), (Some("2"), "[5]"), (Some("3"), "[6]"), (None, "[5]"), (None, "[5]")]
    {
        let call = invoke_without_id("0", "pay", arguments);
        let call = match request_id {
            Some(id) => with_id(id, call),
            None => call,
        };
        answers.push(body(&app, call).await);
    }

    let results =
        ["5, as number 1", "5, as number 2", "6, as number 3", "5, as number 4", "5, as number 5"];
    let expected = results.map(|result| {
        format!("{{\"type\":3,\"invocationId\":\"0\",\"result\":\"{result}\"}}\u{1e}")
    });
    assert_eq!(answers, expected);
    assert_eq!(shared.counts(), (5, 5));
}

#[tokio::test]
async fn a_repeated_request_id_with_other_arguments_is_another_call() {
    let (app, shared) = counting();
    body(&app, invoke_as("0", "pay", "[5]")).await;

    for other in [invoke_as("0", "pay", "[6]"), invoke_as("0", "long", "[]")] {
        assert!(body(&app, other).await.contains("\"result\":"));
    }
    assert_eq!(shared.counts(), (3, 3));
}

/// A call of the guarded method by a moderator.
fn by_a_moderator() -> Request<Full<Bytes>> {
    let identity = Identity {
        hub: "loop".to_owned(),
        user_id: Some("ada".to_owned()),
        issued_at: 0,
        claims: [("role".to_owned(), "moderator".to_owned())].into_iter().collect(),
    };
    let sealed = seal::seal(&identity, &SealKey::derive(&Secret::from(KEY)));
    let mut request = invoke_as("0", "guarded", "[]");
    let claims = HeaderValue::from_str(&format!("shub: {sealed}")).unwrap();
    request.headers_mut().insert("x-asrs-user-claims", claims);
    request.headers_mut().insert("x-asrs-user-id", HeaderValue::from_static("ada"));
    request
}

#[tokio::test]
async fn the_replay_record_is_per_connection() {
    let (app, shared) = counting();
    let without = |name: &str| {
        let mut request = by_a_moderator();
        request.headers_mut().remove(name);
        request
    };
    // The test sends each refused request before the genuine call and after it. A refused request
    // must neither fill the table nor read from it.
    for _ in 0..2 {
        assert_eq!(answer(&app, without("x-asrs-signature")).await.status, 401);
        assert_eq!(answer(&app, without("x-asrs-user-id")).await.status, 401);
        assert_eq!(answer(&app, without("content-type")).await.status, 415);
        assert!(body(&app, by_a_moderator()).await.contains("the answer for moderators"));
    }

    // Without the seal the signature is still valid, but the caller has another identity.
    let mut plain = without("x-asrs-user-claims");
    assert!(body(&app, plain).await.contains("403 Forbidden"));
    plain = without("x-asrs-user-claims");
    plain.headers_mut().remove("x-asrs-user-id");
    assert!(body(&app, plain).await.contains("403 Forbidden"));

    assert_eq!(shared.handled.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_repeated_send_runs_once_with_a_request_id_and_each_time_without() {
    let (app, shared) = counting();

    for _ in 0..3 {
        assert_eq!(answer(&app, with_id("7", send("pay", "[5]"))).await.status, 200);
    }
    assert_eq!(shared.counts(), (1, 1));
    for _ in 0..3 {
        assert_eq!(answer(&app, send("pay", "[5]")).await.status, 200);
    }
    assert_eq!(shared.counts(), (4, 4));
}

#[tokio::test]
async fn two_equal_calls_at_a_time_without_a_request_id_share_a_response() {
    let (app, shared) = counting();
    let slow = || invoke_without_id("0", "slow", "[]");
    let mut first = Box::pin(body(&app, slow()));
    assert!(futures_util::poll!(&mut first).is_pending());
    let mut copy = Box::pin(body(&app, slow()));
    assert!(futures_util::poll!(&mut copy).is_pending());

    shared.go_on.notify_one();

    let answers = timeout(WAIT, async { (first.await, copy.await) }).await.expect("responses");
    assert_eq!(answers.0, answers.1);
    assert_eq!(shared.counts(), (1, 1));
}

#[tokio::test]
async fn the_copy_of_a_call_in_messagepack_is_answered_in_messagepack() {
    let app = app(Loop(Arc::default()));
    let packed = || {
        let body = Bytes::from_static(b"\x96\x01\x80\xa10\xa3pay\x91\x05\x90");
        let mut request = invoke_as("0", "pay", "[]").map(|_| Full::new(body));
        let kind = HeaderValue::from_static("application/x-msgpack");
        request.headers_mut().insert("content-type", kind);
        request
    };

    for _ in 0..2 {
        let Ok(answer) = app.service().call(packed()).await;
        assert_eq!(answer.headers()["content-type"], "application/x-msgpack");
        let answered = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(&answered[..], b"\x15\x95\x03\x80\xa10\x03\xae5, as number 1");
    }
}

#[tokio::test]
async fn equal_invocation_ids_of_two_connections_are_separate() {
    let shared = Arc::<Shared>::default();
    let hub = TestHub::new(Loop(Arc::clone(&shared)));
    let (ada, bob) =
        (hub.user("ada").connect().await.unwrap(), hub.user("bob").connect().await.unwrap());

    let of_ada: String = ada.invoke("pay", (5,)).await.unwrap();
    let of_bob: String = bob.invoke("pay", (5,)).await.unwrap();

    assert_eq!((&*of_ada, &*of_bob), ("5, as number 1", "5, as number 2"));
}

#[tokio::test]
async fn a_client_that_reuses_an_invocation_id_has_each_call_run() {
    #[derive(Default)]
    struct Sum(AtomicU64);

    #[serverless_hub]
    impl Sum {
        async fn negotiate(&self, _request: NegotiateRequest) -> HubResult<Negotiation> {
            Ok(Negotiation::user("ada"))
        }

        async fn add(&self, number: u64) -> HubResult<u64> {
            Ok(self.0.fetch_add(number, Ordering::SeqCst) + number)
        }
    }

    for world in [World::embedded(Sum::default()), World::apart(Sum::default()).await] {
        let mut ada = world.connect("ada").await;

        for (number, sum) in [(1, 1), (1, 2), (2, 4)] {
            ada.begin("0", "add", json!([number])).await;
            assert_eq!(ada.recv().await, json!({"type": 3, "invocationId": "0", "result": sum}));
        }
    }
}
