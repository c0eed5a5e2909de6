//! Distribution of durations in microseconds.

use std::time::Duration;

/// Two significant digits: quantiles are within 1 %.
const SIGNIFICANT_DIGITS: u8 = 2;
/// Maximum duration: 2^32 µs, more than an hour. Longer durations are recorded as this value.
const MAX_MICROSECONDS: u64 = 1 << 32;

/// A histogram of durations, from 1 µs to [`MAX_MICROSECONDS`].
#[derive(Clone, Debug)]
pub(crate) struct Histogram(hdrhistogram::Histogram<u64>);

impl Default for Histogram {
    #[expect(clippy::expect_used, reason = "the bounds are constants that HdrHistogram accepts")]
    fn default() -> Self {
        let counts =
            hdrhistogram::Histogram::new_with_bounds(1, MAX_MICROSECONDS, SIGNIFICANT_DIGITS);
        Self(counts.expect("the bounds are valid"))
    }
}

impl Histogram {
    pub(crate) fn record(&mut self, duration: Duration) {
        self.0.saturating_record(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    pub(crate) fn add(&mut self, other: &Self) {
        // Adding fails only if the bounds differ, and all histograms have the same bounds.
        let _ = self.0.add(&other.0);
    }

    pub(crate) fn clear(&mut self) {
        self.0.reset();
    }

    /// Number of recorded durations.
    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The duration that this fraction of all values does not exceed, in microseconds.
    pub(crate) fn quantile(&self, fraction: f64) -> u64 {
        self.0.value_at_quantile(fraction)
    }

    pub(crate) fn max(&self) -> u64 {
        self.0.max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_one_per_cent() {
        let mut histogram = Histogram::default();
        for microseconds in 1..=10_000 {
            histogram.record(Duration::from_micros(microseconds));
        }

        for (fraction, exact) in [(0.5, 5000_u64), (0.9, 9000), (0.99, 9900), (1.0, 10_000)] {
            let found = histogram.quantile(fraction);
            assert!(found >= exact && found <= exact + exact / 100, "{fraction}: {found}");
        }
        assert_eq!(histogram.quantile(1.0), histogram.max());
    }

    #[test]
    fn durations_beyond_the_upper_bound_count_as_the_bound() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::MAX);

        let most = histogram.max();
        assert!((MAX_MICROSECONDS..MAX_MICROSECONDS + MAX_MICROSECONDS / 100).contains(&most));
    }
}
