//! The load tool: many clients against any SignalR server, and what they measured.

mod args;
mod broadcast;
mod check;
mod client;
mod connect;
mod count;
mod echo;
mod error;
mod events;
mod frames;
mod histogram;
mod idle;
mod mask;
mod message;
mod negotiate;
mod over_http;
mod pace;
mod progress;
mod report;
mod rest;
mod slow;
mod stats;
mod web_socket;
mod window;

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::Uri;
use hub_core::protocol::Protocol;
use tokio::{
    task::{JoinSet, spawn_blocking},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

pub use self::{
    args::{LoadArgs, LoadProtocol, LoadTransport, Scenario},
    error::LoadError,
    report::{Latency, Report},
};
use self::{
    client::Client,
    connect::Connector,
    histogram::Histogram,
    message::{Call, Payloads},
    negotiate::Negotiator,
    over_http::{HttpClient, http_client},
    progress::Progress,
    rest::RestTarget,
    stats::Stats,
    window::Window,
};

/// How long the last messages are waited for.
const LAST: Duration = Duration::from_secs(5);

/// What all clients of a run share.
#[derive(Debug)]
struct Shared {
    args: LoadArgs,
    stats: Stats,
    /// Nothing new is sent.
    stop: CancellationToken,
    /// Nothing more is received.
    done: CancellationToken,
}

/// Where clients come from.
struct Entrance {
    negotiator: Negotiator,
    http: HttpClient,
    connector: Connector,
    /// For clients that do not read.
    slow: Connector,
    protocol: Protocol,
}

/// Who is connected.
#[derive(Default)]
struct Crowd {
    clients: Vec<Client>,
    slow: Vec<Client>,
}

/// Connects, runs the scenario, and returns what was measured. Progress goes to standard error.
///
/// # Errors
/// When the options do not fit together or no client can connect.
pub async fn run(args: LoadArgs) -> Result<Report, LoadError> {
    args.check()?;
    let url: Uri = args.url.parse().map_err(|_| LoadError::Url(args.url.clone()))?;
    if !matches!(url.scheme_str(), Some("http" | "https")) {
        return Err(LoadError::Url(args.url));
    }
    let entrance = Entrance::new(url, &args)?;
    let mut report = Report::new(&args);
    let shared = Arc::new(Shared {
        args,
        stats: Stats::default(),
        stop: CancellationToken::new(),
        done: CancellationToken::new(),
    });
    let crowd = entrance.connect_all(&shared, &mut report).await?;
    let mut tasks = JoinSet::new();
    let window = shared.begin(&entrance, crowd, &mut tasks).await?;
    shared.measure(&mut report).await?;
    shared.stop.cancel();
    if let Some(window) = window {
        // What has not come by then is lost.
        let _ = timeout(LAST, window.completed()).await;
    }
    shared.done.cancel();
    while tasks.join_next().await.is_some() {}
    report.lost = shared.stats.lost.load(Ordering::Relaxed);
    report.duplicated = shared.stats.duplicated.load(Ordering::Relaxed);
    (report.errors, report.error_texts) = shared.stats.errors();
    Ok(report)
}

impl Entrance {
    fn new(url: Uri, args: &LoadArgs) -> Result<Self, LoadError> {
        let connector = Connector::new(&url)?;
        let slow = Connector::with_receive_buffer(&url, Some(slow::RECEIVE_BUFFER))?;
        let http = http_client(connector.clone());
        let negotiator = Negotiator::new(http.clone(), url, args);
        Ok(Self { negotiator, http, connector, slow, protocol: args.protocol.into() })
    }

    async fn client(&self, connector: &Connector) -> Result<Client, LoadError> {
        let door = self.negotiator.negotiate().await?;
        Client::open(connector, &self.http, door, self.protocol).await
    }

    async fn connect_all(&self, shared: &Shared, report: &mut Report) -> Result<Crowd, LoadError> {
        let args = &shared.args;
        let (mut crowd, mut histogram) = (Crowd::default(), Histogram::default());
        let progress = Progress::new(args);
        let began = Instant::now();
        let slow_clients = args.slow_clients();
        let connecting = (0..args.clients).map(|index| async move {
            let (began, is_slow) = (Instant::now(), index < slow_clients);
            let connector = if is_slow { &self.slow } else { &self.connector };
            self.client(connector).await.map(|client| (client, is_slow, began.elapsed()))
        });
        let mut connecting = stream::iter(connecting).buffer_unordered(args.connects);
        let mut failed = None;
        while let Some(connected) = connecting.next().await {
            match connected {
                Ok((client, is_slow, took)) => {
                    histogram.record(took);
                    if is_slow { &mut crowd.slow } else { &mut crowd.clients }.push(client);
                }
                Err(error) => {
                    shared.stats.error(&error);
                    failed = Some(error);
                }
            }
            progress.connecting(crowd.clients.len() + crowd.slow.len());
        }
        if let (true, Some(error)) = (crowd.clients.is_empty(), failed) {
            return Err(error);
        }
        report.slow = crowd.slow.len();
        report.clients = crowd.clients.len() + report.slow;
        report.connects_per_second = report.clients as f64 / began.elapsed().as_secs_f64();
        report.connect = Latency::of(&histogram);
        Ok(crowd)
    }
}

impl Shared {
    /// Starts the clients' tasks.
    async fn begin(
        self: &Arc<Self>,
        entrance: &Entrance,
        Crowd { mut clients, mut slow }: Crowd,
        tasks: &mut JoinSet<()>,
    ) -> Result<Option<Arc<Window>>, LoadError> {
        if self.args.scenario == Scenario::Group {
            clients = self.join_all(clients).await?;
            slow = self.join_all(slow).await?;
        }
        for client in slow {
            tasks.spawn(slow::run(client, Arc::clone(self)));
        }
        match self.args.scenario {
            Scenario::Echo => {
                for (index, client) in clients.into_iter().enumerate() {
                    tasks.spawn(echo::run(client, index, Arc::clone(self)));
                }
                return Ok(None);
            }
            Scenario::Idle => {
                for client in clients {
                    tasks.spawn(idle::run(client, Arc::clone(self)));
                }
                return Ok(None);
            }
            Scenario::Broadcast | Scenario::Group => {}
        }
        let window = Arc::new(Window::new(self.args.window, clients.len()));
        for (index, client) in clients.into_iter().enumerate() {
            tasks.spawn(broadcast::receive(client, index, Arc::clone(self), Arc::clone(&window)));
        }
        self.begin_driving(entrance, tasks, &window).await?;
        Ok(Some(window))
    }

    /// Puts everyone into the group, several at a time.
    async fn join_all(&self, clients: Vec<Client>) -> Result<Vec<Client>, LoadError> {
        let method = self.args.join_group.as_str();
        let joining = clients.into_iter().map(|client| broadcast::join(client, method));
        stream::iter(joining).buffer_unordered(self.args.connects).try_collect().await
    }

    async fn begin_driving(
        self: &Arc<Self>,
        entrance: &Entrance,
        tasks: &mut JoinSet<()>,
        window: &Arc<Window>,
    ) -> Result<(), LoadError> {
        let args = &self.args;
        let Some(connection_string) = &args.connection_string else {
            let payloads = Payloads { length: args.payload };
            let (method, group) = match args.scenario {
                Scenario::Group => (&args.send_to_group, Some(broadcast::GROUP)),
                _ => (&args.broadcast, None),
            };
            let call = Call::new(entrance.protocol, method, group, payloads);
            let client = entrance.client(&entrance.connector).await?;
            tasks.spawn(broadcast::drive(client, call, Arc::clone(self), Arc::clone(window)));
            return Ok(());
        };
        let hub = match &args.hub {
            Some(hub) => hub.clone(),
            None => entrance.negotiator.negotiate().await?.hub.ok_or_else(|| {
                LoadError::Arguments("negotiate names no hub: give it with --hub".to_owned())
            })?,
        };
        let target = RestTarget::new(connection_string, &hub, args.scenario)?;
        // One keeps a pace; several are for speed.
        let drivers = if args.rate.is_some() { 1 } else { args.inflight };
        for _ in 0..drivers {
            tasks.spawn(rest::drive(target.clone(), Arc::clone(self), Arc::clone(window)));
        }
        Ok(())
    }

    /// Waits for things to settle, then counts what comes.
    async fn measure(&self, report: &mut Report) -> Result<(), LoadError> {
        let stats = &self.stats;
        if self.args.wait {
            let line = spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
            line.await.map_err(LoadError::protocol)?.map_err(LoadError::connect)?;
        } else {
            sleep(Duration::from_secs(self.args.warm_up)).await;
        }
        stats.clear_latency();
        let (first, began) = (stats.messages(), Instant::now());
        Progress::new(&self.args).measuring(stats, began).await;
        let seconds = began.elapsed().as_secs_f64();
        report.messages = stats.messages() - first;
        report.seconds = seconds;
        report.messages_per_second = report.messages as f64 / seconds;
        report.latency = Latency::of(&stats.latency());
        Ok(())
    }
}
