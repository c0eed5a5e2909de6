//! The timeout of a request head, with the idle time before it.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::{Instant, Sleep};

use crate::standstill::fired_late;

/// Since when a connection waits for the head of a request. One timer serves all requests of the connection: it is
/// not set for each of them, but looks at this value when it fires.
#[derive(Debug)]
pub(super) struct HeadTimeout {
    timeout: Duration,
    /// Shared between futures of one task, so the lock is always free.
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    WaitsSince(Instant),
    /// A request is being answered.
    Busy,
    /// hyper has the connection and a timer of its own.
    Over,
}

impl HeadTimeout {
    /// The connection waits from now on.
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout, state: Mutex::new(State::WaitsSince(Instant::now())) }
    }

    /// Whether the connection waits for a head.
    pub(super) fn is_running(&self) -> bool {
        matches!(*self.state.lock(), State::WaitsSince(_))
    }

    /// The connection waits for a head from now on.
    pub(super) fn wait(&self) {
        *self.state.lock() = State::WaitsSince(Instant::now());
    }

    /// The head of a request has arrived.
    pub(super) fn arrived(&self) {
        *self.state.lock() = State::Busy;
    }

    /// The connection waits with another timer. Returns since when it waits; `None` if a head has arrived.
    pub(super) fn end(&self) -> Option<Instant> {
        match std::mem::replace(&mut *self.state.lock(), State::Over) {
            // After a standstill of the process the time starts again.
            State::WaitsSince(since) if since.checked_add(self.timeout).is_some_and(fired_late) => {
                Some(Instant::now())
            }
            State::WaitsSince(since) => Some(since),
            State::Busy | State::Over => None,
        }
    }

    /// Ready when no head has arrived in time. After a standstill of the process the time starts again. The caller has
    /// polled the socket before.
    pub(super) fn poll(&self, mut timer: Pin<&mut Sleep>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        while *state != State::Over {
            ready!(timer.as_mut().poll(context));
            let now = Instant::now();
            let since = match &mut *state {
                State::WaitsSince(since) => {
                    if fired_late(timer.deadline()) {
                        *since = now;
                    }
                    *since
                }
                State::Busy | State::Over => now,
            };
            // A time that no clock can represent does not pass.
            let Some(deadline) = since.checked_add(self.timeout) else { return Poll::Pending };
            if deadline <= now {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}
