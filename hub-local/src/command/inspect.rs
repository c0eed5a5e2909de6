//! `hub-local inspect`: what a running service records, for terminals and scripts.

mod line;
mod summary;

use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::{Request, StatusCode, header::AUTHORIZATION};
use hub_core::Secret;
use hub_net::client::{GaiResolver, HttpClient, RequestError};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::{Failure, output, values};

const DEFAULT_URL: &str = "http://127.0.0.1:8888";
const MAX_RESPONSE_BYTES: usize = 64 * 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause between two requests of `--follow`.
const PAUSE: Duration = Duration::from_millis(300);

const EXAMPLES: &str = "\
Examples:
  hub-local inspect --url 'http://127.0.0.1:8888/inspector#TOKEN'   the line that `hub-local start` prints
  HUB_LOCAL_INSPECTOR_TOKEN=TOKEN hub-local inspect --follow --failures
  hub-local inspect --json | jq -c 'select(.kind == \"answer\")'

With --json, the first line is the state of the service with the member \"kind\":\"state\"; each further line is an event.
docs/inspect.md describes both.

Exit codes: 0 success, 1 failure, 2 invalid command line.";

/// Options of `inspect`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct InspectArgs {
    /// URL of the service, or the URL of its inspector with the token
    #[arg(long, value_name = "URL", default_value = DEFAULT_URL)]
    url: String,
    /// Token of the inspector: the part after # in the URL that `hub-local start` prints
    #[arg(long, value_name = "TOKEN", env = "HUB_LOCAL_INSPECTOR_TOKEN", hide_env_values = true, value_parser = values::secret)]
    token: Option<Secret>,
    /// Wait for further events, until Ctrl+C
    #[arg(short, long)]
    follow: bool,
    /// Print JSON lines: the state, then each event
    #[arg(long)]
    json: bool,
    /// Only failures: refusals, failed calls, connections that ended with an error
    #[arg(long)]
    failures: bool,
    /// Only events of this hub
    #[arg(long, value_name = "HUB")]
    hub: Option<String>,
    /// Only events of this connection
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
    /// Only events of this user
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only events of this group
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Only events of this hub method or client method
    #[arg(long, value_name = "NAME")]
    method: Option<String>,
}

/// Prints state and events.
pub(super) fn run(arguments: &InspectArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Failure::failed)?.block_on(inspect(arguments))
}

async fn inspect(arguments: &InspectArgs) -> Result<(), Failure> {
    let inspector = Inspector::new(arguments)?;
    let state = inspector.state().await?;
    let instance = state.get("instance").cloned();
    if arguments.json {
        let mut state = state;
        state["kind"] = "state".into();
        output::print_or_exit(&state);
    } else {
        output::print_or_exit(summary::of(&state).trim_end());
    }
    let mut after = inspector.events(arguments, 0).await?;
    if !arguments.follow {
        return Ok(());
    }
    let mut instance = instance;
    let mut is_lost = false;
    loop {
        sleep(PAUSE).await;
        match inspector.state().await {
            Ok(state) => {
                is_lost = false;
                let current = state.get("instance").cloned();
                if current != instance {
                    output::note("the service was started again");
                    (instance, after) = (current, 0);
                }
                after = inspector.events(arguments, after).await?;
            }
            // A service that starts again has a new token unless it was given.
            Err(Failure::Failed(text)) if !is_lost => {
                output::note(format_args!("{text}; waiting"));
                is_lost = true;
            }
            Err(Failure::Failed(_)) => sleep(PAUSE).await,
            Err(other) => return Err(other),
        }
    }
}

/// The inspector of a running service.
struct Inspector {
    client: HttpClient<GaiResolver>,
    base: String,
    token: Secret,
}

