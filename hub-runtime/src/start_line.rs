//! Lines that are printed at start.

use std::io::Write as _;

/// Prints a line to standard output instead of `tracing`, because developers without a log subscriber need
/// the line too. With a closed standard output, `println!` would panic and end the app.
pub(crate) fn announce(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
