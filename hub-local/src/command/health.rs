//! `hub-local health`: whether a service is running. The health check of the container image, which has no shell.

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use bytes::Bytes;
use clap::{Args, CommandFactory as _, FromArgMatches as _};
use http::{Request, StatusCode};
use hub_net::client::{GaiResolver, HttpClient, RequestError};
use tokio::time::timeout;

use super::{
    Cli, Command, Failure, output,
    values::{self, SecretUrl},
    with_command,
};

/// Less than the timeout of the health check in the Dockerfile, so that this command prints its message before it is killed.
const TIMEOUT: Duration = Duration::from_secs(3);
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

const NOTES: &str = "\
Without --url, the command looks for the service on this machine. It takes port and address from the first of these:

- the arguments of process 1, if that is `hub-local start`, as in a container
- the variables HUB_LOCAL_PORT and HUB_LOCAL_IP
- the defaults of `hub-local start`: port 8888 of 127.0.0.1

Exit codes: 0 the service accepts requests, 1 it does not, 2 invalid command line.";

/// Options of `health`.
#[derive(Args, Debug)]
#[command(after_help = NOTES)]
pub(super) struct HealthArgs {
    /// URL of the service [default: that of the service on this machine]
    #[arg(long, value_name = "URL", value_parser = SecretUrl(values::base_url))]
    url: Option<String>,
}

/// Asks the service for its health.
pub(super) fn run(arguments: &HealthArgs) -> Result<(), Failure> {
    let url = match &arguments.url {
        Some(url) => url.clone(),
        None => url_of(std::fs::read("/proc/1/cmdline").unwrap_or_default(), &Cli::command())?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Failure::failed)?.block_on(check(&url))?;
    output::print(format_args!("{url} accepts requests"));
    Ok(())
}

/// The URL of the service on this machine. `of_process_1` are the arguments of process 1, each ended by a zero byte;
/// `model` parses command lines, and has read the variables.
fn url_of(of_process_1: Vec<u8>, model: &clap::Command) -> Result<String, Failure> {
    let address_of = |arguments| address_of(arguments, model);
    let given = start_arguments(of_process_1).and_then(|arguments| address_of(arguments).ok());
    let (ip, port) =
        given.map_or_else(|| address_of(vec!["hub-local".into(), "start".into()]), Ok)?;
    if port == 0 {
        return Err(Failure::failed(
            "the service selects a free port, because its port is 0; use `--url` with the URL that `hub-local start` prints",
        ));
    }
    let ip = match ip {
        None => Ipv4Addr::LOCALHOST.into(),
        Some(IpAddr::V4(ip)) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        Some(IpAddr::V6(ip)) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        Some(ip) => ip,
    };
    Ok(format!("http://{}", SocketAddr::from((ip, port))))
}

/// The command line of hub-local in that of process 1, which may be an init program such as `docker-init`.
fn start_arguments(of_process_1: Vec<u8>) -> Option<Vec<OsString>> {
    let text = String::from_utf8(of_process_1).ok()?;
    let all = text.trim_end_matches('\0').split('\0');
    let is_other = |argument: &&str| Path::new(argument).file_stem() != Some("hub-local".as_ref());
    let own: Vec<OsString> = all.skip_while(is_other).map(OsString::from).collect();
    (!own.is_empty()).then(|| with_command(own))
}

/// The address and the port that a command line of `hub-local start` selects, together with the variables.
fn address_of(
    arguments: Vec<OsString>,
    model: &clap::Command,
) -> Result<(Option<IpAddr>, u16), Failure> {
    let matches = model.clone().try_get_matches_from(arguments);
    let parsed = matches.and_then(|matches| Cli::from_arg_matches(&matches)).map_err(|error| {
        Failure::failed(error.to_string().trim_start_matches("error: ").trim_end())
    });
    match parsed?.command {
        Command::Start(arguments) => Ok(arguments.address()),
        _ => Err(Failure::failed("process 1 is not `hub-local start`")),
    }
}

async fn check(url: &str) -> Result<(), Failure> {
    let client = HttpClient::new(GaiResolver::new(), TIMEOUT);
    let request = Request::get(format!("{url}/api/health")).body(Bytes::new());
    let request = request.map_err(Failure::failed)?;
    let failed = |text: &str| {
        Failure::Failed(format!(
            "{url} {text}; check that `hub-local start` runs there, or use `--url` for another address"
        ))
    };
    let answer = timeout(TIMEOUT, client.request(request, MAX_RESPONSE_BYTES)).await;
    match answer.map_err(|_| failed(&format!("does not respond within {} s", TIMEOUT.as_secs())))? {
        Ok(answer) => match answer.status() {
            StatusCode::OK => Ok(()),
            StatusCode::SERVICE_UNAVAILABLE => Err(Failure::Failed(format!("{url} is stopping"))),
            status => Err(failed(&format!("answers with status {}", status.as_u16()))),
        },
        Err(
            RequestError::Unreachable(error)
            | RequestError::Interrupted(error)
            | RequestError::Incomplete(error),
        ) => Err(failed(&format!("cannot be reached: {error}"))),
        Err(RequestError::TooLarge) => Err(failed("is another server: its answer is too long")),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::without_variables::without_variables, *};

    fn url(process_1: &str) -> Result<String, String> {
        let process_1 = process_1.replace(' ', "\0").into_bytes();
        url_of(process_1, &without_variables(Cli::command())).map_err(|error| match error {
            Failure::Failed(text) => text,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn the_service_is_found_by_the_arguments_of_process_1() {
        for (process_1, expected) in [
            ("/hub-local start -p 9999 ", "http://127.0.0.1:9999"),
            ("/hub-local -p 9999 -c /emulator ", "http://127.0.0.1:9999"),
            ("/hub-local start --ip 0.0.0.0 ", "http://127.0.0.1:8888"),
            ("/hub-local start --ip :: --port 1 ", "http://[::1]:1"),
            ("/hub-local start --ip 10.0.0.5 ", "http://10.0.0.5:8888"),
            ("/sbin/docker-init -- /hub-local start -p 7 ", "http://127.0.0.1:7"),
            // Not the service.
            ("/sbin/init ", "http://127.0.0.1:8888"),
            ("/hub-local load http://a/ ", "http://127.0.0.1:8888"),
            ("npm run hub-local ", "http://127.0.0.1:8888"),
            ("", "http://127.0.0.1:8888"),
        ] {
            assert_eq!(url(process_1).as_deref(), Ok(expected), "{process_1}");
        }
    }

    #[test]
    fn a_free_port_is_not_found() {
        let problem = url("/hub-local start --port 0 ").unwrap_err();
        assert!(problem.contains("`--url`"), "{problem}");
    }
}
