//! Permits of upstream calls: how many run at once, and how many bytes their bodies have in total.

use std::time::Duration;

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

/// Bodies are counted in units of this size. A smaller body needs no permit for its size.
const UNIT: usize = 4 * 1024;

/// How many `disconnected` events are delivered at once. When thousands of clients leave at once, each event would
/// otherwise open a connection to the app.
const ENDS: usize = 128;
/// The longest time that a `disconnected` event waits for others: an app that needs long for each gets all of them.
const MAX_END_DELAY: Duration = Duration::from_secs(1);

/// The permits of a service.
#[derive(Debug)]
pub(crate) struct Permits {
    calls: Semaphore,
    ends: Semaphore,
    units: Semaphore,
    all_units: u32,
}

/// The permit of one call; dropping it returns it.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    _call: SemaphorePermit<'a>,
    _units: Option<SemaphorePermit<'a>>,
    units: u32,
}

impl Permits {
    /// At most `calls` calls with bodies of `bytes` bytes run at once. A larger body runs alone.
    pub(crate) fn new(calls: usize, bytes: usize) -> Self {
        let units = (bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS);
        let all_units = u32::try_from(units).unwrap_or(u32::MAX);
        Self {
            calls: Semaphore::new(calls.clamp(1, Semaphore::MAX_PERMITS)),
            ends: Semaphore::new(ENDS),
            units: Semaphore::new(all_units as usize),
            all_units,
        }
    }

    /// A permit for a body of `size` bytes, if there is one now.
    pub(crate) fn try_get(&self, size: usize) -> Option<Permit<'_>> {
        let call = self.calls.try_acquire().ok()?;
        let (units, needed) = match self.units_of(size) {
            0 => (None, 0),
            needed => (Some(self.units.try_acquire_many(needed).ok()?), needed),
        };
        Some(Permit { _call: call, _units: units, units: needed })
    }

    /// Waits for a permit; `None` if the service has ended.
    pub(crate) async fn get(&self, size: usize) -> Option<Permit<'_>> {
        // First the permit for the size: a call that waits for it must not block small calls.
        let (units, needed) = match self.units_of(size) {
            0 => (None, 0),
            needed => (Some(self.units.acquire_many(needed).await.ok()?), needed),
        };
        Some(Permit { _call: self.calls.acquire().await.ok()?, _units: units, units: needed })
    }

    /// Waits until fewer than [`ENDS`] `disconnected` events are delivered, but at most [`MAX_END_DELAY`]. The event also
    /// needs a permit of a call.
    pub(crate) async fn end(&self) -> Option<SemaphorePermit<'_>> {
        match self.ends.try_acquire() {
            Ok(end) => Some(end),
            Err(_) => timeout(MAX_END_DELAY, self.ends.acquire()).await.ok()?.ok(),
        }
    }

    /// Whether this permit suffices for a body of `size` bytes.
    pub(crate) fn suffices(&self, permit: &Permit<'_>, size: usize) -> bool {
        permit.units >= self.units_of(size)
    }

    /// Whether the holder of a permit may use it for its next call: another permit is free, so that no call waits, and it is not for a large body.
    pub(crate) fn may_keep(&self, permit: &Permit<'_>) -> bool {
        permit.units == 0 && self.calls.available_permits() > 0
    }

    fn units_of(&self, size: usize) -> u32 {
        let units = if size < UNIT { 0 } else { size.div_ceil(UNIT) };
        u32::try_from(units).unwrap_or(u32::MAX).min(self.all_units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_limited_in_number_and_in_size() {
        let permits = Permits::new(3, 10 * UNIT);

        let large = permits.try_get(8 * UNIT).unwrap();
        assert!(permits.try_get(3 * UNIT).is_none());
        let small = [permits.try_get(2 * UNIT).unwrap(), permits.try_get(1).unwrap()];
        assert!(permits.try_get(1).is_none());
        drop(small);
        assert!(permits.try_get(3 * UNIT).is_none());
        assert!(permits.suffices(&large, 8 * UNIT) && !permits.suffices(&large, 9 * UNIT));
        drop(large);

        assert!(permits.try_get(1000 * UNIT).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_waits_for_others_but_at_most_a_second() {
        let permits = Permits::new(1, UNIT);
        let mut ends = Vec::new();
        for _ in 0..ENDS {
            ends.push(permits.end().await.unwrap());
        }
        let begun = tokio::time::Instant::now();

        assert!(permits.end().await.is_none());
        assert_eq!(begun.elapsed(), MAX_END_DELAY);
        let waiting = permits.end();
        let mut waiting = std::pin::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(ends);

        assert!(waiting.await.is_some());
        assert_eq!(begun.elapsed(), MAX_END_DELAY);
    }

    #[tokio::test]
    async fn a_permit_is_kept_for_the_next_call_only_if_no_call_waits() {
        let permits = Permits::new(2, 10 * UNIT);
        let (small, large) = (permits.try_get(1).unwrap(), permits.try_get(UNIT).unwrap());
        let mut waiting = std::pin::pin!(permits.get(1));

        assert!(futures_util::poll!(&mut waiting).is_pending());
        assert!(!permits.may_keep(&small));
        drop(large);
        assert!(futures_util::poll!(&mut waiting).is_ready());
        assert!(permits.may_keep(&small));

        let large = permits.try_get(UNIT).unwrap();
        drop(small);
        assert!(!permits.may_keep(&large));
    }

    #[tokio::test]
    async fn a_large_call_that_waits_does_not_block_small_ones() {
        let permits = Permits::new(2, 10 * UNIT);
        let running = permits.get(10 * UNIT).await.unwrap();
        let waiting = permits.get(5 * UNIT);
        let mut waiting = std::pin::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());

        assert!(permits.try_get(1).is_some());
        drop(running);

        assert!(permits.suffices(&waiting.await.unwrap(), 5 * UNIT));
    }
}
