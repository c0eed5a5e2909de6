//! The one clock: wall time, moved by what tokio's clock is ahead of the machine's.
//!
//! With tokio's time paused, as in tests, that drives the age of tokens. Else it is plain wall time,
//! which a suspended machine or a corrected clock does not leave behind.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where the two clocks met.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    tokio: tokio::time::Instant,
    machine: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { tokio: tokio::time::Instant::now(), machine: Instant::now() }
    }

    /// Time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.tokio.elapsed()
    }

    /// Seconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        self.time().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }

    /// The time.
    pub(crate) fn time(&self) -> SystemTime {
        let ahead = self.tokio.elapsed().saturating_sub(self.machine.elapsed());
        // Unpaused, the two differ by the time between two readings.
        let ahead = if ahead < Duration::from_secs(1) { Duration::ZERO } else { ahead };
        SystemTime::now() + ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn paused_time_moves_the_clock() {
        let clock = Clock::start();
        let before = clock.now();

        tokio::time::advance(Duration::from_secs(3600)).await;

        assert!((3599..=3601).contains(&(clock.now() - before)));
    }
}
