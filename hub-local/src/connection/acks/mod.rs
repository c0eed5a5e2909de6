//! Acknowledgements of stateful reconnect (HubProtocol.md, Ack and Sequence): messages are counted in both
//! directions, and sent messages are kept until they are acknowledged.

pub(crate) mod counted;
pub(crate) mod counters;

use std::sync::OnceLock;

use hub_core::protocol::Message;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use self::counters::{ReceivedMessages, SentMessages, SequenceGap, is_counted};

/// The counters of one connection.
#[derive(Debug, Default)]
pub(crate) struct Acks {
    /// Whether the handshake requested stateful reconnect; set once.
    agreed: OnceLock<bool>,
    counters: Mutex<AckCounters>,
    /// Wakes the writer when an ack was received or must be sent.
    pub(crate) writer: Notify,
}

#[derive(Debug, Default)]
pub(crate) struct AckCounters {
    pub(crate) sent: SentMessages,
    pub(crate) received: ReceivedMessages,
    /// Whether received messages are not acknowledged yet.
    pub(crate) owes_ack: bool,
}

impl Acks {
    /// Stores the decision of the handshake.
    pub(super) fn decide(&self, agreed: bool) {
        // A connection has one handshake, so the cell is still empty.
        let _ = self.agreed.set(agreed);
    }

    /// Whether stateful reconnect was agreed; `None` before the handshake.
    pub(crate) fn agreed(&self) -> Option<bool> {
        self.agreed.get().copied()
    }

    /// Whether messages are counted.
    pub(crate) fn are_agreed(&self) -> bool {
        self.agreed() == Some(true)
    }

    pub(crate) fn counters(&self) -> MutexGuard<'_, AckCounters> {
        self.counters.lock()
    }

    /// Handles acks and counts other messages. Returns whether to process the message.
    pub(super) fn receive(&self, message: &Message) -> Result<bool, SequenceGap> {
        let mut counters = self.counters();
        match message {
            Message::Ack { sequence_id } => counters.sent.acknowledge(*sequence_id),
            Message::Sequence { sequence_id } => counters.received.resume(*sequence_id)?,
            message if is_counted(message) => {
                let is_new = counters.received.count();
                // Duplicates are acknowledged too: a duplicate shows that the last ack was lost.
                let wakes = !std::mem::replace(&mut counters.owes_ack, true);
                drop(counters);
                if wakes {
                    self.writer.notify_one();
                }
                return Ok(is_new);
            }
            _ => return Ok(true),
        }
        drop(counters);
        self.writer.notify_one();
        Ok(false)
    }
}
