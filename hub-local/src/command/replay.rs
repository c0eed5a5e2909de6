//! `hub-local replay`: repeats the calls of a recording.

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::{Args, ValueEnum};
use hub_core::{Secret, client_access::EMULATOR_KEY, seal::SealKey, upstream::WEBHOOK_PATH};
use hub_local::{
    EventTap, HttpUpstream, LocalService, Template,
    replay::{Pace, Recording, RecordingError, Replay, Report},
};
use tokio::{net::TcpListener, task::JoinSet, time::timeout};

use super::{
    Failure, log, output,
    start::{listen, validate},
    values::{self, SecretUrl},
};

/// How long the app may take for its last `disconnected` events.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

const EXIT_CODES: &str = "\
While it runs, hub-local takes the place of `hub-local start`: it listens at --port, so that the messages of the app
reach it, and the recorded clients are connected to it. Stop `hub-local start` before, and give both the same keys.
Each client gets a new token, with a new seal if it had one, and a new connection id; each call gets a new invocation
id. An app that embeds its service must be started with the connection string that `hub-local start` prints.

Compared are the statuses and bodies of the app's answers, without the ids that are new. Calls whose arguments are not in
the recording are not replayed, and are listed.

Exit codes: 0 the same answers, 1 different answers, 2 the recording or the command line is not valid, or the app
answers nothing.";

/// Options of `replay`.
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub(super) struct ReplayArgs {
    /// Recording of `hub-local start --record FILE`
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Upstream URL of the app, as --upstream of `start`. A URL without a path gets
    /// /runtime/webhooks/signalr
    #[arg(long, value_name = "URL", value_parser = SecretUrl(app))]
    to: Template,
    /// Print the recorded and the new answer of each call that differs
    #[arg(long)]
    diff: bool,
    /// Pauses between the calls
    #[arg(long, value_name = "SPEED", value_enum, default_value_t = Speed::Fast)]
    speed: Speed,
    /// Port to listen on; 0 selects a free port, for apps that send no messages
    #[arg(short, long, value_name = "PORT", env = "HUB_LOCAL_PORT", default_value_t = values::PORT, value_parser = values::port)]
    port: u16,
    /// Access key of the app [default: well-known key of Microsoft's emulator]
    #[arg(long, value_name = "KEY", env = "HUB_LOCAL_KEY", hide_env_values = true, value_parser = values::secret)]
    key: Option<Secret>,
    /// Secondary access key
    #[arg(long, value_name = "KEY", env = "HUB_LOCAL_SECONDARY_KEY", hide_env_values = true, value_parser = values::secret)]
    secondary_key: Option<Secret>,
    /// Key of the sealed claims, if the app has another one than its access key
    #[arg(long, value_name = "KEY", env = "HUB_LOCAL_CLAIMS_KEY", hide_env_values = true, value_parser = values::secret)]
    claims_key: Option<Secret>,
    /// Timeout of a call
    #[arg(long, value_name = "TIME", default_value = "100s", value_parser = values::time)]
    upstream_time: Duration,
    /// Log level: off, error, warn, info, debug or trace; or tracing directives (target=level,…)
    #[arg(long, value_name = "LEVEL", env = "HUB_LOCAL_LOG", default_value = "error")]
    log: String,
}

/// How fast the calls follow each other.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Speed {
    /// as fast as the app answers
    Fast,
    /// with the pauses of the recording
    AsRecorded,
}

/// Parses the URL of the app.
fn app(text: &str) -> Result<Template, String> {
    let has_path = text.split_once("://").is_some_and(|(_, rest)| {
        rest.split_once('/').is_some_and(|(_, path)| !path.is_empty()) || rest.contains('?')
    });
    let url = text.trim_end_matches('/');
    let url = if has_path { text.to_owned() } else { format!("{url}{WEBHOOK_PATH}") };
    Template::new(url).map_err(|error| error.to_string())
}

