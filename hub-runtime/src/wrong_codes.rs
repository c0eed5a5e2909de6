//! Responses to upstream calls with a wrong code.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::RETRY_AFTER};
use hub_net::log_limit::LogLimit;
use tokio::{sync::Semaphore, time::sleep};

use crate::answer::text;

/// How long a caller waits for the refusal, so that guesses on one connection are slow.
const DELAY: Duration = Duration::from_secs(1);
/// The largest number of waiting callers. Calls with the right code never wait.
const MAX_WAITING: usize = 256;

/// Counts wrong codes and slows down their callers.
#[derive(Debug)]
pub(crate) struct WrongCodes {
    count: AtomicU64,
    waiting: Semaphore,
    log: LogLimit,
}

impl Default for WrongCodes {
    fn default() -> Self {
        let waiting = Semaphore::new(MAX_WAITING);
        Self { count: AtomicU64::new(0), waiting, log: LogLimit::new(1) }
    }
}

impl WrongCodes {
    /// The number of wrong codes so far.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Counts a wrong code, and responds after a delay. Above the largest number of waiting callers, responds
    /// at once with status 429.
    pub(crate) async fn refuse(&self) -> Response<Bytes> {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        self.log.line("code", |omitted| {
            tracing::warn!(
                count,
                omitted,
                "upstream call without the configured code: compare `?code=` in the upstream URL of the service with upstream_code(…) or HUB_UPSTREAM_CODE"
            );
        });
        let Ok(_waiting) = self.waiting.try_acquire() else {
            let mut answer =
                text(StatusCode::TOO_MANY_REQUESTS, "too many calls with a wrong code");
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            return answer;
        };
        sleep(DELAY).await;
        text(StatusCode::UNAUTHORIZED, "the query parameter `code` is missing or wrong")
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wrong_code_is_counted_and_answered_a_second_later() {
        let codes = WrongCodes::default();
        let begun = Instant::now();

        for number in 1..=3 {
            assert_eq!(codes.refuse().await.status(), StatusCode::UNAUTHORIZED);
            assert_eq!((codes.count(), begun.elapsed()), (number, DELAY * number as u32));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn callers_above_the_bound_do_not_wait() {
        let codes = WrongCodes::default();
        let begun = Instant::now();

        let answers = join_all((0..MAX_WAITING + 5).map(|_| codes.refuse())).await;

        let refused = |status| answers.iter().filter(|answer| answer.status() == status).count();
        assert_eq!(refused(StatusCode::UNAUTHORIZED), MAX_WAITING);
        assert_eq!(refused(StatusCode::TOO_MANY_REQUESTS), 5);
        assert_eq!(begun.elapsed(), DELAY);
    }
}
