//! Lines that are printed at start.

/// Prints a line. It goes to standard output instead of `tracing`, because a developer without a log
/// subscriber needs it too.
pub(crate) fn announce(line: &str) {
    println!("{line}");
}
