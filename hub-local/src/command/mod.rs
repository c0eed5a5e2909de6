//! The command line: what it accepts, and what becomes of it.

mod banner;
mod descriptors;
mod limits;
mod load;
mod log;
mod reload;
mod signals;
mod start;
mod upstream;
mod values;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand, error::ErrorKind};
use hub_load::LoadArgs;

use self::{start::StartArgs, upstream::UpstreamCommand};

const EXAMPLES: &str = "\
Examples:
  hub-local start --upstream http://localhost:7071/runtime/webhooks/signalr
  hub-local start --config settings.json
  hub-local upstream init && hub-local start
  hub-local load http://localhost:7071/api/bench --clients 1000 --scenario broadcast

Exit codes: 0 it ended as asked, 1 it failed, 2 the command line is wrong.";

/// A SignalR service that needs no account.
///
/// It behaves as Azure SignalR Service in serverless mode, to clients and to apps in any language,
/// and takes the place of Microsoft's emulator: the same port, key and settings.json.
#[derive(Debug, Parser)]
#[command(name = "hub-local", version, arg_required_else_help = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the service until Ctrl+C or SIGTERM
    Start(Box<StartArgs>),
    /// Writes or shows settings.json
    #[command(subcommand)]
    Upstream(UpstreamCommand),
    /// Puts load on a SignalR server and measures it
    Load(Box<LoadArgs>),
}

/// Why the command ends badly.
#[derive(Debug)]
enum Failure {
    /// What was asked for makes no sense.
    Usage(String),
    /// It was asked well and did not work out.
    Failed(String),
}

impl Failure {
    fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Does what the arguments of the process say.
pub(crate) fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Start(arguments) => start::run(*arguments),
        Command::Upstream(command) => upstream::run(&command),
        Command::Load(arguments) => load::run(*arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(text)) => Cli::command().error(ErrorKind::ValueValidation, text).exit(),
        Err(Failure::Failed(text)) => {
            eprintln!("error: {text}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_short_flags_of_the_emulator_are_known() {
        let arguments = ["hub-local", "start", "-p", "9999", "-i", "127.0.0.1", "-c", "folder"];
        assert!(Cli::try_parse_from(arguments).is_ok());
        assert!(Cli::try_parse_from(["hub-local", "upstream", "init", "-o", "folder"]).is_ok());
        assert!(Cli::try_parse_from(["hub-local", "upstream", "list", "-c", "folder"]).is_ok());
    }

    #[test]
    fn an_upstream_and_a_settings_file_exclude_each_other() {
        let arguments = ["hub-local", "start", "-c", "x", "--upstream", "http://127.0.0.1:1/"];
        assert!(Cli::try_parse_from(arguments).is_err());
    }
}
