//! The scenarios, and the code that they share: one run from the first connect to the report.

mod broadcast;
mod echo;
mod fleet;
mod idle;
mod membership;
mod rate;
mod reconnect;
mod recorder;
mod rest_broadcast;
mod slow;
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

use self::{rest_broadcast::RestTarget, window::Window};
use crate::{
    LoadArgs, LoadError, Report, Scenario,
    client::{
        Client,
        dialer::{Clients, Dialer},
    },
    measure::{progress::Progress, report::Latency, stats::Stats},
    messages::payload::{Call, Payloads},
};

/// Time to wait for the last broadcasts. Later messages count as lost.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// State shared by all tasks of a run.
#[derive(Debug)]
struct Shared {
    args: LoadArgs,
    stats: Stats,
    /// Cancelled when clients must stop sending.
    stop: CancellationToken,
    /// Cancelled when clients must stop receiving.
    done: CancellationToken,
}

/// Runs the scenario of `args` and returns the report.
pub(crate) async fn run(args: LoadArgs) -> Result<Report, LoadError> {
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
    report.slow_closed = shared.stats.slow_closed.load(Ordering::Relaxed);
    (report.errors, report.error_texts) = shared.stats.errors();
    Ok(report)
}

impl Shared {
    /// Runs a scenario with continuous traffic.
    async fn stream(self: &Arc<Self>, report: &mut Report) -> Result<(), LoadError> {
        let dialer = Arc::new(Dialer::new(&self.args)?);
        let clients = dialer.connect_all(&self.args, &self.stats, report).await?;
        let mut tasks = JoinSet::new();
        let window = self.start_clients(&dialer, clients, &mut tasks).await?;
        self.measure(report).await?;
        self.stop.cancel();
        if let Some(window) = window {
            // On a timeout the receivers count the missing messages as lost.
            let _ = timeout(DRAIN_TIMEOUT, window.completed()).await;
        }
        self.done.cancel();
        while tasks.join_next().await.is_some() {}
        Ok(())
    }

    /// Starts the tasks of all clients.
    async fn start_clients(
        self: &Arc<Self>,
        dialer: &Dialer,
        Clients { reading: mut clients, mut slow }: Clients,
        tasks: &mut JoinSet<()>,
    ) -> Result<Option<Arc<Window>>, LoadError> {
        if self.args.scenario == Scenario::Group {
            clients = self.join_group(clients).await?;
            slow = self.join_group(slow).await?;
        }
        for client in slow {
            tasks.spawn(slow::run(client, Arc::clone(self)));
        }
        let is_streaming = self.args.scenario.is_streaming();
        let window = is_streaming.then(|| Arc::new(Window::new(self.args.window, clients.len())));
        for (index, client) in clients.into_iter().enumerate() {
            let shared = Arc::clone(self);
            match (&window, self.args.scenario) {
                (Some(window), _) => {
                    tasks.spawn(broadcast::receive(client, index, shared, Arc::clone(window)))
                }
                (None, Scenario::Idle) => tasks.spawn(idle::run(client, shared)),
                (None, _) => tasks.spawn(echo::run(client, index, shared)),
            };
        }
        if let Some(window) = &window {
            self.start_senders(dialer, tasks, window).await?;
        }
        Ok(window)
    }

    /// Adds all clients to the group, several at a time.
    async fn join_group(&self, clients: Vec<Client>) -> Result<Vec<Client>, LoadError> {
        let method = self.args.join_group.as_str();
        let joining = clients.into_iter().map(|client| broadcast::join(client, method));
        stream::iter(joining).buffer_unordered(self.args.connects).try_collect().await
    }

    async fn start_senders(
        self: &Arc<Self>,
        dialer: &Dialer,
        tasks: &mut JoinSet<()>,
        window: &Arc<Window>,
    ) -> Result<(), LoadError> {
        let args = &self.args;
        let Some(rest) = dialer.rest_client(args).await? else {
            let payloads = Payloads { length: args.payload };
            let (method, group) = match args.scenario {
                Scenario::Group => (&args.send_to_group, Some(broadcast::GROUP)),
                _ => (&args.broadcast, None),
            };
            let client = dialer.client().await?;
            let call = Call::new(client.protocol, method, group, payloads);
            tasks.spawn(broadcast::send(client, call, Arc::clone(self), Arc::clone(window)));
            return Ok(());
        };
        let target = RestTarget::new(&rest, args.scenario)?;
        // With a rate, one sender is enough. Without a rate, several senders increase the throughput.
        let senders = if args.rate.is_some() { 1 } else { args.inflight };
        for _ in 0..senders {
            tasks.spawn(rest_broadcast::send(target.clone(), Arc::clone(self), Arc::clone(window)));
        }
        Ok(())
    }

    /// Waits for the warm-up, or for a line on standard input.
    async fn warm_up(&self) -> Result<(), LoadError> {
        if !self.args.wait {
            sleep(Duration::from_secs(self.args.warm_up)).await;
            return Ok(());
        }
        let line = spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
        line.await.map_err(LoadError::protocol)?.map_err(LoadError::connect)?;
        Ok(())
    }

    /// Measures for the configured time, after the warm-up.
    async fn measure(&self, report: &mut Report) -> Result<(), LoadError> {
        let stats = &self.stats;
        self.warm_up().await?;
        stats.clear_latency();
        let (first, began) = (stats.messages(), Instant::now());
        Progress::new(&self.args).measuring(stats, began).await;
        report.messages = stats.messages() - first;
        report.set_duration(began.elapsed());
        report.latency = Latency::of(&stats.latency());
        Ok(())
    }
}
