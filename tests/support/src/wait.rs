//! Waiting with a limit.

use std::time::Duration;

/// Long enough for the slowest machine. A test that passes never waits this long.
pub const TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// Waits for a future.
///
/// # Panics
/// After [`TIMEOUT`].
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(TIMEOUT, future).await.unwrap_or_else(|_| panic!("timed out: {what}"))
}

/// Waits for a condition that another task makes true. Costs no real time while tokio's clock is paused.
///
/// # Panics
/// After [`TIMEOUT`].
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    within(what, async {
        while !condition() {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    })
    .await;
}

/// [`until`] for conditions that explain themselves.
///
/// # Panics
/// After [`TIMEOUT`].
pub async fn eventually(condition: impl FnMut() -> bool) {
    until("the condition", condition).await;
}
