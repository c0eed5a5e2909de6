//! Repetitions of the POST requests of Server-Sent Events and long polling: HTTP libraries send a request again
//! when its response is lost (`OkHttp`, `retryOnConnectionFailure`).

use std::{
    collections::VecDeque,
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

use tokio::time::Instant;

/// The maximum number of remembered requests.
const MAX_REMEMBERED: usize = 16;
/// How long a request is remembered.
const WINDOW: Duration = Duration::from_secs(30);

/// The recent requests of one connection that contain an invocation with an id. Other requests cannot be told
/// from new requests with the same content.
#[derive(Debug, Default)]
pub(super) struct Posts {
    hasher: RandomState,
    /// The hash of the current request.
    current: u64,
    recent: VecDeque<(u64, Instant)>,
}

impl Posts {
    /// Begins a request. Returns whether it repeats a remembered request.
    pub(super) fn begin(&mut self, body: &[u8]) -> bool {
        self.current = self.hasher.hash_one(body);
        self.recent.iter().any(|(hash, at)| *hash == self.current && at.elapsed() < WINDOW)
    }

    /// Remembers the current request, because it contains an invocation with an id.
    pub(super) fn remember(&mut self) {
        if self.recent.back().is_some_and(|(hash, _)| *hash == self.current) {
            return;
        }
        if self.recent.len() == MAX_REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back((self.current, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_remembered_request_is_a_repetition_for_thirty_seconds() {
        let mut posts = Posts::default();
        assert!(!posts.begin(b"a"));
        posts.remember();
        assert!(!posts.begin(b"b"));

        assert!(posts.begin(b"a") && !posts.begin(b"b"));
        tokio::time::advance(WINDOW).await;
        assert!(!posts.begin(b"a"));
    }

    #[tokio::test]
    async fn the_latest_sixteen_requests_are_remembered() {
        let mut posts = Posts::default();
        for number in 0..17 {
            assert!(!posts.begin(&[number]));
            posts.remember();
            posts.remember();
        }

        assert!(posts.begin(&[1]) && posts.begin(&[16]) && !posts.begin(&[0]));
        assert_eq!(posts.recent.len(), MAX_REMEMBERED);
    }
}
