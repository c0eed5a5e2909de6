//! The load tool: many clients against any SignalR server, and what they measured.

mod args;
mod broadcast;
mod check;
mod client;
mod connect;
mod count;
mod echo;
mod entrance;
mod error;
mod events;
mod frames;
mod histogram;
mod idle;
mod listener;
mod mask;
mod membership;
mod message;
mod negotiate;
mod over_http;
mod pace;
mod progress;
mod reconnect;
mod report;
mod rest;
mod service;
mod slow;
mod stats;
mod web_socket;
mod window;

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
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
    entrance::{Crowd, Entrance},
    message::{Call, Payloads},
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

/// Runs [`run`] on a runtime of its own, with the limit of file descriptors raised to the hard limit.
///
/// # Errors
/// As [`run`], and when the runtime cannot be started.
pub fn run_blocking(args: LoadArgs) -> Result<Report, LoadError> {
    // Each client takes a descriptor; connects fail when the limit is too low.
    #[cfg(unix)]
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let runtime = tokio::runtime::Runtime::new().map_err(LoadError::connect)?;
    runtime.block_on(run(args))
}

/// Connects, runs the scenario, and returns what was measured. Progress goes to standard error.
///
/// # Errors
/// When the options do not fit together, no client can connect, or a REST call fails that joins, leaves
/// or looks who has come back.
pub async fn run(args: LoadArgs) -> Result<Report, LoadError> {
    args.check()?;
    let mut report = Report::new(&args);
    let shared = Arc::new(Shared {
        args,
        stats: Stats::default(),
        stop: CancellationToken::new(),
        done: CancellationToken::new(),
    });
    match shared.args.scenario {
        Scenario::Reconnect => reconnect::run(&shared, &mut report).await?,
        Scenario::Membership => membership::run(&shared, &mut report).await?,
        _ => shared.stream(&mut report).await?,
    }
    report.lost = shared.stats.lost.load(Ordering::Relaxed);
    report.duplicated = shared.stats.duplicated.load(Ordering::Relaxed);
    (report.errors, report.error_texts) = shared.stats.errors();
    Ok(report)
}

impl Shared {
    /// Lets messages flow for as long as was asked.
    async fn stream(self: &Arc<Self>, report: &mut Report) -> Result<(), LoadError> {
        let entrance = Entrance::new(&self.args)?;
        let crowd = entrance.connect_all(self, report).await?;
        let mut tasks = JoinSet::new();
        let window = self.begin(&entrance, crowd, &mut tasks).await?;
        self.measure(report).await?;
        self.stop.cancel();
        if let Some(window) = window {
            // What has not come by then is lost.
            let _ = timeout(LAST, window.completed()).await;
        }
        self.done.cancel();
        while tasks.join_next().await.is_some() {}
        Ok(())
    }

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
            _ => {}
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
        let Some(service) = entrance.service(args).await? else {
            let payloads = Payloads { length: args.payload };
            let (method, group) = match args.scenario {
                Scenario::Group => (&args.send_to_group, Some(broadcast::GROUP)),
                _ => (&args.broadcast, None),
            };
            let call = Call::new(entrance.protocol, method, group, payloads);
            let client = entrance.client().await?;
            tasks.spawn(broadcast::drive(client, call, Arc::clone(self), Arc::clone(window)));
            return Ok(());
        };
        let target = RestTarget::new(&service, args.scenario)?;
        // One keeps a pace; several are for speed.
        let drivers = if args.rate.is_some() { 1 } else { args.inflight };
        for _ in 0..drivers {
            tasks.spawn(rest::drive(target.clone(), Arc::clone(self), Arc::clone(window)));
        }
        Ok(())
    }

    /// Waits for things to settle, or for the word.
    async fn begins(&self) -> Result<(), LoadError> {
        if !self.args.wait {
            sleep(Duration::from_secs(self.args.warm_up)).await;
            return Ok(());
        }
        let line = spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
        line.await.map_err(LoadError::protocol)?.map_err(LoadError::connect)?;
        Ok(())
    }

    /// Counts what comes once things have settled.
    async fn measure(&self, report: &mut Report) -> Result<(), LoadError> {
        let stats = &self.stats;
        self.begins().await?;
        stats.clear_latency();
        let (first, began) = (stats.messages(), Instant::now());
        Progress::new(&self.args).measuring(stats, began).await;
        report.messages = stats.messages() - first;
        report.spent(began.elapsed());
        report.latency = Latency::of(&stats.latency());
        Ok(())
    }
}
