//! `hub-local start`: runs the service.

pub(super) mod listen;
pub(super) mod validate;

use std::{
    io::Write as _,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, builder::FalseyValueParser};
use hub_core::{Secret, client_access::EMULATOR_KEY, secret_rule::Reach};
use hub_local::{
    HttpUpstream, Inspector, LocalService, LocalServiceBuilder, RecordFile, ServeError, Settings,
    Template, Unmatched,
};
use tokio::{task::JoinSet, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use self::validate::validate;
use super::{
    Failure,
    banner::Banner,
    contract,
    descriptors::{self, Descriptors},
    environment,
    inspector::InspectorArgs,
    limits::LimitArgs,
    log,
    ready::Ready,
    reload::{SettingsFile, may_exist},
    signals::Signals,
    stdin::StdinEnd,
    values::{self, SecretUrl},
};

/// The settings files that are read without `--config`: the first that exists. The second is the place in the
/// container image of Microsoft's emulator.
const SETTINGS: [&str; 2] = ["settings.json", "/emulator/settings.json"];
const UPSTREAM_TIMEOUT: Duration = Duration::from_secs(100);

/// Options of `start`.
#[derive(Args, Clone, Debug)]
pub(super) struct StartArgs {
    /// Port to listen on; 0 selects a free port
    #[arg(short, long, value_name = "PORT", env = "HUB_LOCAL_PORT", default_value_t = values::PORT, value_parser = values::port)]
    port: u16,
    /// IP address to listen on [default: both loopback addresses]
    #[arg(short, long, value_name = "IP", env = "HUB_LOCAL_IP", value_parser = values::ip)]
    ip: Option<IpAddr>,
    /// Settings file, or folder with a settings.json; reloaded when it changes [default:
    /// ./settings.json, or /emulator/settings.json if only that exists]
    #[arg(short, long, value_name = "FILE OR FOLDER", conflicts_with = "upstream")]
    config: Option<PathBuf>,
    /// Upstream URL for all events, instead of a settings file. HUB=URL limits the URL to one hub,
    /// a,b=URL to several. Can be repeated; the first match is used
    #[arg(short, long, value_name = "[HUB=]URL", value_parser = SecretUrl(values::upstream))]
    upstream: Vec<Template>,
    /// Access key [default: well-known key of Microsoft's emulator]
    #[arg(long, value_name = "KEY", env = "HUB_LOCAL_KEY", hide_env_values = true, value_parser = values::secret)]
    key: Option<Secret>,
    /// Secondary access key: accepted for tokens, and used for a second signature of upstream calls
    #[arg(long, value_name = "KEY", env = "HUB_LOCAL_SECONDARY_KEY", hide_env_values = true, value_parser = values::secret)]
    secondary_key: Option<Secret>,
    /// Public URL for clients and apps, if different from the listen address
    #[arg(long, value_name = "URL", env = "HUB_LOCAL_URL", hide_env_values = true, value_parser = SecretUrl(values::base_url))]
    url: Option<String>,
    /// Allow access from other machines with the well-known key
    #[arg(long, env = "HUB_LOCAL_PUBLIC", value_parser = FalseyValueParser::new())]
    public: bool,
    /// Allow pages of this origin (`https://app.example`) with the well-known key. Pages on loopback
    /// and of the service's own host are always allowed. Can be repeated
    #[arg(long, value_name = "ORIGIN", value_parser = values::origin)]
    allow_origin: Vec<String>,
    /// Allow requests for this host name (app.example, *.app.example), for example behind a proxy.
    /// IP addresses, localhost, names without a dot and the host of --url are always allowed. Can
    /// be repeated; the variable is a comma-separated list
    #[arg(long, value_name = "NAME", env = "HUB_LOCAL_HOSTS", value_delimiter = ',', value_parser = values::host)]
    allow_host: Vec<String>,
    /// Write what happens to this file, as JSON lines: for `hub-local replay`. It contains the arguments and results of calls,
    /// but no keys or tokens. The file is emptied first
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Methods of the hubs for the inspector: the file that an app writes with its command `asyncapi`, or its contract
    #[arg(long, value_name = "FILE")]
    contract: Option<PathBuf>,
    /// Handle errors like the cloud service: an `invoke` without a matching upstream gets no
    /// response, a response of the app that is no completion goes to the client, and errors to
    /// clients contain no details
    #[arg(long)]
    strict: bool,
    /// Send each upstream call as an HTTP/1.1 request of its own. Otherwise, calls to an app of this project that run at the
    /// same time share a connection, in a format that packet captures show as bytes
    #[arg(long)]
    no_upgrade: bool,
    /// Log level: off, error, warn, info, debug or trace; or tracing directives (target=level,…)
    #[arg(long, value_name = "LEVEL", env = "HUB_LOCAL_LOG", default_value = "info")]
    log: String,
    /// Maximum time for pending calls on shutdown
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = values::time)]
    stop_within: Duration,
    /// Print one line of JSON when the service accepts connections, and nothing else, on standard output: `url`,
    /// `port`, `connectionString` with the access key, `inspector` (null if it is off). Without --url, the addresses name the IP
    /// address instead of localhost
    #[arg(long)]
    json: bool,
    /// Stop as on SIGTERM when standard input is closed, also by the end of the process that started the service
    #[arg(long)]
    stop_with_stdin: bool,
    #[command(flatten)]
    inspector: InspectorArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

