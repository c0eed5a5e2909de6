//! The retry policy for calls to the service.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use hub_core::SendError;

use super::retry_after::retry_after;

/// Retry policy for transient failures of calls to the service, for
/// [`HubAppBuilder::retries`](crate::HubAppBuilder::retries).
///
/// A call is retried if it was not sent, or if the service postponed it (429, or 503 with `Retry-After`).
/// After a broken connection, a timeout or a failure of the service, only idempotent calls are retried:
/// group changes, checks, and closing a single connection. Messages and refreshes are not retried in these cases:
/// they may have been delivered, and a repetition could replace the claims of a later refresh.
///
/// The delay doubles before each retry. Up to half of the delay is removed at random, so that callers do
/// not retry in step. `Retry-After` takes precedence; a value above the maximum delay ends the retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Retries {
    times: u32,
    delay: Duration,
    max_delay: Duration,
    grows: bool,
}

impl Default for Retries {
    /// Three retries, the first after 250 ms, with delays of at most 10 s.
    fn default() -> Self {
        Self {
            times: 3,
            delay: Duration::from_millis(250),
            max_delay: Duration::from_secs(10),
            grows: true,
        }
    }
}

impl Retries {
    /// Disables retries.
    pub fn none() -> Self {
        Self { times: 0, ..Self::default() }
    }

    /// Sets the maximum number of retries.
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Sets the delay before the first retry. The delay doubles before each further retry.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Uses the same delay before each retry, instead of doubling it.
    pub fn fixed(mut self) -> Self {
        self.grows = false;
        self
    }

    /// Sets the maximum delay.
    pub fn max_delay(mut self, max_delay: Duration) -> Self {
        self.max_delay = max_delay;
        self
    }

    /// The delay before the next attempt; `None` to give up. `attempts` is the number of attempts so far,
    /// `random` returns a number from 0 to 1, and `now` is in seconds since 1970.
    pub(super) fn wait(
        &self,
        attempts: u32,
        outcome: &Result<Response<Bytes>, SendError>,
        idempotency: Idempotency,
        random: impl FnOnce() -> f64,
        now: u64,
    ) -> Option<Duration> {
        if attempts > self.times || !may_repeat(outcome, idempotency) {
            return None;
        }
        if let Some(asked) = outcome.as_ref().ok().and_then(|answer| retry_after(answer, now)) {
            return (asked <= self.max_delay).then_some(asked);
        }
        let doublings = if self.grows { attempts.saturating_sub(1) } else { 0 };
        let doubled = 2_u32.saturating_pow(doublings);
        let delay = self.delay.saturating_mul(doubled).min(self.max_delay);
        // The subtracted part is at most half of the delay, so the subtraction cannot overflow.
        Some(delay - (delay / 2).mul_f64(random().clamp(0.0, 1.0)))
    }
}

/// Whether a call can be repeated when an earlier attempt may have taken effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Idempotency {
    /// A repetition has no further effect.
    Idempotent,
    /// A repetition may have a second effect, such as a second message.
    NotIdempotent,
}

fn may_repeat(outcome: &Result<Response<Bytes>, SendError>, idempotency: Idempotency) -> bool {
    let harmless = idempotency == Idempotency::Idempotent;
    match outcome {
        Err(SendError::Unreachable(_)) => true,
        Err(SendError::Interrupted(_) | SendError::TimedOut(_)) => harmless,
        Err(_) => false,
        Ok(answer) => match answer.status() {
            StatusCode::TOO_MANY_REQUESTS => true,
            // A service that sends Retry-After has not processed the call.
            StatusCode::SERVICE_UNAVAILABLE => {
                harmless || answer.headers().contains_key(http::header::RETRY_AFTER)
            }
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::GATEWAY_TIMEOUT => harmless,
            _ => false,
        },
    }
}

