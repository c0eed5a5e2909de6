//! Logging to standard error.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use super::Failure;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Initializes logging with a level, or with directives such as `hub_local=debug,hyper=info`.
pub(super) fn init(text: &str) -> Result<(), Failure> {
    let filter = filter(text)?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        // Otherwise a failed write is reported with `eprintln!`, which panics if standard error is closed.
        .log_internal_errors(false)
        .try_init()
        .map_err(Failure::failed)
}

/// A plain level applies to `hub_local`; other crates log at `warn`.
fn filter(text: &str) -> Result<EnvFilter, Failure> {
    let level = text.to_ascii_lowercase();
    let is_level = LEVELS.contains(&level.as_str());
    let is_directives = text.contains('=');
    let directives = match level.as_str() {
        "off" => level,
        level if is_level => format!("warn,hub_local={level}"),
        _ if is_directives => text.to_owned(),
        _ => return Err(invalid(text)),
    };
    EnvFilter::try_new(directives).map_err(|_| invalid(text))
}

fn invalid(text: &str) -> Failure {
    Failure::Usage(format!(
        "`--log {text}` is invalid: use one of {}, or directives such as hub_local=debug,hyper=info",
        LEVELS.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_directives_are_known() {
        for known in ["off", "INFO", "trace", "hub_local=debug,hyper=info"] {
            assert!(filter(known).is_ok(), "{known}");
        }
        for unknown in ["", "loud", "a=b=c"] {
            assert!(matches!(filter(unknown), Err(Failure::Usage(_))), "{unknown}");
        }
    }
}
