//! How long things took: 32 buckets for each doubling, so within 3 %.

use std::time::Duration;

const SUB_BITS: u32 = 5;
const SUB: usize = 1 << SUB_BITS;
/// Up to 2^31 microseconds, more than half an hour.
const BUCKETS: usize = SUB * 27;

/// Counts of durations, in microseconds.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    counts: Box<[u64]>,
    total: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS].into(), total: 0, max: 0 }
    }
}

impl Histogram {
    pub(super) fn record(&mut self, duration: Duration) {
        let value = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(bucket(value)) {
            *count += 1;
        }
        self.total += 1;
        self.max = self.max.max(value);
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
        self.max = self.max.max(other.max);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// The duration that `per_mille` of all do not exceed, in microseconds.
    pub(super) fn quantile(&self, per_mille: u64) -> u64 {
        let rank = (self.total * per_mille).div_ceil(1000).max(1);
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        found.map_or(self.max, |bucket| upper_end(bucket).min(self.max))
    }

    pub(super) fn max(&self) -> u64 {
        self.max
    }
}

fn bucket(value: u64) -> usize {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(SUB_BITS + 1);
    let within = usize::try_from(value >> shift).unwrap_or(usize::MAX);
    let octave = usize::try_from(shift).unwrap_or(usize::MAX);
    (octave * SUB).saturating_add(within).min(BUCKETS - 1)
}

/// The biggest value of a bucket.
fn upper_end(bucket: usize) -> u64 {
    let octave = (bucket / SUB).saturating_sub(1);
    let within = bucket - octave * SUB;
    ((within as u64 + 1) << octave) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_ends_where_the_next_begins() {
        for number in 0..BUCKETS - 1 {
            let end = upper_end(number);

            assert_eq!((bucket(end), bucket(end + 1)), (number, number + 1), "end {end}");
        }
    }

    #[test]
    fn quantiles_are_within_three_per_cent() {
        let mut histogram = Histogram::default();
        for microseconds in 1..=10_000 {
            histogram.record(Duration::from_micros(microseconds));
        }

        for (per_mille, exact) in [(500, 5000_u64), (900, 9000), (990, 9900)] {
            let found = histogram.quantile(per_mille);
            assert!(found >= exact && found < exact + exact / 30, "{per_mille}: {found}");
        }
        assert_eq!((histogram.quantile(1000), histogram.max()), (10_000, 10_000));
    }

    #[test]
    fn what_is_too_long_is_in_the_last_bucket() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::MAX);

        assert_eq!(histogram.quantile(500), upper_end(BUCKETS - 1));
        assert_eq!(histogram.max(), u64::MAX);
    }
}