impl StartArgs {
    /// The address, unless it is that of both loopback addresses, and the port.
    pub(super) fn address(&self) -> (Option<IpAddr>, u16) {
        (self.ip, self.port)
    }
}

/// Runs the service until a signal arrives.
pub(super) fn run(arguments: StartArgs) -> Result<(), Failure> {
    log::init(&arguments.log)?;
    let variables = environment::variables();
    environment::unread(&variables).iter().for_each(|warning| tracing::warn!("{warning}"));
    validate(&arguments)?;
    let (templates, file) = templates(&arguments, environment::templates(&variables)?)?;
    let descriptors = descriptors::raise().unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot read the limit of file descriptors");
        None
    });
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::failed)?;
    let done = runtime.block_on(serve(arguments, templates, file, descriptors));
    // Do not wait for pending DNS lookups, which run on blocking threads.
    runtime.shutdown_background();
    done
}

/// The templates from the command line, from variables, or from the settings file.
fn templates(
    arguments: &StartArgs,
    of_variables: Vec<Template>,
) -> Result<(Vec<Template>, Option<SettingsFile>), Failure> {
    let config = arguments.config.as_deref();
    if !arguments.upstream.is_empty() {
        if !of_variables.is_empty() {
            tracing::warn!(
                "the variables UpstreamSettings__Templates__… are not used: `--upstream` takes precedence"
            );
        }
        return Ok((arguments.upstream.clone(), None));
    }
    let path = match config {
        Some(config) => Settings::file_of(config),
        None => SETTINGS
            .into_iter()
            .map(PathBuf::from)
            .find(|path| may_exist(path))
            .unwrap_or_else(|| SETTINGS[0].into()),
    };
    if !of_variables.is_empty() {
        if config.is_some() || may_exist(&path) {
            let file = path.display();
            tracing::warn!(
                "{file} is not used: the variables UpstreamSettings__Templates__… take precedence"
            );
        }
        return Ok((of_variables, None));
    }
    let (file, templates) = SettingsFile::read(path, config.is_some())?;
    Ok((templates, Some(file)))
}

async fn serve(
    arguments: StartArgs,
    templates: Vec<Template>,
    file: Option<SettingsFile>,
    descriptors: Option<Descriptors>,
) -> Result<(), Failure> {
    let mut signals = Signals::listen().map_err(Failure::failed)?;
    let stdin = StdinEnd::watch(arguments.stop_with_stdin).map_err(Failure::failed)?;
    let listeners = listen::listen(arguments.ip, arguments.port)?;
    let upstream_timeout = arguments.limits.upstream_timeout.unwrap_or(UPSTREAM_TIMEOUT);
    let upstream = HttpUpstream::with_templates(templates.clone()).timeout(upstream_timeout);
    let upstream = if arguments.no_upgrade { upstream.without_upgrade() } else { upstream };
    let port = listen::port_of(&listeners)?;
    let url = listen::url(&arguments, port);
    let reach = Reach::of(arguments.ip.unwrap_or(Ipv4Addr::LOCALHOST.into()));
    let inspector = arguments.inspector.settings(reach, arguments.url.as_deref())?;
    let inspector = match inspector {
        None if arguments.record.is_some() => Some(arguments.inspector.without_page()),
        inspector => inspector,
    };
    let record = arguments.record.as_deref().map(record).transpose()?;
    let contract = arguments.contract.as_deref().map(contract::read).transpose()?;
    let service = service(&arguments, &upstream, descriptors, inspector, record);
    if let Some(contract) = contract {
        service.set_contract(move || contract);
    }
    service.set_public_url(url).map_err(Failure::failed)?;
    let mut serving = JoinSet::new();
    for listener in listeners {
        serving.spawn(service.serve(listener));
    }
    if arguments.json {
        Ready::of(&service, port).print().map_err(|error| {
            Failure::Failed(format!("--json: standard output cannot be written: {error}"))
        })?;
    } else {
        let found = file.as_ref().and_then(SettingsFile::found);
        print_banner(&arguments, &service, &templates, found, descriptors);
    }
    let _watcher = file.map(|file| AbortOnDropHandle::new(tokio::spawn(file.watch(upstream))));
    tokio::select! {
        () = signals.next() => {}
        () = stdin.wait() => tracing::info!("standard input has ended: stopping"),
        Some(ended) = serving.join_next() => {
            let cause = match ended {
                Ok(Err(error)) => format!(": {error}"),
                Err(error) => format!(": {error}"),
                Ok(Ok(())) => String::new(),
            };
            return Err(Failure::Failed(format!("the service stopped unexpectedly{cause}")));
        }
    }
    if !arguments.json {
        // Standard output may be closed.
        let _ = writeln!(
            std::io::stdout(),
            "Stopping: clients are closed and may reconnect. Press Ctrl+C again to stop immediately."
        );
    }
    stop(&service, &mut serving, &mut signals, arguments.stop_within).await
}

