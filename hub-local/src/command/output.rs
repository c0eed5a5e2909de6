//! Lines on standard output and standard error.
//!
//! `println!` and `eprintln!` panic if the reader of the output has ended (`hub-local upstream list | head -1`).

use std::{
    fmt::Display,
    io::{self, Write as _},
};

/// Prints a line to standard output.
pub(super) fn print(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Prints a line to standard output, and ends the process if its reader has ended: what follows is for the reader only.
pub(super) fn print_or_exit(line: impl Display) {
    let mut out = io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Prints a line to standard error.
pub(super) fn note(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
