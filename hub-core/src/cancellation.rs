//! A cancellation token that works without an async runtime.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;

/// Signals to a running hub method that its result is not needed: the client has cancelled the call, or the service has
/// closed the connection of the upstream call before the response.
///
/// The runtime never aborts a started call. A method that wants to stop early checks the token. Clients of .NET 11 cancel a
/// call with the `CancellationToken` that they pass to `InvokeAsync`; `hub-local` and the embedded service support it.
#[derive(Default)]
pub struct Cancellation {
    /// Created on first use, because most methods never use their token.
    state: OnceLock<Arc<Mutex<State>>>,
}

impl fmt::Debug for Cancellation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cancellation({})", self.is_cancelled())
    }
}

#[derive(Default)]
struct State {
    fired: bool,
    waiting: Vec<Waker>,
}

impl Cancellation {
    /// Creates a token that is not cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the token is cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.state.get().is_some_and(|state| state.lock().fired)
    }

    /// Completes when the token is cancelled, or immediately if it is already cancelled.
    pub fn cancelled(&self) -> Cancelled {
        Cancelled { token: self.clone() }
    }

    /// Cancels the token. Repeated calls have no effect.
    pub fn cancel(&self) {
        let waiting = {
            let mut state = self.shared().lock();
            state.fired = true;
            std::mem::take(&mut state.waiting)
        };
        for waker in waiting {
            waker.wake();
        }
    }

    fn shared(&self) -> &Arc<Mutex<State>> {
        self.state.get_or_init(Arc::default)
    }
}

impl Clone for Cancellation {
    /// Another handle of the same token.
    fn clone(&self) -> Self {
        Self { state: Arc::clone(self.shared()).into() }
    }
}

/// The future of [`Cancellation::cancelled`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Cancelled {
    token: Cancellation,
}

impl Future for Cancelled {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.token.shared().lock();
        if state.fired {
            return Poll::Ready(());
        }
        if !state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[test]
    fn a_waiting_future_completes_on_cancellation() {
        let token = Cancellation::new();
        let mut waiting = pin!(token.cancelled());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut cx).is_pending());

        token.cancel();

        assert!(waiting.as_mut().poll(&mut cx).is_ready());
        assert!(token.is_cancelled());
    }

    #[test]
    fn clones_share_the_state_of_a_token_that_was_not_used_before() {
        let token = Cancellation::new();
        let clone = token.clone();

        token.cancel();

        assert!(clone.is_cancelled() && clone.clone().is_cancelled());
        assert!(!Cancellation::new().is_cancelled());
    }
}
