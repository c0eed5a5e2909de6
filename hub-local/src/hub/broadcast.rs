//! A message to many clients, encoded and framed once per hub protocol.

use std::{collections::HashSet, sync::Arc, task::Waker};

use hub_core::protocol::{Message, Protocol};

use super::{
    Hub,
    members::{Audience, Member},
};
use crate::delivery::{
    frame::Frame,
    outbox::PushOutcome,
    pace::{WAKE_BATCH, WakePacer},
};

/// One message as a frame per protocol.
#[derive(Debug)]
pub(crate) struct Broadcast(Vec<(Protocol, Frame)>);

impl Broadcast {
    /// Encodes a message in these protocols.
    pub(crate) fn new<E>(
        protocols: &[Protocol],
        message: impl Fn(Protocol) -> Result<Message, E>,
    ) -> Result<Self, E> {
        let framed = protocols.iter().map(|protocol| {
            let message = message(*protocol)?;
            Ok((*protocol, Frame::message(*protocol, &protocol.encode(&message))))
        });
        framed.collect::<Result<_, E>>().map(Self)
    }

    /// Sends the message to all connections of the hub without waiting. A client whose outbox is full is
    /// closed.
    pub(crate) fn send_to_everyone<M: Member>(self, hub: &Hub<M>) {
        for (protocol, frame) in self.0 {
            let Some(log) = hub.log(protocol) else { continue };
            log.send(frame, |length| {
                let everyone = hub.everyone();
                let same_protocol = everyone.iter().filter(|it| it.protocol() == protocol);
                same_protocol
                    .filter(|connection| !connection.outbox().has_room_in_log(length))
                    .for_each(|connection| connection.close_slow());
            });
        }
    }

    /// The frame for a protocol; `None` if no connection used this protocol when the message was encoded. A
    /// connection that joined later does not receive the message.
    fn frame(&self, wanted: Protocol) -> Option<&Frame> {
        self.0.iter().find(|(protocol, _)| *protocol == wanted).map(|(_, frame)| frame)
    }
}

/// Sends the message to the audience without the excluded ids. The function does not wait. A client whose
/// outbox is full is closed.
pub(crate) fn send<M: Member>(
    hub: &Hub<M>,
    audience: &Audience<M>,
    excluded: &HashSet<String>,
    message: &Broadcast,
) {
    let receivers = match excluded.is_empty() {
        true => audience.len(),
        // More receivers make no difference, and each one is looked up again.
        false => except(audience, excluded).take(WAKE_BATCH + 1).count(),
    };
    let mut writers = Writers { pace: &hub.pace, wakers: Vec::new(), receivers };
    let is_paced = WakePacer::is_for(receivers);
    for connection in except(audience, excluded) {
        let Some(frame) = message.frame(connection.protocol()) else { continue };
        let outcome = if is_paced {
            let (outcome, writer) = connection.outbox().push_and_wake_later(frame.clone());
            writers.wakers.extend(writer);
            outcome
        } else {
            connection.outbox().push(frame.clone())
        };
        if outcome == PushOutcome::Full {
            connection.close_slow();
        }
    }
}

/// The writers that are woken after the message is in all outboxes, or when a panic ends that: no later message would
/// wake them.
struct Writers<'a> {
    pace: &'a Arc<WakePacer>,
    wakers: Vec<Waker>,
    receivers: usize,
}

impl Drop for Writers<'_> {
    fn drop(&mut self) {
        self.pace.wake(std::mem::take(&mut self.wakers), self.receivers);
    }
}

/// The audience without the excluded ids.
pub(crate) fn except<'a, M: Member>(
    audience: &'a Audience<M>,
    excluded: &'a HashSet<String>,
) -> impl Iterator<Item = &'a Arc<M>> {
    audience.iter().filter(|connection| !excluded.contains(connection.id()))
}

#[cfg(test)]
mod tests;
