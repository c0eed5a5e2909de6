//! Several calls on one connection between a service and an app in another process: when it is opened, what runs on it, and
//! who may open it.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use http::Request;
use http_body_util::Full;
use hub_local::{HttpUpstream, LocalService, Template};
use hub_runtime::{HubApp, SignalR, prelude::*};
use serde_json::{Value, json};
use test_support::{Client, KEY, answer, serve, until, within};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Barrier,
    task::JoinSet,
};

mod access;
mod invalid;

const CLIENTS: usize = 8;
const PATH: &str = "/runtime/webhooks/signalr";

/// What the methods have in common.
struct Meeting {
    all: Barrier,
    seen: Mutex<Vec<(String, u64)>>,
    cancelled: AtomicUsize,
    hanging: AtomicUsize,
}

impl Meeting {
    fn of(clients: usize) -> Arc<Self> {
        Arc::new(Self {
            all: Barrier::new(clients),
            seen: Mutex::default(),
            cancelled: AtomicUsize::new(0),
            hanging: AtomicUsize::new(0),
        })
    }
}

struct Meet(Arc<Meeting>);

#[serverless_hub]
impl Meet {
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        Ok(Negotiation::user(request.bearer_token().or_reject("who are you?")?))
    }

    /// Ends when all clients are in it.
    async fn meet(&self) {
        self.0.all.wait().await;
    }

    async fn note(&self, ctx: &Context<Self>, number: u64) -> HubResult<u64> {
        let user = ctx.user_id().or_reject("no user id")?.to_owned();
        self.0.seen.lock().unwrap().push((user, number));
        Ok(number)
    }

    /// Ends when its call is cancelled.
    async fn hang(&self, ctx: &Context<Self>) {
        self.0.hanging.fetch_add(1, Ordering::SeqCst);
        ctx.cancellation().cancelled().await;
        self.0.cancelled.fetch_add(1, Ordering::SeqCst);
    }

    async fn fail(&self, text: String) -> HubResult {
        Err(HubError::rejected(text))
    }

    async fn length(&self, text: String) -> HubResult<usize> {
        Ok(text.len())
    }

    async fn header(&self, ctx: &Context<Self>, name: String) -> HubResult<Option<String>> {
        let value = ctx.invocation().headers().get(&name);
        Ok(value.and_then(|value| value.to_str().ok()).map(str::to_owned))
    }
}

/// A proxy before the app, which stores what the service sends on each connection.
struct Tap {
    address: SocketAddr,
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
    links: Arc<Mutex<JoinSet<()>>>,
    _accepting: JoinSet<()>,
}

impl Tap {
    async fn before(app: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sent = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let links = Arc::<Mutex<JoinSet<()>>>::default();
        let (all, all_links, mut accepting) =
            (Arc::clone(&sent), Arc::clone(&links), JoinSet::new());
        accepting.spawn(async move {
            while let Ok((service, _)) = listener.accept().await {
                let all = Arc::clone(&all);
                let index = {
                    let mut all = all.lock().unwrap();
                    all.push(Vec::new());
                    all.len() - 1
                };
                all_links.lock().unwrap().spawn(async move {
                    let app = TcpStream::connect(app).await.unwrap();
                    let (mut from_service, mut to_service) = service.into_split();
                    let (mut from_app, mut to_app) = app.into_split();
                    let up = async {
                        let mut bytes = vec![0; 16 * 1024];
                        while let Ok(length @ 1..) = from_service.read(&mut bytes).await {
                            all.lock().unwrap()[index].extend_from_slice(&bytes[..length]);
                            if to_app.write_all(&bytes[..length]).await.is_err() {
                                break;
                            }
                        }
                        let _ = to_app.shutdown().await;
                    };
                    let down = async {
                        let _ = tokio::io::copy(&mut from_app, &mut to_service).await;
                        let _ = to_service.shutdown().await;
                    };
                    tokio::join!(up, down);
                });
            }
        });
        Self { address, sent, links, _accepting: accepting }
    }

