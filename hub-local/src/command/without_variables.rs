//! Command lines of unit tests, which the variables of the machine do not change.

use clap::{Arg, Command, Parser};

/// The model of a command line whose options have no variables.
pub(super) fn without_variables(model: Command) -> Command {
    let without = |argument: Arg| argument.env(None::<&'static str>);
    model.mut_args(without).mut_subcommands(without_variables)
}

/// Parses a command line, given without the name of the program.
pub(super) fn parse<T: Parser>(line: &[&str]) -> Result<T, clap::Error> {
    let line = ["hub-local"].iter().chain(line);
    T::from_arg_matches(&without_variables(T::command()).try_get_matches_from(line)?)
}