impl Inspector {
    fn new(arguments: &InspectArgs) -> Result<Self, Failure> {
        let (url, fragment) = match arguments.url.split_once('#') {
            Some((url, token)) => (url, Some(token)),
            None => (&*arguments.url, None),
        };
        let base = url.trim_end_matches('/').trim_end_matches("/inspector").to_owned();
        let base =
            values::base_url(&base).map_err(|error| Failure::Usage(format!("--url: {error}")))?;
        let token = fragment.map(Secret::from).or_else(|| arguments.token.clone());
        let token = token.ok_or_else(|| {
            Failure::Usage(
                "the inspector needs its token: `hub-local start` prints it in the line Inspect, after #. Set --token or HUB_LOCAL_INSPECTOR_TOKEN, or give the whole URL with --url".to_owned(),
            )
        })?;
        let client = HttpClient::new(GaiResolver::new(), IDLE_TIMEOUT);
        Ok(Self { client, base, token })
    }

    async fn state(&self) -> Result<Value, Failure> {
        let body = self.get("/inspector/state?clients=0&contract=0").await?;
        serde_json::from_slice(&body).map_err(|error| {
            Failure::Failed(format!("{} answers no inspector state: {error}", self.base))
        })
    }

    /// Prints the events after a number. Returns the number of the last one.
    async fn events(&self, arguments: &InspectArgs, after: u64) -> Result<u64, Failure> {
        let mut path = format!("/inspector/events?follow=0&after={after}");
        let InspectArgs { hub, connection, user, group, method, .. } = arguments;
        let filters = [
            ("hub", hub),
            ("connection", connection),
            ("user", user),
            ("group", group),
            ("method", method),
        ];
        for (name, value) in filters {
            if let Some(value) = value {
                path.push_str(&format!("&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
            }
        }
        if arguments.failures {
            path.push_str("&failures=1");
        }
        let body = self.get(&path).await?;
        let mut last = after;
        for text in String::from_utf8_lossy(&body).lines().filter(|line| !line.is_empty()) {
            let Ok(event) = serde_json::from_str::<Value>(text) else { continue };
            last = event.get("seq").and_then(Value::as_u64).unwrap_or(last).max(last);
            output::print_or_exit(&if arguments.json { text.to_owned() } else { line::of(&event) });
        }
        Ok(last)
    }

    async fn get(&self, path: &str) -> Result<Bytes, Failure> {
        let url = format!("{}{path}", self.base);
        let request = Request::get(&url)
            .header(AUTHORIZATION, format!("Bearer {}", self.token.expose()))
            .body(Bytes::new())
            .map_err(|_| {
                Failure::Usage(
                    "the token contains characters that a header cannot contain".to_owned(),
                )
            })?;
        let base = &self.base;
        let answering = timeout(TIMEOUT, self.client.request(request, MAX_RESPONSE_BYTES));
        let failed = |text: &str| {
            Failure::Failed(format!(
                "{base} {text}; check that `hub-local start`, or an app with its embedded service, runs there"
            ))
        };
        let answer = answering.await.map_err(|_| failed("does not respond"))?;
        let answer = answer.map_err(|error| failed(&problem(&error)))?;
        if answer.status() == StatusCode::OK {
            return Ok(answer.into_body());
        }
        Err(refused(base, answer.status(), answer.body()))
    }
}

fn problem(error: &RequestError) -> String {
    match error {
        RequestError::Unreachable(error)
        | RequestError::Interrupted(error)
        | RequestError::Incomplete(error) => format!("cannot be reached: {error}"),
        RequestError::TooLarge => "answers with more than 64 MiB".to_owned(),
    }
}

fn refused(base: &str, status: StatusCode, body: &[u8]) -> Failure {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    Failure::Failed(match (status, text("error")) {
        (_, Some(error)) => {
            let fix = text("fix").map(|fix| format!(": {fix}")).unwrap_or_default();
            format!("{base} answers with status {}: {error}{fix}", status.as_u16())
        }
        (StatusCode::NOT_FOUND, None) => {
            format!("{base} has no inspector: it is off, or this is another server")
        }
        (status, None) => format!("{base} answers with status {}", status.as_u16()),
    })
}
