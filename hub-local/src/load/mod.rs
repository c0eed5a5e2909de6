//! The load tool: many clients against any SignalR server, and what they measured.

mod args;
mod broadcast;
mod check;
mod client;
mod connect;
mod echo;
mod error;
mod frames;
mod histogram;
mod idle;
mod message;
mod negotiate;
mod progress;
mod report;
mod rest;
mod stats;
mod window;

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use http::Uri;
use tokio::{
    task::JoinSet,
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
    connector: Connector,
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
    let connector = Connector::new(&url)?;
    let negotiator = Negotiator::new(connector.clone(), url, args.bearer.clone());
    let entrance = Entrance { negotiator, connector };
    let mut report = Report::new(&args);
    let shared = Arc::new(Shared {
        args,
        stats: Stats::default(),
        stop: CancellationToken::new(),
        done: CancellationToken::new(),
    });
    let clients = entrance.connect_all(&shared, &mut report).await?;
    let mut tasks = JoinSet::new();
    let window = shared.begin(&entrance, clients, &mut tasks).await?;
    shared.measure(&mut report).await;
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
    /// A client and the hub it is connected to, as far as the URL names it.
    async fn client(&self) -> Result<(Client, Option<String>), LoadError> {
        let door = self.negotiator.negotiate().await?;
        Ok((Client::open(&self.connector, &door).await?, door.hub))
    }

    async fn connect_all(
        &self,
        shared: &Shared,
        report: &mut Report,
    ) -> Result<Vec<Client>, LoadError> {
        let args = &shared.args;
        let (mut clients, mut histogram) = (Vec::with_capacity(args.clients), Histogram::default());
        let progress = Progress::new(args);
        let began = Instant::now();
        let connecting = (0..args.clients).map(|_| async {
            let began = Instant::now();
            self.client().await.map(|(client, _)| (client, began.elapsed()))
        });
        let mut connecting = stream::iter(connecting).buffer_unordered(args.connects);
        let mut failed = None;
        while let Some(connected) = connecting.next().await {
            match connected {
                Ok((client, took)) => {
                    histogram.record(took);
                    clients.push(client);
                }
                Err(error) => {
                    shared.stats.error(&error);
                    failed = Some(error);
                }
            }
            progress.connecting(clients.len());
        }
        if let (true, Some(error)) = (clients.is_empty(), failed) {
            return Err(error);
        }
        report.clients = clients.len();
        report.connects_per_second = clients.len() as f64 / began.elapsed().as_secs_f64();
        report.connect = Latency::of(&histogram);
        Ok(clients)
    }
}

impl Shared {
    /// Starts the clients' tasks.
    async fn begin(
        self: &Arc<Self>,
        entrance: &Entrance,
        mut clients: Vec<Client>,
        tasks: &mut JoinSet<()>,
    ) -> Result<Option<Arc<Window>>, LoadError> {
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
            Scenario::Broadcast => {}
            Scenario::Group => {
                for client in &mut clients {
                    broadcast::join(client, &self.args.join_group).await?;
                }
            }
        }
        let window = Arc::new(Window::new(self.args.window, clients.len()));
        for (index, client) in clients.into_iter().enumerate() {
            tasks.spawn(broadcast::receive(client, index, Arc::clone(self), Arc::clone(&window)));
        }
        self.begin_driving(entrance, tasks, &window).await?;
        Ok(Some(window))
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
            let call = match args.scenario {
                Scenario::Group => Call::new(&args.send_to_group, Some(broadcast::GROUP), payloads),
                _ => Call::new(&args.broadcast, None, payloads),
            };
            let (client, _) = entrance.client().await?;
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
        for _ in 0..args.inflight {
            tasks.spawn(rest::drive(target.clone(), Arc::clone(self), Arc::clone(window)));
        }
        Ok(())
    }

    /// Waits for things to settle, then counts what comes.
    async fn measure(&self, report: &mut Report) {
        let stats = &self.stats;
        sleep(Duration::from_secs(self.args.warm_up)).await;
        stats.clear_latency();
        let (first, began) = (stats.messages(), Instant::now());
        Progress::new(&self.args).measuring(stats, began).await;
        let seconds = began.elapsed().as_secs_f64();
        report.messages = stats.messages() - first;
        report.seconds = seconds;
        report.messages_per_second = report.messages as f64 / seconds;
        report.latency = Latency::of(&stats.latency());
    }
}