/// A random number from 0 to 1.
pub(super) fn random() -> f64 {
    // Without a random number the delay is not shortened.
    f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<Response<Bytes>, SendError>;

    fn status(status: u16, retry_after: &str) -> Outcome {
        let mut answer = Response::builder().status(status);
        if !retry_after.is_empty() {
            answer = answer.header("retry-after", retry_after);
        }
        Ok(answer.body(Bytes::new()).unwrap())
    }

    fn wait(outcome: &Outcome, idempotency: Idempotency) -> Option<Duration> {
        Retries::default().wait(1, outcome, idempotency, || 0.0, 0)
    }

    #[test]
    fn waits_double_up_to_the_longest_and_lose_up_to_a_half_at_random() {
        let retries = Retries::default().times(9).max_delay(Duration::from_secs(1));
        let after = |attempts, random| {
            let waited =
                retries.wait(attempts, &status(429, ""), Idempotency::NotIdempotent, || random, 0);
            waited.unwrap().as_millis()
        };

        assert_eq!(
            [1, 2, 3, 4, 9].map(|attempts| after(attempts, 0.0)),
            [250, 500, 1000, 1000, 1000]
        );
        assert_eq!([1, 2, 3, 4, 9].map(|attempts| after(attempts, 1.0)), [125, 250, 500, 500, 500]);
        assert_eq!(retries.wait(10, &status(429, ""), Idempotency::NotIdempotent, || 0.0, 0), None);
        assert_eq!(
            Retries::none().wait(1, &status(429, ""), Idempotency::Idempotent, || 0.0, 0),
            None
        );
    }

    #[test]
    fn the_maximum_wait_is_accepted() {
        let retries = Retries::default().delay(Duration::MAX).max_delay(Duration::MAX);
        let after = |random| {
            retries.wait(1, &status(429, ""), Idempotency::NotIdempotent, || random, 0).unwrap()
        };

        assert_eq!(after(0.0), Duration::MAX);
        assert!((Duration::MAX / 4..Duration::MAX).contains(&after(1.0)));
    }

    #[test]
    fn fixed_waits_stay_the_same() {
        let retries = Retries::default().fixed();
        let after = |n| retries.wait(n, &status(429, ""), Idempotency::NotIdempotent, || 0.0, 0);

        assert_eq!([1, 2, 3].map(after), [Some(Duration::from_millis(250)); 3]);
    }

    #[test]
    fn retry_after_takes_precedence_and_a_long_one_ends_the_retries() {
        let seconds = Duration::from_secs;

        assert_eq!(wait(&status(429, "7"), Idempotency::NotIdempotent), Some(seconds(7)));
        assert_eq!(wait(&status(503, "10"), Idempotency::NotIdempotent), Some(seconds(10)));
        assert_eq!(wait(&status(429, "11"), Idempotency::Idempotent), None);
        assert_eq!(
            wait(&status(429, "soon"), Idempotency::NotIdempotent),
            Some(Duration::from_millis(250))
        );
    }

    #[test]
    fn calls_that_may_have_happened_are_retried_only_if_idempotent() {
        let failed = || "x".into();
        let ambiguous: Vec<Outcome> = vec![
            Err(SendError::Interrupted(failed())),
            Err(SendError::TimedOut(Duration::ZERO)),
            status(408, ""),
            status(500, ""),
            status(502, ""),
            status(503, ""),
            status(504, ""),
        ];

        for outcome in &ambiguous {
            assert_eq!(wait(outcome, Idempotency::NotIdempotent), None, "{outcome:?}");
            assert!(wait(outcome, Idempotency::Idempotent).is_some(), "{outcome:?}");
        }
        assert!(wait(&Err(SendError::Unreachable(failed())), Idempotency::NotIdempotent).is_some());
    }

    #[test]
    fn permanent_failures_are_not_retried() {
        for code in [200, 202, 400, 401, 403, 404, 413, 501] {
            assert_eq!(wait(&status(code, "1"), Idempotency::Idempotent), None, "{code}");
        }
        assert_eq!(wait(&Err(SendError::ConnectionGone), Idempotency::Idempotent), None);
    }
}
