//! When the next broadcast leaves: as soon as the window has room, or by the clock.

use std::{ops::Range, time::Duration};

use tokio::time::{Interval, MissedTickBehavior, interval};

use super::window::Window;

/// The pace of one driver.
pub(super) struct Pace(Option<Interval>);

impl Pace {
    /// So many a second, or as many as the window lets out.
    pub(super) fn new(rate: Option<u32>) -> Self {
        Self(rate.map(|rate| {
            let mut ticks = interval(Duration::from_secs(1) / rate.max(1));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        }))
    }

    /// Waits for the next messages and takes their numbers, at most so many.
    pub(super) async fn next(&mut self, window: &Window, at_most: u64) -> Range<u64> {
        let Some(ticks) = &mut self.0 else { return window.reserve(at_most).await };
        ticks.tick().await;
        window.reserve(1).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn with_a_rate_messages_leave_by_the_clock() {
        let window = Window::new(64, 1);
        let mut pace = Pace::new(Some(20));
        let began = tokio::time::Instant::now();

        for number in 0..21 {
            assert_eq!(pace.next(&window, 9).await, number..number + 1);
        }

        assert_eq!(began.elapsed().as_secs(), 1);
        assert_eq!(Pace::new(None).next(&window, 9).await, 21..30);
    }
}
