//! Lines that are printed at start.

/// Prints a line to standard output instead of `tracing`, because developers without a log subscriber need
/// it too.
pub(crate) fn announce(line: &str) {
    println!("{line}");
}