fn print_banner(
    arguments: &StartArgs,
    service: &LocalService,
    templates: &[Template],
    file: Option<&Path>,
    descriptors: Option<Descriptors>,
) {
    let connection_string = service.connection_string();
    let inspector_url = service.inspector_url();
    let banner = Banner {
        connection_string: connection_string.expose(),
        inspector_url: inspector_url.as_ref().map(Secret::expose),
        record: arguments.record.as_deref(),
        is_inspector_token_given: arguments.inspector.has_token(),
        is_key_secret: arguments.key.as_ref().is_some_and(|key| key.expose() != EMULATOR_KEY),
        templates,
        file,
        descriptors,
    };
    banner.print();
}

fn record(path: &Path) -> Result<RecordFile, Failure> {
    RecordFile::create(path).map_err(|error| {
        Failure::Failed(format!("--record: {} cannot be written: {error}", path.display()))
    })
}

fn service(
    arguments: &StartArgs,
    upstream: &HttpUpstream,
    descriptors: Option<Descriptors>,
    inspector: Option<Inspector>,
    record: Option<RecordFile>,
) -> LocalService {
    let limits = arguments.limits.limits(descriptors.map(|descriptors| descriptors.now));
    let key = arguments.key.clone().unwrap_or_else(|| Secret::from(EMULATOR_KEY));
    let unmatched = if arguments.strict { Unmatched::Silent } else { Unmatched::Refused };
    let builder = LocalService::builder()
        .key(key)
        .upstream(upstream.clone())
        .unmatched(unmatched)
        .relay_invalid_completions(arguments.strict)
        .detailed_errors(!arguments.strict)
        .closed_clients_may_reconnect(arguments.strict)
        .limits(limits)
        .public(arguments.public);
    let builder = arguments.url.iter().fold(builder, LocalServiceBuilder::public_url);
    let builder = arguments.allow_origin.iter().fold(builder, LocalServiceBuilder::allow_origin);
    let builder = inspector.into_iter().fold(builder, LocalServiceBuilder::inspector);
    let builder = record.into_iter().fold(builder, LocalServiceBuilder::record);
    let hosts = arguments.allow_host.iter().filter(|host| !host.is_empty());
    let builder = hosts.fold(builder, LocalServiceBuilder::allow_host);
    match arguments.secondary_key.clone() {
        Some(key) => builder.secondary_key(key).build(),
        None => builder.build(),
    }
}

async fn stop(
    service: &LocalService,
    serving: &mut JoinSet<Result<(), ServeError>>,
    signals: &mut Signals,
    within: Duration,
) -> Result<(), Failure> {
    let stopping = async {
        service.shutdown().await;
        while serving.join_next().await.is_some() {}
    };
    tokio::select! {
        done = timeout(within, stopping) => done.map_err(|_| {
            let text = "pending upstream calls were aborted";
            Failure::Failed(format!("{text} after {} s", within.as_secs()))
        }),
        () = signals.next_request() => {
            Err(Failure::Failed("stopped immediately; pending upstream calls may have been aborted".to_owned()))
        }
    }
}
