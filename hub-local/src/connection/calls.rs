//! The queue of upstream calls of one connection.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    task::{Poll, Waker},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{
    client_results::ClientResults,
    departed::DepartedBudget,
    ending::Ending,
    running::{Finished, Lane, Running},
};
use crate::{
    limits::Limits,
    upstream::{
        call::Call,
        cancel::CallCancel,
        permits::{Permit, Permits},
    },
};

/// The maximum number of upstream calls of one connection that run at once.
const MAX_LANES: usize = 16;

/// An event to deliver upstream.
#[derive(Debug)]
pub(crate) enum UpstreamEvent {
    Connected,
    Call(Call),
    Disconnected { error: Option<String> },
}

impl UpstreamEvent {
    /// The id of a call whose client expects a completion.
    fn invocation_id(&self) -> Option<&str> {
        match self {
            Self::Call(call) => call.invocation_id.as_deref(),
            Self::Connected | Self::Disconnected { .. } => None,
        }
    }

    /// The memory that a queued event uses.
    fn size(&self) -> usize {
        let owned = match self {
            Self::Call(call) => call.size(),
            Self::Disconnected { error } => error.as_ref().map_or(0, String::capacity),
            Self::Connected => 0,
        };
        size_of::<Self>() + owned
    }
}

/// The queue of one connection. Its events go upstream in order, one at a time. While a running method asks the
/// client for a result, the next events go upstream too: a client may call the hub before it completes the
/// result. Each event that runs has a lane. A call that the client cancels never goes upstream if it waits here.
#[derive(Debug, Default)]
pub(crate) struct CallQueue {
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<UpstreamEvent>,
    bytes: usize,
    lanes: usize,
    running: Running,
    /// Bytes taken from the [`DepartedBudget`].
    charged: usize,
}

enum Backpressure {
    None,
    Full,
    DoubleFull,
}

/// What the task of a lane does next.
#[derive(Debug)]
pub(super) enum Next<'a> {
    /// `disconnected` has no permit: its lane waits for it.
    Deliver(UpstreamEvent, Lane, Option<Permit<'a>>),
    /// Wait for a permit for an event of this size.
    Wait(usize),
    End,
}

impl Queue {
    /// Whether the next event can go upstream in one more lane.
    fn open_lane(&mut self, results: &ClientResults) -> bool {
        let allowed = (results.nested() + 1).min(MAX_LANES);
        let opens = self.lanes < allowed;
        self.lanes += usize::from(opens);
        opens
    }

    fn close_lane(&mut self, budget: &DepartedBudget) {
        self.lanes -= 1;
        if self.lanes == 0 {
            budget.give_back(std::mem::take(&mut self.charged));
        }
    }
}

impl CallQueue {
    /// The running event that began last.
    pub(super) fn newest(&self) -> Option<Lane> {
        self.queue.lock().running.newest()
    }

    /// The client cancels a call. A call that waits is removed. Returns whether there was a call to cancel: it then gets
    /// no other completion. `now` is a time in seconds.
    pub(super) fn cancel(&self, invocation_id: &str, now: u64) -> bool {
        let mut queue = self.queue.lock();
        let (is_running, waker) = queue.running.cancel(invocation_id, now);
        if is_running {
            drop(queue);
            waker.into_iter().for_each(Waker::wake);
            return true;
        }
        let has_id = |event: &UpstreamEvent| matches!(event, UpstreamEvent::Call(call) if call.invocation_id.as_deref() == Some(invocation_id));
        let Some(index) = queue.waiting.iter().position(has_id) else { return false };
        let removed = queue.waiting.remove(index);
        queue.bytes -= removed.as_ref().map_or(0, UpstreamEvent::size);
        true
    }

