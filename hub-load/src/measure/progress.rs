//! Progress on standard error.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::{report::grouped, stats::Stats};
use crate::{LoadArgs, Scenario};

const STEP: Duration = Duration::from_secs(1);

/// Shows one line that is rewritten on a terminal, and a line per second otherwise. Shows nothing
/// with `--json`.
pub(crate) struct Progress {
    scenario: Scenario,
    clients: usize,
    measured: Duration,
    silent: bool,
    terminal: bool,
}

impl Progress {
    pub(crate) fn new(args: &LoadArgs) -> Self {
        Self {
            scenario: args.scenario,
            clients: args.clients,
            measured: Duration::from_secs(args.seconds),
            silent: args.json,
            terminal: io::stderr().is_terminal(),
        }
    }

    /// Reports the number of connected clients.
    pub(crate) fn connecting(&self, connected: usize) {
        // Without a terminal, only the last state is printed, to avoid a line per client.
        if connected == self.clients || (self.terminal && connected.is_multiple_of(100)) {
            self.show(&format!("connected {connected} of {}", self.clients));
        }
    }

    /// Reports rates until the measuring time has passed.
    pub(crate) async fn measuring(&self, stats: &Stats, began: Instant) {
        let (mut before, mut last) = (stats.messages(), Instant::now());
        loop {
            let left = self.measured.saturating_sub(began.elapsed());
            if left.is_zero() {
                break;
            }
            sleep(left.min(STEP)).await;
            let (messages, now) = (stats.messages(), Instant::now());
            let rate = (messages - before) as f64 / now.duration_since(last).as_secs_f64();
            (before, last) = (messages, now);
            let (seconds, rate) = (began.elapsed().as_secs(), grouped(rate));
            let (errors, _) = stats.errors();
            self.show(&format!(
                "{seconds:>3} s  {}  {rate} messages/s  {errors} errors",
                self.scenario
            ));
        }
        if self.terminal && !self.silent {
            let _ = writeln!(io::stderr());
        }
    }

    /// Prints one status.
    pub(crate) fn show(&self, line: &str) {
        if self.silent {
            return;
        }
        if self.terminal {
            // Progress is optional, so errors of standard error are ignored.
            let _ = write!(io::stderr(), "\r{line:<60}");
            let _ = io::stderr().flush();
        } else {
            let _ = writeln!(io::stderr(), "{line}");
        }
    }
}
