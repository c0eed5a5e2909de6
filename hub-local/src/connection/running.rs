//! The events of one connection that run, and which of them the client has cancelled. The lock is that of the queue:
//! a cancel finds a call either in the queue or here.

use std::task::Waker;

use crate::upstream::cancel::CallCancel;

/// The number of upstream requests of one connection that cancels may end in a [`WINDOW`]. The app goes on with the
/// method of an ended request, beside the next call. Without a limit, a client could have any number of methods run
/// at once.
const MAX_ENDED: u8 = 16;
/// In seconds.
const WINDOW: u64 = 10;

/// Identifies a running event of a connection. It is used again after the end of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lane(u8);

#[cfg(test)]
impl Lane {
    pub(super) const FIRST: Self = Self(0);
}

/// The running events, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Running {
    events: Vec<RunningEvent>,
    /// The current window, and the number of requests that were ended in it.
    window: u32,
    ended: u8,
}

#[derive(Debug)]
struct RunningEvent {
    lane: Lane,
    /// `None` if the client expects no completion, so that it cannot cancel the event.
    invocation_id: Option<String>,
    state: State,
    /// The task of the lane, while it waits for the upstream.
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Runs,
    /// The client has its completion. The method runs to its end, and its result is dropped.
    Cancelled,
    /// As above, and the request to the app may be ended.
    Ended,
}

/// How an event ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finished {
    /// The client waits for the completion.
    Completes,
    /// The client has cancelled the call, and has its completion.
    Cancelled,
}

impl Running {
    /// An event begins.
    pub(super) fn begin(&mut self, invocation_id: Option<&str>) -> Lane {
        // At most as many as there are lanes, so a number is free.
        let is_free = |number: &u8| self.events.iter().all(|event| event.lane.0 != *number);
        let lane = Lane((0..=u8::MAX).find(is_free).unwrap_or_default());
        let invocation_id = invocation_id.map(str::to_owned);
        self.events.push(RunningEvent { lane, invocation_id, state: State::Runs, waker: None });
        lane
    }

    /// The event that began last: if the client is asked for a result, its method is most likely the one that asks.
    pub(super) fn newest(&self) -> Option<Lane> {
        self.events.last().map(|event| event.lane)
    }

    /// Cancels the oldest call with this id that is not cancelled. `now` is a time in seconds. Returns whether there is
    /// one, and the task to wake.
    pub(super) fn cancel(&mut self, invocation_id: &str, now: u64) -> (bool, Option<Waker>) {
        let has_id = |event: &RunningEvent| {
            event.state == State::Runs && event.invocation_id.as_deref() == Some(invocation_id)
        };
        let Some(index) = self.events.iter().position(has_id) else { return (false, None) };
        let ends = self.may_end(now);
        let Some(event) = self.events.get_mut(index) else { return (false, None) };
        event.state = if ends { State::Ended } else { State::Cancelled };
        (true, event.waker.take())
    }

    /// Whether one more request may be ended now.
    fn may_end(&mut self, now: u64) -> bool {
        let window = u32::try_from(now / WINDOW).unwrap_or(u32::MAX);
        if window != self.window {
            (self.window, self.ended) = (window, 0);
        }
        let may = self.ended < MAX_ENDED;
        self.ended += u8::from(may);
        may
    }

    /// Stores the task of a call that waits for the upstream, unless the call is cancelled. Returns whether it is.
    pub(super) fn waits(&mut self, lane: Lane, waker: &Waker, cancel: &CallCancel) -> bool {
        let Some(event) = self.events.iter_mut().find(|event| event.lane == lane) else {
            return false;
        };
        match event.state {
            State::Runs => match &mut event.waker {
                Some(known) => known.clone_from(waker),
                none => *none = Some(waker.clone()),
            },
            State::Cancelled => cancel.set(false),
            State::Ended => cancel.set(true),
        }
        event.state != State::Runs
    }

    /// An event has ended.
    pub(super) fn finish(&mut self, lane: Lane) -> Finished {
        let index = self.events.iter().position(|event| event.lane == lane);
        match index.map(|index| self.events.remove(index).state) {
            None | Some(State::Runs) => Finished::Completes,
            Some(State::Cancelled | State::Ended) => Finished::Cancelled,
        }
    }

    /// Frees the memory: most connections are idle most of the time.
    pub(super) fn shrink(&mut self) {
        if self.events.is_empty() {
            self.events = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancel_finds_the_oldest_running_call_with_its_id_once() {
        let mut running = Running::default();
        let [first, send, second] = [Some("7"), None, Some("7")].map(|id| running.begin(id));
        assert_eq!(running.newest(), Some(second));

        assert!(!running.cancel("8", 0).0 && !running.cancel("", 0).0);
        assert!(running.cancel("7", 0).0);
        assert_eq!(running.finish(first), Finished::Cancelled);
        assert_eq!(running.finish(send), Finished::Completes);
        assert!(running.cancel("7", 0).0);
        assert!(!running.cancel("7", 0).0);
        assert_eq!(running.finish(second), Finished::Cancelled);

        assert_eq!(running.begin(Some("7")), first, "numbers of lanes are used again");
        assert_eq!(running.finish(first), Finished::Completes);
    }

    #[test]
    fn sixteen_requests_are_ended_in_ten_seconds() {
        let mut running = Running::default();
        let mut is_ended = |now| {
            let lane = running.begin(Some("7"));
            assert!(running.cancel("7", now).0);
            let cancel = CallCancel::default();
            assert!(running.waits(lane, Waker::noop(), &cancel) && cancel.is_cancelled());
            assert_eq!(running.finish(lane), Finished::Cancelled);
            cancel.ends_request()
        };

        assert_eq!((0..20).filter(|_| is_ended(105)).count(), 16);
        assert!(is_ended(110));
        assert!(is_ended(1 << 60));
    }
}
