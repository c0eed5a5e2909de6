//! The tokio runtime that runs all inputs, with a paused clock.

use std::{cell::LazyCell, time::Duration};

use hub_core::Secret;
use tokio::runtime::{Builder, Runtime};

/// The access key of the services. Only the fuzz targets use it.
pub(crate) const KEY: &str = "a-made-up-key-of-the-fuzz-targets-0123456789";
/// A key that no service accepts.
pub(crate) const FOREIGN_KEY: &str = "another-made-up-key-that-is-not-accepted-012";
/// An expiry time, in seconds since 1970, that the clock never reaches. The paused clock advances by minutes
/// per input.
pub(crate) const NEVER: u64 = 100_000_000_000;

thread_local! {
    static RUNTIME: LazyCell<Runtime> = LazyCell::new(|| {
        Builder::new_current_thread().enable_time().start_paused(true).build().expect("the runtime is created")
    });
}

/// Runs a future to completion.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// Waits until all tasks are idle, because paused time advances only then.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

pub(crate) fn key() -> Secret {
    Secret::from(KEY)
}