/// Replays a recording, and prints which answers differ.
pub(super) fn run(arguments: &ReplayArgs) -> Result<(), Failure> {
    log::init(&arguments.log)?;
    validate::keys(arguments.key.as_ref(), arguments.secondary_key.as_ref())?;
    let recording = Recording::open(&arguments.file).map_err(|error| {
        let file = arguments.file.display();
        Failure::NotReplayed(match error {
            RecordingError::Io(error) => format!("{file} cannot be read: {error}"),
            error => format!("{file}: {error}"),
        })
    })?;
    if recording.is_cut {
        let calls = recording.calls();
        output::note(format_args!(
            "warning: the last line of the recording is incomplete; the {calls} calls before it are replayed"
        ));
    }
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::failed)?;
    let done = runtime.block_on(replay(arguments, &recording));
    runtime.shutdown_background();
    let report = done?;
    print(&report, arguments.diff);
    if report.differences.is_empty() { Ok(()) } else { Err(Failure::Differs) }
}

async fn replay(arguments: &ReplayArgs, recording: &Recording) -> Result<Report, Failure> {
    let listeners = listen::listen(None, arguments.port).map_err(|failure| {
        let Failure::Failed(text) = failure else { return failure };
        Failure::NotReplayed(format!(
            "{text}. A replay takes the place of the service, which the app must reach: stop `hub-local start` first"
        ))
    })?;
    let tap = Arc::new(EventTap::default());
    let events = tap.open();
    let service = service(arguments, &tap);
    service.set_public_url(listen::loopback_url(&listeners)?).map_err(Failure::failed)?;
    let mut serving = serve(&service, listeners);
    let pace = match arguments.speed {
        Speed::Fast => Pace::Fast,
        Speed::AsRecorded => Pace::AsRecorded,
    };
    let longest = arguments.upstream_time + Duration::from_secs(10);
    let replay = Replay::new(&service, events).pace(pace).answer_timeout(longest);
    let replay = match arguments.claims_key.clone() {
        Some(key) => replay.sealing_key(SealKey::derive(&key)),
        None => replay,
    };
    let report = replay.run(recording).await;
    // The `disconnected` events of clients whose end is not in the recording.
    let _ = timeout(STOP_TIMEOUT, service.shutdown()).await;
    serving.abort_all();
    let url = &arguments.to;
    report.map_err(|error| Failure::NotReplayed(format!("{url}: {error}")))
}

fn service(arguments: &ReplayArgs, tap: &Arc<EventTap>) -> LocalService {
    let upstream =
        HttpUpstream::with_templates([arguments.to.clone()]).timeout(arguments.upstream_time);
    let key = arguments.key.clone().unwrap_or_else(|| Secret::from(EMULATOR_KEY));
    let builder = LocalService::builder().key(key).upstream(upstream).record_to(Arc::clone(tap));
    match arguments.secondary_key.clone() {
        Some(key) => builder.secondary_key(key).build(),
        None => builder.build(),
    }
}

fn serve(service: &LocalService, listeners: Vec<TcpListener>) -> JoinSet<()> {
    let mut serving = JoinSet::new();
    for listener in listeners {
        let serve = service.serve(listener);
        serving.spawn(async move {
            // An error ends the replay as missing answers do.
            let _ = serve.await;
        });
    }
    serving
}

fn print(report: &Report, with_answers: bool) {
    let Report { compared, differences, left_out, .. } = report;
    for difference in differences {
        if with_answers {
            output::print(difference);
        } else {
            output::print(format_args!(
                "call {}, {}.{}",
                difference.call, difference.hub, difference.method
            ));
        }
    }
    for text in left_out {
        output::print(format_args!("not replayed: {text}"));
    }
    let hint = if differences.is_empty() || with_answers { "" } else { " (--diff prints both)" };
    output::print(format_args!("{compared} answers compared, {} differ{hint}", differences.len()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_a_path_gets_the_path_of_upstream_calls() {
        for (text, url) in [
            ("http://127.0.0.1:7071", "http://127.0.0.1:7071/runtime/webhooks/signalr"),
            ("http://127.0.0.1:7071/", "http://127.0.0.1:7071/runtime/webhooks/signalr"),
            ("http://127.0.0.1:7071/api/x", "http://127.0.0.1:7071/api/x"),
        ] {
            assert_eq!(app(text).unwrap().to_string(), url);
        }
        assert!(app("127.0.0.1:7071").is_err());
    }
}
