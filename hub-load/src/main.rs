//! The `hub-load` command.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{CommandFactory as _, Parser, error::ErrorKind};
use hub_load::LoadArgs;

const EXAMPLES: &str = "\
Examples:
  hub-load http://localhost:7071/api/bench --clients 1000 --scenario broadcast
  hub-load http://localhost:7071/api/bench --scenario echo --check --json

Exit codes: 0 success, 1 the run failed, 2 invalid command line.";

#[derive(Debug, Parser)]
#[command(name = "hub-load", version, arg_required_else_help = true, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    args: LoadArgs,
}

fn main() -> ExitCode {
    match hub_load::run_blocking(Cli::parse().args) {
        Ok(report) => {
            // `println!` panics if the reader of the output has ended.
            match writeln!(io::stdout(), "{report}") {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    let _ = writeln!(io::stderr(), "error: the report cannot be written: {error}");
                    ExitCode::FAILURE
                }
                _ => ExitCode::SUCCESS,
            }
        }
        Err(error) if error.is_usage() => {
            Cli::command().error(ErrorKind::ValueValidation, error).exit()
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {}", error.with_causes());
            ExitCode::FAILURE
        }
    }
}
