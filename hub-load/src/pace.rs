//! When the next broadcast leaves: as soon as the window has room, or by the clock.

use std::{ops::Range, time::Duration};

use tokio::time::{Instant, Interval, MissedTickBehavior, interval, interval_at};

use crate::window::Window;

/// The pace of one driver.
pub(crate) struct Pace(Option<Interval>);

impl Pace {
    /// So many a second, or as many as the window lets out.
    pub(crate) fn new(rate: Option<u32>) -> Self {
        Self(rate.map(|rate| {
            let mut ticks = interval(Duration::from_secs(1) / rate.max(1));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        }))
    }

    /// Waits for the next messages and takes their numbers, at most so many.
    pub(crate) async fn next(&mut self, window: &Window, at_most: u64) -> Range<u64> {
        let Some(ticks) = &mut self.0 else { return window.reserve(at_most).await };
        ticks.tick().await;
        window.reserve(1).await
    }
}

/// The pace of one of many clients that keep a pace together.
pub(crate) struct ClientPace(Option<Interval>);

impl ClientPace {
    /// All clients together do something so many times a second, one after the other.
    pub(crate) fn new(rate: Option<u32>, clients: usize, index: usize) -> Self {
        Self(rate.map(|rate| {
            let step = Duration::from_secs(1) / rate.max(1);
            let times =
                |count: usize| step.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
            let mut ticks = interval_at(Instant::now() + times(index), times(clients.max(1)));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        }))
    }

    /// Whether there is one.
    pub(crate) fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Waits for this client's next turn; for ever without a pace.
    pub(crate) async fn next(&mut self) {
        match &mut self.0 {
            Some(ticks) => drop(ticks.tick().await),
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn with_a_rate_messages_leave_by_the_clock() {
        let window = Window::new(64, 1);
        let mut pace = Pace::new(Some(20));
        let began = Instant::now();

        for number in 0..21 {
            assert_eq!(pace.next(&window, 9).await, number..number + 1);
        }

        assert_eq!(began.elapsed().as_secs(), 1);
        assert_eq!(Pace::new(None).next(&window, 9).await, 21..30);
    }

    #[tokio::test(start_paused = true)]
    async fn clients_that_share_a_pace_take_turns() {
        let (began, turns) = (Instant::now(), std::cell::RefCell::new(Vec::new()));
        let turns_of = async |index| {
            let mut pace = ClientPace::new(Some(10), 3, index);
            for _ in 0..2 {
                pace.next().await;
                turns.borrow_mut().push((began.elapsed().as_millis(), index));
            }
        };

        tokio::join!(turns_of(0), turns_of(1), turns_of(2));

        let expected = [(0, 0), (100, 1), (200, 2), (300, 0), (400, 1), (500, 2)];
        assert_eq!(*turns.borrow(), expected);
        assert!(!ClientPace::new(None, 3, 0).is_kept());
    }
}
