//! One runtime for all inputs. Its clock is paused.

use std::{cell::LazyCell, time::Duration};

use hub_core::Secret;
use tokio::runtime::{Builder, Runtime};

/// The key of the services here. A made-up one: nothing else has it.
pub(crate) const KEY: &str = "a-made-up-key-of-the-fuzz-targets-0123456789";
/// A key that no service here accepts.
pub(crate) const FOREIGN_KEY: &str = "another-made-up-key-that-nobody-believes-012";
/// Later than any clock here comes: the paused one runs ahead, by minutes an input.
pub(crate) const NEVER: u64 = 100_000_000_000;

thread_local! {
    static RUNTIME: LazyCell<Runtime> = LazyCell::new(|| {
        Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
    });
}

/// Runs a future to its end.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// Lets every task that can run do so: paused time moves when none can any more.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

pub(crate) fn key() -> Secret {
    Secret::from(KEY)
}
