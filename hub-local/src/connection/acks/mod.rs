//! Stateful reconnect, as the connection sees it: messages are counted in both directions and kept
//! until they are acknowledged (HubProtocol.md, Ack and Sequence).

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
    /// Whether the client's handshake asked for stateful reconnect, too.
    agreed: OnceLock<bool>,
    counters: Mutex<Counters>,
    /// Wakes the writer, for an acknowledgement in either direction.
    pub(crate) writer: Notify,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sent: SentMessages,
    pub(crate) received: ReceivedMessages,
    /// Whether messages were received that are not acknowledged yet.
    pub(crate) owes_ack: bool,
}

impl Acks {
    /// The handshake decides.
    pub(super) fn decide(&self, agreed: bool) {
        // Set once: there is one handshake.
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

    pub(crate) fn counters(&self) -> MutexGuard<'_, Counters> {
        self.counters.lock()
    }

    /// Counts a message; returns whether it is to be acted on.
    pub(super) fn receive(&self, message: &Message) -> Result<bool, SequenceGap> {
        let mut counters = self.counters();
        match message {
            Message::Ack { sequence_id } => counters.sent.acknowledge(*sequence_id),
            Message::Sequence { sequence_id } => counters.received.resume(*sequence_id)?,
            message if is_counted(message) => {
                let is_new = counters.received.count();
                // A duplicate means that the last acknowledgement was lost.
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