    /// Cuts all connections.
    async fn cut(&self) {
        let mut links = std::mem::take(&mut *self.links.lock().unwrap());
        links.shutdown().await;
    }

    fn count(&self, text: &str) -> usize {
        let sent = self.sent.lock().unwrap();
        let text = text.as_bytes();
        sent.iter().map(|bytes| bytes.windows(text.len()).filter(|at| *at == text).count()).sum()
    }

    fn requests(&self) -> usize {
        self.count("POST /")
    }

    fn connections(&self) -> usize {
        self.count("upgrade: hub-calls\r\n")
    }
}

struct Apart {
    meeting: Arc<Meeting>,
    app: HubApp,
    service: LocalService,
    tap: Tap,
    _serving: JoinSet<()>,
}

impl Apart {
    async fn new(clients: usize, configure: impl Fn(HttpUpstream) -> HttpUpstream) -> Self {
        let upstream = configure(HttpUpstream::with_templates([]));
        let service = LocalService::builder()
            .key(KEY)
            .upstream(upstream.clone())
            .public_url("http://127.0.0.1:8888")
            .build();
        let meeting = Meeting::of(clients);
        let signalr = SignalR::from_connection_string(service.connection_string().expose());
        let app = HubApp::builder()
            .signalr(signalr.unwrap())
            .hub(Meet(Arc::clone(&meeting)))
            .build()
            .unwrap();
        let (address, serving) = serve(&app).await;
        let tap = Tap::before(address).await;
        upstream.replace([Template::new(format!("http://{}{PATH}", tap.address)).unwrap()]);
        Self { meeting, app, service, tap, _serving: serving }
    }

    async fn client(&self, user: &str) -> Client {
        let request = Request::post("/negotiate?negotiateVersion=1")
            .header("authorization", format!("Bearer {user}"))
            .body(Full::<bytes::Bytes>::default())
            .unwrap();
        let negotiated = answer(&self.app, request).await;
        let negotiated: Value = serde_json::from_str(&negotiated.body).unwrap();
        let [url, token] = ["url", "accessToken"].map(|name| negotiated[name].as_str().unwrap());
        let mut client = Client::in_memory(self.service.connect_memory(url, token).unwrap());
        client.handshake().await;
        client
    }

    async fn clients(&self, count: usize) -> Vec<Client> {
        let users: Vec<_> = (0..count).map(|number| format!("user{number}")).collect();
        join_all(users.iter().map(|user| self.client(user))).await
    }

    /// Lets all clients call at once until a connection for calls is open.
    async fn meet(&self, clients: &mut [Client]) {
        let meeting = join_all(clients.iter_mut().map(|client| client.invoke("meet", json!([]))));
        within("all meet", meeting).await;
    }