    /// Polls an upstream call to its end. When the client cancels the call, sets `cancel` and polls again.
    pub(super) async fn run<F: Future>(
        &self,
        lane: Lane,
        cancel: &CallCancel,
        mut calling: Pin<&mut F>,
    ) -> F::Output {
        poll_fn(|context| {
            loop {
                if let Poll::Ready(answer) = calling.as_mut().poll(context) {
                    return Poll::Ready(answer);
                }
                if cancel.is_cancelled() {
                    return Poll::Pending;
                }
                let is_cancelled = self.queue.lock().running.waits(lane, context.waker(), cancel);
                if !is_cancelled {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    /// An event has ended. Returns whether its client waits for the completion.
    pub(super) fn finish(&self, lane: Lane, results: &ClientResults) -> bool {
        let finished = self.queue.lock().running.finish(lane);
        if finished == Finished::Cancelled {
            results.release(lane);
        }
        finished == Finished::Completes
    }

    /// A client result begins. Wakes a reader that waits for room, because the reader must receive the
    /// completion. Returns whether the caller must start a lane for calls that wait.
    pub(super) fn begin_result(&self, results: &ClientResults) -> bool {
        self.changed.notify_one();
        let mut queue = self.queue.lock();
        !queue.waiting.is_empty() && queue.open_lane(results)
    }

    /// Whether an event can be queued without waiting.
    pub(super) fn has_room(&self, limits: &Limits) -> bool {
        matches!(self.backpressure(limits), Backpressure::None)
    }

    fn backpressure(&self, limits: &Limits) -> Backpressure {
        let (messages, bytes) = (limits.max_queue_messages, limits.max_queue_bytes);
        let queue = self.queue.lock();
        let filled = |times: usize| {
            queue.waiting.len() >= messages.saturating_mul(times)
                || queue.bytes >= bytes.saturating_mul(times)
        };
        match (filled(1), filled(2)) {
            (_, true) => Backpressure::DoubleFull,
            (true, false) => Backpressure::Full,
            (false, false) => Backpressure::None,
        }
    }

    /// Waits for room in the queue. While a client result of this connection is pending, the limits are
    /// doubled and this function does not wait, because the client may send the completion after further
    /// calls.
    ///
    /// # Errors
    /// When the doubled limits are reached.
    pub(super) async fn wait_for_room(
        &self,
        limits: &Limits,
        results: &ClientResults,
    ) -> Result<(), Ending> {
        loop {
            match self.backpressure(limits) {
                Backpressure::None => return Ok(()),
                Backpressure::DoubleFull if results.any() => {
                    return Err(Ending::too_many_waiting());
                }
                Backpressure::Full if results.any() => return Ok(()),
                Backpressure::Full | Backpressure::DoubleFull => self.changed.notified().await,
            }
        }
    }

    /// Queues an event. Returns whether the caller must start a lane.
    pub(super) fn push(&self, mut event: UpstreamEvent, results: &ClientResults) -> bool {
        let mut queue = self.queue.lock();
        let opens = queue.open_lane(results);
        if let (false, UpstreamEvent::Call(call)) = (opens, &mut event) {
            call.detach();
        }
        queue.bytes += event.size();
        queue.waiting.push_back(event);
        opens
    }

    /// The next event of a lane. `permit` is what the lane has waited for; without one, an event is taken only
    /// if a permit is free, so an event that waits for a permit stays in the queue and counts.
    pub(super) fn next<'a>(
        &self,
        results: &ClientResults,
        budget: &DepartedBudget,
        permits: &'a Permits,
        permit: Option<Permit<'a>>,
    ) -> Next<'a> {
        let mut queue = self.queue.lock();
        // An event of the same connection that still runs keeps its lane, which takes the next event.
        let is_surplus = queue.lanes > results.nested() + 1;
        let is_last = matches!(queue.waiting.front(), Some(UpstreamEvent::Disconnected { .. }));
        if is_surplus || is_last && queue.lanes > 1 {
            queue.close_lane(budget);
            return Next::End;
        }
        let Some(size) = queue.waiting.front().map(UpstreamEvent::size) else {
            queue.close_lane(budget);
            // Free the buffers: most connections are idle most of the time.
            queue.waiting = VecDeque::new();
            queue.running.shrink();
            return Next::End;
        };
        let permit = if is_last {
            None
        } else {
            let permit = permit.filter(|permit| permits.suffices(permit, size));
            let permit = permit.or_else(|| permits.try_get(size));
            if permit.is_none() {
                if let Some(UpstreamEvent::Call(call)) = queue.waiting.front_mut() {
                    call.detach();
                }
                return Next::Wait(size);
            }
            permit
        };
        let Some(event) = queue.waiting.pop_front() else { return Next::End };
        queue.bytes -= size;
        if queue.charged > 0 {
            let size = size.min(queue.charged);
            queue.charged -= size;
            budget.give_back(size);
        }
        let lane = queue.running.begin(event.invocation_id());
        drop(queue);
        self.changed.notify_one();
        Next::Deliver(event, lane, permit)
    }

    /// The client has gone. Keeps the events that fit in the budget, the oldest first, and drops the calls
    /// after them. `own` is the memory of the connection itself. Returns the number of dropped calls, or
    /// `None` if the app must not be told about the end: it has not been told about the connection, and never
    /// will be.
    pub(super) fn depart(&self, own: usize, budget: &DepartedBudget) -> Option<usize> {
        let mut queue = self.queue.lock();
        let is_unknown = matches!(queue.waiting.front(), Some(UpstreamEvent::Connected));
        let fits = budget.take(own);
        if !fits && is_unknown {
            (queue.waiting, queue.bytes) = (VecDeque::new(), 0);
            return None;
        }
        queue.charged = if fits { own } else { 0 };
        let fitting =
            queue.waiting.iter().map(UpstreamEvent::size).take_while(|size| budget.take(*size));
        let (kept, bytes) = fitting.fold((0, 0), |(kept, bytes), size| (kept + 1, bytes + size));
        queue.charged += bytes;
        // `connected` goes upstream in any case.
        let dropped = queue.waiting.split_off(kept.max(usize::from(is_unknown)));
        queue.bytes -= dropped.iter().map(UpstreamEvent::size).sum::<usize>();
        Some(dropped.len())
    }
}

#[cfg(test)]
mod tests;
