//! `hub-local start`: the service as a process.

mod listen;
mod plan;

use std::{net::IpAddr, path::PathBuf, time::Duration};

use clap::Args;
use hub_core::{Secret, client_access::EMULATOR_KEY};
use hub_local::{HttpUpstream, LocalService, Template, Unmatched};
use tokio::{
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use self::plan::{Plan, Source};
use super::{
    Failure,
    banner::Banner,
    descriptors::{self, Descriptors},
    limits::LimitArgs,
    log,
    signals::Signals,
    values,
};

/// The options of `start`.
#[derive(Args, Clone, Debug)]
pub(super) struct StartArgs {
    /// The port; 0 takes a free one
    #[arg(short, long, value_name = "PORT", default_value_t = 8888)]
    port: u16,
    /// The address to listen on [default: both loopback addresses]
    #[arg(short, long, value_name = "IP", value_parser = values::ip)]
    ip: Option<IpAddr>,
    /// The settings file, or the folder of a settings.json; it is read again when it changes
    /// [default: ./settings.json if there is one]
    #[arg(short, long, value_name = "FILE OR FOLDER", conflicts_with = "upstream")]
    config: Option<PathBuf>,
    /// Where all events go, instead of a settings file; HUB=URL takes those of one hub, or of
    /// several (a,b=URL). May be given several times: the first that fits gets the event
    #[arg(short, long, value_name = "[HUB=]URL", value_parser = values::upstream)]
    upstream: Vec<Template>,
    /// The access key [default: the well-known key of Microsoft's emulator]
    #[arg(long, value_name = "KEY", env = "HUB_LOCAL_KEY", hide_env_values = true, value_parser = values::secret)]
    key: Option<Secret>,
    /// A second key that is accepted too, and signs upstream calls beside the first
    #[arg(long, value_name = "KEY", env = "HUB_LOCAL_SECONDARY_KEY", hide_env_values = true, value_parser = values::secret)]
    secondary_key: Option<Secret>,
    /// Where clients and apps reach the service, if not at its own address
    #[arg(long, value_name = "URL", value_parser = values::base_url)]
    url: Option<String>,
    /// Lets other machines in although everyone knows the key
    #[arg(long)]
    public: bool,
    /// Keeps silent where the cloud does: an `invoke` that no upstream takes gets no answer, and
    /// clients do not read what exactly they did wrong
    #[arg(long)]
    strict: bool,
    /// off, error, warn, info, debug or trace, or directives of tracing (target=level,…)
    #[arg(long, value_name = "LEVEL", env = "HUB_LOCAL_LOG", default_value = "info")]
    log: String,
    /// How long running calls may take when the service stops
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = values::time)]
    stop_within: Duration,
    #[command(flatten)]
    limits: LimitArgs,
}

/// Serves until it is told to stop.
pub(super) fn run(arguments: StartArgs) -> Result<(), Failure> {
    log::init(&arguments.log)?;
    let plan = Plan::of(arguments)?;
    let descriptors = descriptors::raise().unwrap_or_else(|error| {
        tracing::warn!(%error, "the limit of file descriptors cannot be read");
        None
    });
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::failed)?;
    let done = runtime.block_on(serve(plan, descriptors));
    // A name that is being resolved must not hold up the end.
    runtime.shutdown_background();
    done
}

async fn serve(plan: Plan, descriptors: Option<Descriptors>) -> Result<(), Failure> {
    let mut signals = Signals::listen().map_err(Failure::failed)?;
    let listeners = listen::listen(plan.ip, plan.port)?;
    let templates = plan.source.templates();
    let banner_templates = templates.clone();
    let upstream = HttpUpstream::with_templates(templates).time_out(plan.upstream_time);
    let service = service(&plan, &upstream, descriptors, listen::url(&plan, &listeners)?);
    let mut serving = JoinSet::new();
    for listener in listeners {
        serving.spawn(service.serve(listener));
    }
    let connection_string = service.connection_string();
    let banner = Banner {
        connection_string: connection_string.expose(),
        hides_key: plan.key.is_some(),
        templates: &banner_templates,
        file: plan.source.file(),
        descriptors,
    };
    banner.print();
    let _following = Following(match plan.source {
        Source::File(followed, _) => Some(tokio::spawn(followed.follow(upstream))),
        Source::Given(_) => None,
    });
    tokio::select! {
        () = signals.next() => {}
        Some(ended) = serving.join_next() => {
            let error = ended.map(|done| done.err().map(|error| error.to_string()));
            return Err(Failure::Failed(format!("the service stopped by itself: {error:?}")));
        }
    }
    println!("Stopping: clients are closed and may reconnect. Press Ctrl+C again to end at once.");
    stop(&service, &mut serving, &mut signals, plan.stop_within).await
}

fn service(
    plan: &Plan,
    upstream: &HttpUpstream,
    descriptors: Option<Descriptors>,
    url: String,
) -> LocalService {
    let limits = plan.limits.limits(descriptors.map(|descriptors| descriptors.now));
    let key = plan.key.clone().unwrap_or_else(|| Secret::from(EMULATOR_KEY));
    let unmatched = if plan.strict { Unmatched::Silent } else { Unmatched::Refused };
    let builder = LocalService::builder()
        .key(key)
        .upstream(upstream.clone())
        .unmatched(unmatched)
        .detailed_errors(!plan.strict)
        .limits(limits)
        .public_url(url);
    match plan.secondary_key.clone() {
        Some(key) => builder.secondary_key(key).build(),
        None => builder.build(),
    }
}

async fn stop(
    service: &LocalService,
    serving: &mut JoinSet<std::io::Result<()>>,
    signals: &mut Signals,
    within: Duration,
) -> Result<(), Failure> {
    let stopping = async {
        service.shutdown().await;
        while serving.join_next().await.is_some() {}
    };
    tokio::select! {
        done = timeout(within, stopping) => done.map_err(|_| {
            let text = "calls to the upstream were still running and were cut off";
            Failure::Failed(format!("{text} after {} s", within.as_secs()))
        }),
        () = signals.next() => {
            Err(Failure::Failed("ended at once, as asked; calls may have been cut off".to_owned()))
        }
    }
}

/// Ends with the service.
struct Following(Option<JoinHandle<()>>);

impl Drop for Following {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}
