//! Token buckets by key, in bounded memory. The caller passes the time.

use std::{collections::HashMap, hash::Hash, time::Duration};

use parking_lot::Mutex;

/// The maximum number of keys per generation. There are two generations.
const GENERATION: usize = 8192;

/// One bucket per key: `capacity` tokens, refilled evenly over a period.
#[derive(Debug)]
pub struct TokenBuckets<K> {
    capacity: f64,
    /// Tokens per second.
    rate: f64,
    buckets: Mutex<Generations<K>>,
}

/// The buckets in two generations. When the young generation is full, it replaces the old generation. Every
/// access moves a key to the young generation, so a flood of new keys evicts only inactive keys.
#[derive(Debug)]
struct Generations<K> {
    young: HashMap<K, Bucket>,
    old: HashMap<K, Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    /// The time at which the bucket was last refilled.
    filled: Duration,
}

impl<K: Eq + Hash> TokenBuckets<K> {
    /// Creates buckets of `capacity` tokens per `period`.
    #[must_use]
    pub fn new(capacity: u32, period: Duration) -> Self {
        let rate = f64::from(capacity) / period.as_secs_f64();
        let buckets = Generations { young: HashMap::new(), old: HashMap::new() };
        Self { capacity: f64::from(capacity), rate, buckets: Mutex::new(buckets) }
    }

    /// Takes a token at `now`, the time since a fixed start.
    ///
    /// # Errors
    /// When the bucket is empty. The error is the time until the next token.
    pub fn take(&self, key: K, now: Duration) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock();
        let mut bucket =
            buckets.remove(&key).unwrap_or(Bucket { tokens: self.capacity, filled: now });
        let passed = now.saturating_sub(bucket.filled).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * self.rate).min(self.capacity);
        // Calls take their time before they wait, so it may be earlier than that of the call before.
        bucket.filled = bucket.filled.max(now);
        let missing = 1.0 - bucket.tokens;
        if missing <= 0.0 {
            bucket.tokens -= 1.0;
        }
        buckets.insert(key, bucket);
        if missing <= 0.0 {
            return Ok(());
        }
        Err(Duration::try_from_secs_f64(missing / self.rate).unwrap_or(Duration::MAX))
    }
}

impl<K: Eq + Hash> Generations<K> {
    fn remove(&mut self, key: &K) -> Option<Bucket> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    fn insert(&mut self, key: K, bucket: Bucket) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, bucket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_counts_once_when_calls_arrive_out_of_order() {
        let buckets = TokenBuckets::new(1, Duration::from_secs(10));
        let take = |second| buckets.take("a", Duration::from_secs(second)).is_ok();

        assert_eq!([take(20), take(12), take(22), take(30)], [true, false, false, true]);
    }

    #[test]
    fn a_bucket_allows_its_capacity_at_once_and_then_refills() {
        let buckets = TokenBuckets::new(3, Duration::from_secs(30));
        let start = Duration::from_secs(5);

        for _ in 0..3 {
            assert_eq!(buckets.take("ada", start), Ok(()));
        }
        let wait = buckets.take("ada", start).unwrap_err();
        assert_eq!(wait.as_secs_f64().round(), 10.0);
        assert_eq!(buckets.take("bob", start), Ok(()));
        assert_eq!(buckets.take("ada", start + wait), Ok(()));
        assert!(buckets.take("ada", start + wait).is_err());
    }

    #[test]
    fn extreme_limits_allow_nothing_or_everything() {
        let none = TokenBuckets::new(0, Duration::from_secs(1));
        let unlimited = TokenBuckets::new(1, Duration::ZERO);

        assert_eq!(none.take(0, Duration::ZERO), Err(Duration::MAX));
        assert_eq!(unlimited.take(0, Duration::ZERO), Ok(()));
        assert_eq!(unlimited.take(0, Duration::ZERO), Ok(()));
    }

    #[test]
    fn a_flood_of_keys_is_evicted_and_active_keys_stay() {
        let buckets = TokenBuckets::new(1, Duration::from_secs(3600));
        assert!(buckets.take(0, Duration::ZERO).is_ok());

        for key in 1..=5 * GENERATION {
            let _ = buckets.take(key, Duration::ZERO);
            if key % 1000 == 0 {
                assert!(buckets.take(0, Duration::ZERO).is_err(), "forgotten after {key} keys");
            }
        }

        let held = buckets.buckets.lock();
        assert!(held.young.len() + held.old.len() <= 2 * GENERATION);
    }
}
