//! The one clock of the runtime: tokio's, so that paused time drives token ages too.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Wall time that moves with tokio's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
    wall: u64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self { started: Instant::now(), wall }
    }

    /// Seconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        self.wall + self.started.elapsed().as_secs()
    }
}
