//! Send rates: as fast as the window allows, or on a timer.

use std::{ops::Range, time::Duration};

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::window::Window;

/// Rate of one sender, or the share of one client in the total rate.
pub(crate) struct Rate(Option<Interval>);

impl Rate {
    /// Creates the share of sender `index`. All senders together send `rate` messages per second, by
    /// turns.
    pub(crate) fn new(rate: Option<u32>, senders: usize, index: usize) -> Self {
        Self(rate.map(|rate| {
            let step = Duration::from_secs(1) / rate.max(1);
            let times =
                |count: usize| step.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
            let mut ticks = interval_at(Instant::now() + times(index), times(senders.max(1)));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        }))
    }

    /// Whether a rate is set.
    pub(crate) fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// Waits for the next turn. Never returns if no rate is set.
    pub(crate) async fn turn(&mut self) {
        match &mut self.0 {
            Some(ticks) => drop(ticks.tick().await),
            None => std::future::pending().await,
        }
    }

    /// Waits for the next messages and returns their numbers, at most `at_most`. Without a rate the
    /// sender is as fast as the window allows.
    pub(crate) async fn next(&mut self, window: &Window, at_most: u64) -> Range<u64> {
        if !self.is_set() {
            return window.reserve(at_most).await;
        }
        self.turn().await;
        window.reserve(1).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn with_a_rate_messages_are_sent_on_schedule() {
        let window = Window::new(64, 1);
        let mut rate = Rate::new(Some(20), 1, 0);
        let began = Instant::now();

        for number in 0..21 {
            assert_eq!(rate.next(&window, 9).await, number..number + 1);
        }

        assert_eq!(began.elapsed().as_secs(), 1);
        assert_eq!(Rate::new(None, 1, 0).next(&window, 9).await, 21..30);
    }

    #[tokio::test(start_paused = true)]
    async fn clients_with_the_same_pace_alternate() {
        let (began, turns) = (Instant::now(), std::cell::RefCell::new(Vec::new()));
        let turns_of = async |index| {
            let mut rate = Rate::new(Some(10), 3, index);
            for _ in 0..2 {
                rate.turn().await;
                turns.borrow_mut().push((began.elapsed().as_millis(), index));
            }
        };

        tokio::join!(turns_of(0), turns_of(1), turns_of(2));

        let expected = [(0, 0), (100, 1), (200, 2), (300, 0), (400, 1), (500, 2)];
        assert_eq!(*turns.borrow(), expected);
        assert!(!Rate::new(None, 3, 0).is_set());
    }
}
