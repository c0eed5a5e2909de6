//! The `hub-local` command.

mod command;
#[cfg(test)]
mod reference_page;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run()
}
