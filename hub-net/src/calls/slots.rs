//! The calls of a connection that wait for their responses.

use std::{
    mem::{replace, take},
    task::Waker,
};

use bytes::Bytes;
use http::StatusCode;

use super::{
    BLOCKS, MAX_BLOCKS_BYTES, SLOT_BITS, SLOTS,
    frame::{Call, Frame},
    new_call::NewCall,
    outgoing::{HasOutgoing, Outgoing},
    slot,
};
use crate::BoxError;

/// Above this number of bytes that the app has not read, calls are HTTP/1.1 requests.
const MAX_WAITING_BYTES: usize = 1024 * 1024;
/// Ticks without a call after which a connection is closed.
const IDLE_TICKS: u32 = 10;
/// Ticks without a byte, while calls run, after which the app is sent a ping, and after which it gets no further calls on
/// this connection. Running calls wait until their own timeout.
const PING_TICKS: u32 = 10;
const QUIET_TICKS: u32 = 20;
/// Ticks after which a connection is replaced, so that another instance of the app behind the same address gets calls.
const AGE_TICKS: u32 = 60;

/// Why a call has no response.
#[derive(Debug)]
pub(crate) enum CallError {
    /// No byte of it was sent.
    Unsent,
    /// The connection has ended. The app may have run the call.
    Interrupted(BoxError),
    /// The response is larger than 16 MiB.
    TooLarge,
}

pub(super) type Outcome = Result<(StatusCode, Bytes), CallError>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// The app has not accepted the upgrade.
    #[default]
    Opening,
    Open,
    /// A replacement is wanted.
    Aged,
    /// No further calls. The connection is closed after the last response.
    Retired,
    Ended,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// Whether the last phase before the end was [`Phase::Retired`].
    pub(super) was_retired: bool,
    pub(super) outgoing: Outgoing,
    pub(super) slots: Vec<Slot>,
    pub(super) free: Vec<usize>,
    /// Calls without a response.
    pub(super) running: usize,
    /// The numbers of the blocks that the app has.
    blocks: Vec<KnownBlock>,
    /// The lines of these blocks, in bytes.
    block_bytes: usize,
    /// The block that is freed next.
    next_freed: usize,
    /// Whether there was a call since the last tick.
    pub(super) is_used: bool,
    /// Whether bytes have arrived since the last tick.
    pub(super) has_read: bool,
}

/// A block that the app has.
#[derive(Clone, Copy, Default)]
struct KnownBlock {
    /// 0 if the app has none.
    number: u64,
    bytes: usize,
}

pub(super) struct Slot {
    /// The number of the current or last call.
    pub(super) id: u32,
    pub(super) state: SlotState,
}

pub(super) enum SlotState {
    Free,
    Waiting {
        /// Where its frame begins.
        begun: u64,
        waker: Option<Waker>,
    },
    Done(Outcome),
}

impl HasOutgoing for State {
    fn outgoing(&mut self) -> &mut Outgoing {
        &mut self.outgoing
    }
}

