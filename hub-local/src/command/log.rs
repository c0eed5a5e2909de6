//! What goes to standard error.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use super::Failure;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Logs at a level, or by directives such as `hub_local=debug,hyper=info`.
pub(super) fn init(asked: &str) -> Result<(), Failure> {
    let filter = filter(asked)?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .try_init()
        .map_err(Failure::failed)
}

/// A level is ours; other crates only warn.
fn filter(asked: &str) -> Result<EnvFilter, Failure> {
    let level = asked.to_ascii_lowercase();
    let is_level = LEVELS.contains(&level.as_str());
    let is_directives = asked.contains('=');
    let directives = match level.as_str() {
        "off" => level,
        level if is_level => format!("warn,hub_local={level}"),
        _ if is_directives => asked.to_owned(),
        _ => return Err(wrong(asked)),
    };
    EnvFilter::try_new(directives).map_err(|_| wrong(asked))
}

fn wrong(asked: &str) -> Failure {
    Failure::Usage(format!(
        "`--log {asked}` is none of {}, and no directives such as hub_local=debug,hyper=info",
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