    async fn upgraded(&self, clients: &mut [Client]) {
        self.meet(clients).await;
        until("the service opens a connection", || self.tap.connections() > 0).await;
        // Until calls use it.
        for _ in 0..200 {
            let before = self.tap.requests();
            self.meet(clients).await;
            if self.tap.requests() < before + CLIENTS {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("no call uses the connection");
    }
}

/// Each method waits for those of all other clients, so none blocks another one.
#[tokio::test]
async fn calls_that_wait_for_each_other_share_a_connection() {
    let apart = Apart::new(CLIENTS, |upstream| upstream).await;
    let mut clients = apart.clients(CLIENTS).await;

    apart.upgraded(&mut clients).await;
    let requests = apart.tap.requests();
    for _ in 0..20 {
        apart.meet(&mut clients).await;
    }

    // The first three calls at once are requests.
    let new = apart.tap.requests() - requests;
    assert!(new <= 20 * 3, "{new}");
    assert_eq!(apart.tap.connections(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_calls_of_a_thousand_clients_run_once_and_in_order() {
    const CALLS: u64 = 6;
    let apart = Apart::new(CLIENTS, |upstream| upstream).await;
    let mut clients = apart.clients(1000).await;
    apart.upgraded(&mut clients[..CLIENTS]).await;

    let calling = clients.iter_mut().map(async |client| {
        for number in 0..CALLS {
            client.begin(&number.to_string(), "note", json!([number])).await;
        }
        for number in 0..CALLS {
            let completion = client.recv().await;
            assert_eq!(completion["invocationId"], number.to_string(), "{completion}");
            assert_eq!(completion["result"], number, "{completion}");
        }
    });
    within("all calls end", join_all(calling)).await;

    let mut seen = apart.meeting.seen.lock().unwrap().clone();
    seen.sort_by(|one, other| one.0.cmp(&other.0));
    for calls in seen.chunk_by(|one, other| one.0 == other.0) {
        assert_eq!(calls.iter().map(|call| call.1).collect::<Vec<_>>(), Vec::from_iter(0..CALLS));
    }
    assert_eq!(seen.len(), 1000 * CALLS as usize);
    assert!(apart.tap.requests() < 3000, "{}", apart.tap.requests());
}

#[tokio::test]
async fn a_method_sees_that_its_call_was_cancelled_and_the_connection_stays() {
    let apart = Apart::new(CLIENTS, |upstream| upstream).await;
    let mut clients = apart.clients(CLIENTS).await;
    apart.upgraded(&mut clients).await;

    for client in &clients {
        client.call_with_id("h", "hang").await;
    }
    until("all hang", || apart.meeting.hanging.load(Ordering::SeqCst) == CLIENTS).await;
    for client in &mut clients {
        client.send(&json!({ "type": 5, "invocationId": "h" })).await;
        assert_eq!(client.recv().await["error"], "The invocation was canceled.");
    }

    until("all are cancelled", || apart.meeting.cancelled.load(Ordering::SeqCst) == CLIENTS).await;
    apart.meet(&mut clients).await;
    assert_eq!(apart.tap.connections(), 1);
}

#[tokio::test]
async fn errors_headers_and_large_calls_are_as_over_http() {
    let apart = Apart::new(CLIENTS, |upstream| upstream).await;
    let mut clients = apart.clients(CLIENTS).await;
    apart.upgraded(&mut clients).await;
    let large = "x".repeat(100_000);

    let calls = clients.iter_mut().map(async |client| {
        let failed = client.invoke("fail", json!(["no"])).await;
        let unknown = client.invoke("nothing", json!([])).await;
        let hub = client.invoke("header", json!(["x-asrs-hub"])).await;
        let host = client.invoke("header", json!(["host"])).await;
        let length = client.invoke("length", json!([large])).await;
        (failed["error"].clone(), unknown["error"].clone(), hub, host, length["result"].clone())
    });
    for (failed, unknown, hub, host, length) in within("all end", join_all(calls)).await {
        assert_eq!(failed, "no");
        assert!(unknown.as_str().unwrap().contains("nothing"), "{unknown}");
        assert_eq!(hub["result"], "meet");
        assert_eq!(host["result"], apart.tap.address.to_string());
        assert_eq!(length, 100_000);
    }
}

/// As after a crash and a restart of the app.
#[tokio::test]
async fn calls_after_the_end_of_all_connections_run_as_requests() {
    let apart = Apart::new(CLIENTS, |upstream| upstream).await;
    let mut clients = apart.clients(CLIENTS).await;
    apart.upgraded(&mut clients).await;

    apart.tap.cut().await;
    let requests = apart.tap.requests();
    for _ in 0..20 {
        apart.meet(&mut clients).await;
    }

    assert_eq!(apart.tap.requests(), requests + 20 * CLIENTS);
    assert_eq!(apart.tap.connections(), 1);
}

#[tokio::test]
async fn a_service_that_must_not_upgrade_sends_requests_only() {
    let apart = Apart::new(CLIENTS, HttpUpstream::without_upgrade).await;
    let mut clients = apart.clients(CLIENTS).await;

    for _ in 0..20 {
        apart.meet(&mut clients).await;
    }

    assert_eq!(apart.tap.connections(), 0);
    assert!(apart.tap.requests() >= 20 * CLIENTS);
}
