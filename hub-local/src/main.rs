//! The `hub-local` command.

// They panic if the reader of the output has ended. `command::output` has the alternative.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod command;
#[cfg(test)]
mod reference_page;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run()
}
