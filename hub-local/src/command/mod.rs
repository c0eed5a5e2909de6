//! The command line interface.

mod allocator;
mod banner;
mod contract;
mod descriptors;
mod environment;
mod health;
mod inspect;
mod inspector;
mod limits;
mod load;
mod log;
mod new;
mod output;
mod ready;
#[cfg(test)]
mod reference;
mod reload;
mod replay;
mod signals;
mod start;
mod stdin;
mod upstream;
mod values;
#[cfg(test)]
mod without_variables;

use std::{ffi::OsString, process::ExitCode};

use clap::{
    ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, error::ErrorKind,
};
use hub_load::LoadArgs;

use self::{
    health::HealthArgs, inspect::InspectArgs, new::NewArgs, replay::ReplayArgs, start::StartArgs,
    upstream::UpstreamCommand,
};

const EXAMPLES: &str = "\
Examples:
  hub-local new my-app
  hub-local start --upstream http://localhost:7071/runtime/webhooks/signalr
  hub-local start --config settings.json
  hub-local upstream init && hub-local start
  hub-local start --record run.jsonl
  hub-local replay run.jsonl --to http://localhost:7071 --diff
  hub-local inspect --follow --failures
  hub-local load http://localhost:7071/api/bench --clients 1000 --scenario broadcast

Exit codes: 0 success, 1 failure, 2 invalid command line.";

/// A local SignalR service for development, tests and single machines.
///
/// Behaves like Azure SignalR Service in serverless mode, for clients and for apps in any language.
/// Replaces Microsoft's emulator, with the same port, key and settings.json.
#[derive(Debug, Parser)]
#[command(name = "hub-local", version, arg_required_else_help = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a small app with a hub, a page and tests
    New(NewArgs),
    /// Run the service until Ctrl+C or SIGTERM
    Start(Box<StartArgs>),
    /// Write or show settings.json
    #[command(subcommand)]
    Upstream(UpstreamCommand),
    /// Show what happens in a running service: clients, calls, answers and failures
    Inspect(Box<InspectArgs>),
    /// Check that a service accepts requests, for example in a container
    Health(HealthArgs),
    /// Repeat the calls of a recording and compare the answers of the app
    Replay(Box<ReplayArgs>),
    /// Generate load on a SignalR server and measure it
    Load(Box<LoadArgs>),
}

/// Error of the command. Each variant has its own exit code.
#[derive(Debug)]
enum Failure {
    /// Invalid command line.
    Usage(String),
    /// The command failed.
    Failed(String),
    /// A replay was not possible.
    NotReplayed(String),
    /// A replay has found other answers, which are printed.
    Differs,
}

impl Failure {
    fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Inserts the command `start` before options, as the container image of Microsoft's emulator accepts them:
/// `-p 9999` is `start -p 9999`.
fn with_command(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let first = arguments.get(1).and_then(|first| first.to_str()).unwrap_or_default();
    if first.starts_with('-') && !matches!(first, "-h" | "--help" | "-V" | "--version") {
        arguments.insert(1, "start".into());
    }
    arguments
}

/// The error for an invalid command line, with the usage of the command that was called.
fn usage_error(mut matches: &ArgMatches, text: String) -> clap::Error {
    let mut command = Cli::command();
    command.build();
    while let Some((name, below)) = matches.subcommand() {
        let found = command.find_subcommand(name).cloned();
        (command, matches) = (found.unwrap_or(command), below);
    }
    command.error(ErrorKind::ValueValidation, text)
}

/// Parses the arguments of the process and runs the command.
pub(crate) fn run() -> ExitCode {
    let matches = Cli::command().get_matches_from(with_command(std::env::args_os().collect()));
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let done = match cli.command {
        Command::New(arguments) => new::run(&arguments),
        Command::Start(arguments) => {
            allocator::restart_with_settings();
            start::run(*arguments)
        }
        Command::Upstream(command) => upstream::run(&command),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Health(arguments) => health::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Load(arguments) => load::run(*arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(text)) => usage_error(&matches, text).exit(),
        Err(Failure::Failed(text)) => {
            output::note(format_args!("error: {text}"));
            ExitCode::FAILURE
        }
        Err(Failure::NotReplayed(text)) => {
            output::note(format_args!("error: {text}"));
            ExitCode::from(2)
        }
        Err(Failure::Differs) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::{without_variables::parse, *};

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_short_flags_of_the_emulator_are_known() {
        for arguments in [
            &["start", "-p", "9999", "-i", "127.0.0.1", "-c", "folder"][..],
            &["upstream", "init", "-o", "folder"],
            &["upstream", "list", "-c", "folder"],
        ] {
            assert!(parse::<Cli>(arguments).is_ok(), "{arguments:?}");
        }
    }

    #[test]
    fn start_is_the_default_command_of_options() {
        let arguments = |list: &[&str]| list.iter().map(OsString::from).collect::<Vec<_>>();
        let with = |list: &[&str]| with_command(arguments(list));

        let expected = arguments(&["hub-local", "start", "-p", "9999", "-c", "x"]);
        assert_eq!(with(&["hub-local", "-p", "9999", "-c", "x"]), expected);
        for unchanged in [
            &["hub-local"][..],
            &["hub-local", "-h"],
            &["hub-local", "--version"],
            &["hub-local", "upstream", "list", "-c", "x"],
            &["hub-local", "start", "-p", "1"],
        ] {
            assert_eq!(with(unchanged), arguments(unchanged));
        }
    }

    #[test]
    fn an_error_has_the_usage_of_its_command() {
        for (arguments, usage) in [
            (&["hub-local", "start"][..], "Usage: hub-local start [OPTIONS]\n"),
            (&["hub-local", "new", "x"], "Usage: hub-local new [OPTIONS] <FOLDER>\n"),
            (&["hub-local", "upstream", "list"], "Usage: hub-local upstream list [OPTIONS]\n"),
        ] {
            let model = without_variables::without_variables(Cli::command());
            let matches = model.try_get_matches_from(arguments).unwrap();

            let text = usage_error(&matches, "it is wrong".to_owned()).to_string();

            assert!(text.starts_with("error: it is wrong\n") && text.contains(usage), "{text}");
        }
    }

    #[test]
    fn an_upstream_and_a_settings_file_exclude_each_other() {
        let both = parse::<Cli>(&["start", "-c", "x", "--upstream", "http://127.0.0.1:1/"]);
        assert_eq!(both.unwrap_err().kind(), ErrorKind::ArgumentConflict);
    }
}
