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
    client_results::{ClientResults, PendingResult},
    departed::DepartedBudget,
    ended_requests::EndedRequests,
    ending::Ending,
    running::{Lane, Running},
};
use crate::{
    limits::Limits,
    upstream::{
        call::Call,
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

/// The call that a client has cancelled.
#[derive(Debug)]
pub(super) enum Cancelled {
    /// No `invoke` of this id waits or runs: it may just have completed.
    Unknown,
    Waiting(Call),
    Running,
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
    /// Whether an event is running.
    pub(super) fn is_busy(&self) -> bool {
        self.queue.lock().running.any()
    }

    /// The client cancels a call. The call gets no other completion. A call that waits is removed.
    pub(super) fn cancel(&self, invocation_id: &str) -> Cancelled {
        let mut queue = self.queue.lock();
        let (is_running, waker) = queue.running.cancel(invocation_id);
        if is_running {
            drop(queue);
            waker.into_iter().for_each(Waker::wake);
            return Cancelled::Running;
        }
        let has_id = |event: &UpstreamEvent| event.invocation_id() == Some(invocation_id);
        let index = queue.waiting.iter().position(has_id);
        match index.and_then(|index| queue.waiting.remove(index)) {
            Some(UpstreamEvent::Call(call)) => {
                queue.bytes -= size_of::<UpstreamEvent>() + call.size();
                Cancelled::Waiting(call)
            }
            _ => Cancelled::Unknown,
        }
    }

    /// Polls an upstream call until its end. `None` when the client cancels it.
    pub(super) async fn run<F: Future>(
        &self,
        lane: Lane,
        mut calling: Pin<&mut F>,
    ) -> Option<F::Output> {
        poll_fn(|context| match calling.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if self.queue.lock().running.waits(lane, context.waker()) => {
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Whether the request of a cancelled call may be ended now, a time in milliseconds.
    pub(super) fn may_end(&self, service: &EndedRequests, now: u64) -> bool {
        self.queue.lock().running.may_end(service, now)
    }

    /// An event has ended. Returns whether its client waits for the completion.
    pub(super) fn finish(&self, lane: Lane, results: &ClientResults) -> bool {
        let mut queue = self.queue.lock();
        let is_awaited = queue.running.finish(lane);
        results.finished(lane.bit());
        is_awaited
    }

    /// Begins a client result, unless the connection is ending. Wakes a reader that waits for room, because the reader must
    /// receive the completion. The second value is whether the caller must start a lane for calls that wait.
    pub(super) fn begin_result<'a>(
        &self,
        results: &'a ClientResults,
    ) -> Option<(PendingResult<'a>, bool)> {
        let mut queue = self.queue.lock();
        let pending = results.begin(queue.running.lanes())?;
        let opens = !queue.waiting.is_empty() && queue.open_lane(results);
        drop(queue);
        self.changed.notify_one();
        Some((pending, opens))
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
    /// calls. The limits are also doubled while an `invoke` runs, because the client may cancel it.
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
                Backpressure::Full if results.any() || self.is_awaited() => return Ok(()),
                Backpressure::Full | Backpressure::DoubleFull => self.changed.notified().await,
            }
        }
    }

    /// Whether a call runs whose client waits for the completion.
    fn is_awaited(&self) -> bool {
        self.queue.lock().running.any_awaited()
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

    /// The next event of a lane. `permit` is one that the lane has waited for, or kept from its last call; without one, an event is taken only
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
