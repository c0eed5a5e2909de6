//! Lines that are printed at start.

/// Prints a line to standard output instead of `tracing`, because developers without a log subscriber need
/// the line too.
pub(crate) fn announce(line: &str) {
    println!("{line}");
}
