//! Lines on standard output and standard error.
//!
//! `println!` and `eprintln!` panic if the reader of the output has ended (`hub-local upstream list | head -1`).

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write as _},
    process::exit,
};

/// Prints a line to standard output. Ends the process with an error if the line is lost for another reason than that its
/// reader has ended, such as a full disk.
pub(super) fn print(line: impl Display) {
    if let Err(error) = write(line)
        && error.kind() != ErrorKind::BrokenPipe
    {
        lost(&error);
    }
}

/// Prints a line to standard output, and ends the process if its reader has ended: what follows is for the reader only.
pub(super) fn print_or_exit(line: impl Display) {
    match write(line) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => exit(0),
        Err(error) => lost(&error),
    }
}

fn write(line: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush())
}

fn lost(error: &io::Error) -> ! {
    note(format_args!("error: standard output cannot be written: {error}"));
    exit(1)
}

/// Prints a line to standard error.
pub(super) fn note(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
