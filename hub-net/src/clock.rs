//! Wall time that follows tokio's paused clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The system's wall time, plus the time by which tokio's clock is ahead of the machine's monotonic clock.
///
/// Tests pause and advance tokio's clock, and thus the age of tokens. Without paused time this is the plain
/// wall time, which is correct even after the machine was suspended or its clock was set.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    tokio: tokio::time::Instant,
    machine: Instant,
}

impl Clock {
    /// Starts a clock. It ignores advances of tokio's clock before this call.
    #[must_use]
    pub fn start() -> Self {
        Self { tokio: tokio::time::Instant::now(), machine: Instant::now() }
    }

    /// The time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.tokio.elapsed()
    }

    /// The time from the start to this instant.
    #[must_use]
    pub fn elapsed_at(&self, instant: tokio::time::Instant) -> Duration {
        instant.saturating_duration_since(self.tokio)
    }

    /// The wall time.
    #[must_use]
    pub fn system_time(&self) -> SystemTime {
        let ahead = self.tokio.elapsed().saturating_sub(self.machine.elapsed());
        // The two clocks are not read simultaneously, so they differ slightly even if time is not paused.
        let ahead = if ahead < Duration::from_secs(1) { Duration::ZERO } else { ahead };
        SystemTime::now() + ahead
    }

    /// The wall time in seconds since 1970.
    #[must_use]
    pub fn unix_seconds(&self) -> u64 {
        self.system_time().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }

    /// Converts a wall time to an instant. A time in the past becomes the current instant. Returns `None` if
    /// the time is too far in the future for an `Instant`. The precision is one second, as in tokens.
    #[must_use]
    pub fn instant(&self, unix_seconds: u64) -> Option<tokio::time::Instant> {
        let ahead = Duration::from_secs(unix_seconds.saturating_sub(self.unix_seconds()));
        tokio::time::Instant::now().checked_add(ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn paused_time_moves_the_clock() {
        let clock = Clock::start();
        let before = clock.unix_seconds();

        tokio::time::advance(Duration::from_secs(3600)).await;

        assert!((3599..=3601).contains(&(clock.unix_seconds() - before)));
    }
}
