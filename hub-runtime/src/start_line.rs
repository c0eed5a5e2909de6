//! The lines that a start prints.

/// Prints one. They are printed and not traced, since they are for whoever typed the command.
pub(crate) fn announce(line: &str) {
    println!("{line}");
}
