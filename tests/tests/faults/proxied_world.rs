//! A service, an app and clients on one thread, with a proxy on each of the three links between
//! them.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use hub_local::{HttpUpstream, Limits, LocalService};
use hub_runtime::{HubApp, SignalR, config::Retries};
use test_support::{KEY, until, within};
use tests::{
    history::{Event, History, check},
    ledger::Ledger,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::Instant,
};

use crate::{ports::free_port, proxy::Proxy, recording_client::RecordingClient, replays::Replays};

/// The timeout of upstream calls; REST calls time out after half of it.
pub(crate) const CALL_TIME: Duration = Duration::from_secs(20);
/// The client timeout, and the time within which a client can resume.
pub(crate) const CLIENT_TIME: Duration = Duration::from_secs(30);
/// The longest gap between two polls.
const POLL_GAP: Duration = Duration::from_millis(500);
/// The time within which a negotiated connection must be opened.
const CONNECT_WITHIN: Duration = Duration::from_millis(500);

/// Advances the clock of this thread. Tests do not wait for timeouts in real time, and slow
/// machines do not run into them. The clock advances in steps: a jump would be a standstill of the
/// process, after which peers get their time again.
pub(crate) async fn pass(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        let left = end - Instant::now();
        tokio::time::pause();
        tokio::time::advance(left.min(Duration::from_millis(500))).await;
        tokio::time::resume();
    }
}

/// A client, a service and an app, connected through proxies.
#[derive(Debug)]
pub(crate) struct ProxiedWorld {
    pub(crate) service: LocalService,
    pub(crate) history: History,
    /// Between clients and the service.
    pub(crate) clients: Proxy,
    /// Between the service and the app: upstream calls.
    pub(crate) upstream: Proxy,
    /// Between the app and the service: REST calls.
    pub(crate) rest: Proxy,
    /// A client that bypasses the proxies and must not be affected by any fault.
    pub(crate) steady: RecordingClient,
    address: SocketAddr,
    replays: Replays,
    _tasks: JoinSet<()>,
}

impl ProxiedWorld {
    /// Starts service, app and proxies, without faults.
    pub(crate) async fn start() -> Self {
        let (clients, upstream, rest) =
            (Proxy::start().await, Proxy::start().await, Proxy::start().await);
        let history = History::default();
        let mut tasks = JoinSet::new();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = service(upstream.address);
        let serving = service.clone();
        tasks.spawn(async move { serving.serve(listener).await.unwrap() });
        clients.leads_to(address);
        rest.leads_to(address);
        let app = app(rest.address, history.clone());
        let at = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let running = app.clone();
        tasks.spawn(async move { running.serve(at).await.unwrap() });
        within("the app listens", async {
            while TcpStream::connect(at).await.is_err() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        upstream.leads_to(at);
        let replays = Replays::full(&app).await;
        let steady = RecordingClient::connect(address, &history).await;
        Self { service, history, clients, upstream, rest, steady, address, replays, _tasks: tasks }
    }

    /// Connects a client through the proxy.
    pub(crate) async fn try_client(&self) -> Result<RecordingClient, String> {
        RecordingClient::try_connect(self.clients.address, &self.history, false).await
    }

    pub(crate) async fn client(&self) -> RecordingClient {
        self.try_client().await.unwrap()
    }

    /// Connects a client that resumes its connection.
    pub(crate) async fn resuming_client(&self) -> RecordingClient {
        RecordingClient::try_connect(self.clients.address, &self.history, true).await.unwrap()
    }

    /// Whether the app received `connected` for this client.
    pub(crate) fn knows(&self, who: &str) -> bool {
        self.history.count(|event| matches!(event, Event::Connected { client } if client == who))
            > 0
    }

    /// Returns the number of calls of a client that the app has run.
    pub(crate) fn runs(&self, of: &str) -> usize {
        self.history.count(|event| matches!(event, Event::Ran { client, .. } if client == of))
    }

    /// Waits until the app has received `disconnected` for every client except the steady one.
    pub(crate) async fn all_told(&self) {
        until("the app is told who has gone", || {
            let (mut here, mut gone) = (BTreeSet::new(), BTreeSet::new());
            for event in self.history.events() {
                match event {
                    Event::Connected { client } => here.insert(client),
                    Event::Disconnected { client } => gone.insert(client),
                    _ => true,
                };
            }
            here.iter().all(|client| client == &self.steady.id || gone.contains(client))
        })
        .await;
    }

    /// Ends all faults. Waits until only the steady client is connected, and until each link of the
    /// app has only one open connection, which a call has just used. Then checks the history and
    /// clears it.
    pub(crate) async fn settle(&self) {
        for proxy in [&self.clients, &self.upstream, &self.rest] {
            proxy.heal();
        }
        until("the others leave", || self.service.counters().connections == 1).await;
        for proxy in [&self.upstream, &self.rest] {
            proxy.cut_all();
            until("connections close", || proxy.open() == 0).await;
        }
        // A call fails if the pool has not yet noticed that its connection was cut.
        let working = async {
            while self.steady.invoke("tell").await.as_ref().map(|it| it == "accepted") != Ok(true) {
            }
        };
        within("everything works again", working).await;
        until("the last message comes", || self.lost().is_empty()).await;
        assert_eq!(check(&self.history.events()), [""; 0]);
        assert_eq!(self.steady.ended(), None);
        self.history.forget_all_but(&[&self.steady.id]);
    }

    /// Brings memory and tables to a comparable state: negotiated connections expire, broadcasts
    /// are dropped, and the steady client gets new buffers.
    pub(crate) async fn rest_a_while(&mut self) {
        self.steady.invoke("flush").await.unwrap();
        let next = RecordingClient::connect(self.address, &self.history).await;
        std::mem::replace(&mut self.steady, next).leave().await;
        self.settle().await;
        self.replays.forget().await;
        self.settle().await;
    }

    /// Returns the accepted messages that are pending or lost.
    fn lost(&self) -> Vec<String> {
        let faults = check(&self.history.events());
        faults.into_iter().filter(|fault| fault.contains(" lost ")).collect()
    }
}

fn service(upstream: SocketAddr) -> LocalService {
    let limits = Limits::default()
        .handshake_timeout(Duration::from_secs(2))
        .close_timeout(Duration::from_millis(200))
        .client_timeout(CLIENT_TIME)
        .poll_timeout(POLL_GAP)
        .poll_gap_timeout(POLL_GAP)
        .connect_timeout(CONNECT_WITHIN)
        .resume_timeout(CLIENT_TIME);
    let url = format!("http://{upstream}/runtime/webhooks/signalr");
    let upstream = HttpUpstream::new(url).unwrap().timeout(CALL_TIME);
    LocalService::builder().key(KEY).limits(limits).upstream(upstream).build()
}

fn app(service: SocketAddr, history: History) -> HubApp {
    let hub = Ledger::new(move |event| history.note(event));
    let service = format!("Endpoint=http://{service};AccessKey={KEY};Version=1.0;");
    HubApp::builder()
        .signalr(SignalR::from_connection_string(&service).unwrap())
        // The REST call must fail before the upstream call times out, so that the caller receives
        // the error.
        .rest_timeout(CALL_TIME / 2)
        .retries(Retries::default().delay(Duration::from_millis(1)))
        .hub(hub)
        .build()
        .unwrap()
}
