//! The events of one connection that run, and which of them the client has cancelled. They are part of the queue and have
//! its lock, because a call that is cancelled may be moving from one to the other.

use std::task::Waker;

use super::ended_requests::{Budget, EndedRequests};

/// Identifies a running event of a connection. It is used again after the end of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lane(u8);

impl Lane {
    /// The lane as a bit: at most 16 events run at once.
    pub(super) fn bit(self) -> u16 {
        1_u16.checked_shl(u32::from(self.0)).unwrap_or_default()
    }
}

/// The running events, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Running {
    events: Vec<RunningEvent>,
    ended: Budget,
}

#[derive(Debug)]
struct RunningEvent {
    lane: Lane,
    /// `None` if the client expects no completion, so that it cannot cancel the event.
    invocation_id: Option<String>,
    /// Whether the client has cancelled the event. It has its completion, and the result of the method is dropped.
    is_cancelled: bool,
    /// The task of the lane, while it waits for the upstream.
    waker: Option<Waker>,
}

impl RunningEvent {
    fn is_awaited(&self) -> bool {
        self.invocation_id.is_some() && !self.is_cancelled
    }
}

impl Running {
    /// An event begins.
    pub(super) fn begin(&mut self, invocation_id: Option<&str>) -> Lane {
        // At most as many as there are lanes, so a number is free.
        let is_free = |number: &u8| self.events.iter().all(|event| event.lane.0 != *number);
        let lane = Lane((0..=u8::MAX).find(is_free).unwrap_or_default());
        let invocation_id = invocation_id.map(str::to_owned);
        self.events.push(RunningEvent { lane, invocation_id, is_cancelled: false, waker: None });
        lane
    }

    /// Whether any event runs.
    pub(super) fn any(&self) -> bool {
        !self.events.is_empty()
    }

    /// Whether a call runs whose client waits for the completion.
    pub(super) fn any_awaited(&self) -> bool {
        self.events.iter().any(RunningEvent::is_awaited)
    }

    /// The lanes of the running events, each as a bit.
    pub(super) fn lanes(&self) -> u16 {
        self.events.iter().fold(0, |lanes, event| lanes | event.lane.bit())
    }

    /// Cancels the oldest call with this id that is not cancelled. Returns whether there is one, and the task to wake.
    pub(super) fn cancel(&mut self, invocation_id: &str) -> (bool, Option<Waker>) {
        let has_id = |event: &&mut RunningEvent| {
            event.is_awaited() && event.invocation_id.as_deref() == Some(invocation_id)
        };
        let Some(event) = self.events.iter_mut().find(has_id) else { return (false, None) };
        event.is_cancelled = true;
        (true, event.waker.take())
    }

    /// Whether one more request of the connection may be ended now.
    pub(super) fn may_end(&mut self, service: &EndedRequests, now: u64) -> bool {
        service.take(&mut self.ended, now)
    }

    /// Stores the task of a call that waits for the upstream, unless the call is cancelled. Returns whether it is.
    pub(super) fn waits(&mut self, lane: Lane, waker: &Waker) -> bool {
        let Some(event) = self.events.iter_mut().find(|event| event.lane == lane) else {
            return false;
        };
        if !event.is_cancelled {
            match &mut event.waker {
                Some(known) => known.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
        }
        event.is_cancelled
    }

    /// An event has ended. Returns whether the client waits for a completion: a cancelled call has its completion.
    pub(super) fn finish(&mut self, lane: Lane) -> bool {
        let index = self.events.iter().position(|event| event.lane == lane);
        index.is_none_or(|index| !self.events.remove(index).is_cancelled)
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
        assert_eq!(running.lanes(), 0b111);

        assert!(!running.cancel("8").0 && !running.cancel("").0);
        assert!(running.cancel("7").0);
        assert!(!running.finish(first));
        assert!(running.finish(send) && running.any_awaited());
        assert!(running.cancel("7").0);
        assert!(!running.cancel("7").0 && !running.any_awaited());
        assert!(!running.finish(second) && !running.any());

        assert_eq!(running.begin(Some("7")), first, "numbers of lanes are used again");
        assert!(running.finish(first));
    }
}
