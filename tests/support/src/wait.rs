//! Waiting with a timeout.

use std::time::Duration;

/// Long enough for slow machines. Only failing tests wait this long.
pub const TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// Waits for a future to complete.
///
/// # Panics
/// Panics after [`TIMEOUT`].
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(TIMEOUT, future).await.unwrap_or_else(|_| panic!("timed out: {what}"))
}

/// Waits for a condition that another task fulfils. Takes no real time while tokio's clock is
/// paused.
///
/// # Panics
/// Panics after [`TIMEOUT`].
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    within(what, async {
        while !condition() {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    })
    .await;
}

/// Like [`until`], for conditions that need no description.
///
/// # Panics
/// Panics after [`TIMEOUT`].
pub async fn eventually(condition: impl FnMut() -> bool) {
    until("the condition", condition).await;
}
