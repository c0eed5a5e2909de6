//! Time does not pass.

pub(crate) use std::time::Instant;
use std::{convert::Infallible, time::Duration};

/// Waits without an end.
pub(crate) async fn timeout<F: Future>(_: Duration, future: F) -> Result<F::Output, Infallible> {
    Ok(future.await)
}