impl State {
    pub(super) fn takes_calls(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Aged) && self.outgoing.len() <= MAX_WAITING_BYTES
    }

    /// The slot of a call that waits for its response.
    fn waiting(&mut self, id: u32) -> Option<&mut SlotState> {
        let slot = self.slots.get_mut(slot(id)).filter(|slot| slot.id == id)?;
        matches!(slot.state, SlotState::Waiting { .. }).then_some(&mut slot.state)
    }

    /// Sets the outcome of a call, and returns the task that waits for it.
    pub(super) fn finish(&mut self, id: u32, outcome: Outcome) -> Option<Waker> {
        let state = self.waiting(id)?;
        let SlotState::Waiting { waker, .. } = replace(state, SlotState::Done(outcome)) else {
            return None;
        };
        self.running -= 1;
        waker
    }

    pub(super) fn begin(&mut self, call: &NewCall<'_>) -> Option<u32> {
        let index = match self.free.pop() {
            Some(free) => free,
            None if self.slots.len() < SLOTS => {
                let index = self.slots.len();
                let id = u32::try_from(index).unwrap_or_default();
                self.slots.push(Slot { id, state: SlotState::Free });
                index
            }
            None => return None,
        };
        let slot = self.slots.get_mut(index)?;
        slot.id = slot.id.wrapping_add(1 << SLOT_BITS);
        let id = slot.id;
        let block = u16::try_from(call.block.number() % u64::from(BLOCKS)).unwrap_or_default();
        let begun = self.outgoing.position();
        self.send_block(block, call);
        let to = self.outgoing.end();
        let parts = Call { block, target: call.target.as_bytes(), lines: &[], body: call.body };
        Frame::write_call(to, id, parts, call.lines);
        if let Some(slot) = self.slots.get_mut(index) {
            slot.state = SlotState::Waiting { begun, waker: None };
        }
        self.running += 1;
        self.is_used = true;
        Some(id)
    }

    /// Sends the block of a call, unless the app has it.
    fn send_block(&mut self, block: u16, call: &NewCall<'_>) {
        if self.blocks.is_empty() {
            self.blocks.resize(usize::from(BLOCKS), KnownBlock::default());
        }
        let number = call.block.number();
        let Some(known) = self.blocks.get_mut(usize::from(block)) else { return };
        if known.number == number {
            return;
        }
        let lines = [call.host.as_bytes(), call.block.lines()];
        let bytes = lines.iter().map(|part| part.len()).sum::<usize>();
        // Counted without the block itself, which is not freed then.
        self.block_bytes -= take(known).bytes;
        while self.block_bytes + bytes > MAX_BLOCKS_BYTES {
            let freed = self.next_freed;
            self.next_freed = (freed + 1) % self.blocks.len();
            let size = self.blocks.get_mut(freed).map_or(0, |block| take(block).bytes);
            if size > 0 {
                self.block_bytes -= size;
                let freed = u32::try_from(freed).unwrap_or_default();
                Frame::write_lines(self.outgoing.end(), freed, &[]);
            }
        }
        if let Some(known) = self.blocks.get_mut(usize::from(block)) {
            *known = KnownBlock { number, bytes };
        }
        self.block_bytes += bytes;
        Frame::write_lines(self.outgoing.end(), u32::from(block), &lines);
    }

    /// Frees the slot of a call whose response is not awaited.
    pub(super) fn leave(&mut self, id: u32) -> Option<Waker> {
        let index = slot(id);
        let slot = self.slots.get_mut(index).filter(|slot| slot.id == id)?;
        match replace(&mut slot.state, SlotState::Free) {
            SlotState::Free => None,
            SlotState::Done(_) => {
                self.free.push(index);
                None
            }
            SlotState::Waiting { .. } => {
                self.free.push(index);
                self.running -= 1;
                Frame::Cancel(id).write(self.outgoing.end());
                self.outgoing.writer()
            }
        }
    }
}

/// How many ticks a connection was in some state.
#[derive(Default)]
pub(super) struct Ticks {
    idle: u32,
    quiet: u32,
    age: u32,
}

impl Ticks {
    /// The next tick. Returns whether the connection is needed, and the task to wake.
    pub(super) fn next(&mut self, state: &mut State) -> (bool, Option<Waker>) {
        let is_idle = !take(&mut state.is_used) && state.running == 0;
        let is_quiet = !take(&mut state.has_read) && state.running > 0;
        self.idle = if is_idle { self.idle + 1 } else { 0 };
        self.quiet = if is_quiet { self.quiet + 1 } else { 0 };
        self.age += 1;
        let is_unneeded = self.idle >= IDLE_TICKS || state.phase == Phase::Retired;
        if state.running == 0 && is_unneeded {
            // Under the lock: no call begins after this.
            state.phase = Phase::Ended;
            return (false, None);
        }
        if self.age >= AGE_TICKS && state.phase == Phase::Open {
            state.phase = Phase::Aged;
        }
        if self.quiet == PING_TICKS {
            Frame::Ping.write(state.outgoing.end());
            return (true, state.outgoing.writer());
        }
        if self.quiet >= QUIET_TICKS && matches!(state.phase, Phase::Open | Phase::Aged) {
            state.phase = Phase::Retired;
            tracing::debug!(
                "no byte of the app has arrived after a ping: further calls go on other connections"
            );
        }
        (true, None)
    }
}
