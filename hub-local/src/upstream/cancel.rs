//! Whether the client has cancelled a call.

use std::sync::atomic::{AtomicU8, Ordering};

const CANCELLED: u8 = 1;
const ENDS_REQUEST: u8 = 2;

/// Whether the client has cancelled a call. The service sets it and then polls the future of the call, so an upstream
/// that reads it in each poll needs no waker of its own.
#[derive(Debug, Default)]
#[doc(hidden)]
pub struct CallCancel(AtomicU8);

impl CallCancel {
    /// Whether the client has cancelled the call. It has its completion, and the response to the call is dropped.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        // Relaxed: the task that sets it polls the future.
        self.0.load(Ordering::Relaxed) >= CANCELLED
    }

    /// Whether a request to another process may be ended, so that the connection's next call does not wait for it. The
    /// service limits how many requests are ended.
    #[must_use]
    pub fn ends_request(&self) -> bool {
        self.0.load(Ordering::Relaxed) == ENDS_REQUEST
    }

    /// The client has cancelled the call.
    pub(crate) fn cancel(&self) {
        self.0.store(CANCELLED, Ordering::Relaxed);
    }

    /// The request of the cancelled call may be ended.
    pub(crate) fn end_request(&self) {
        self.0.store(ENDS_REQUEST, Ordering::Relaxed);
    }
}
