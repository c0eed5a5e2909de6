//! A message to many clients, encoded and framed once per hub protocol.

use std::{collections::HashSet, sync::Arc};

use hub_core::protocol::{Message, Protocol};

use super::{
    Hub,
    members::{Audience, Member},
};
use crate::delivery::{frame::Frame, outbox::PushOutcome};

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
    let mut writers = Vec::new();
    for connection in except(audience, excluded) {
        let Some(frame) = message.frame(connection.protocol()) else { continue };
        let (outcome, writer) = connection.outbox().push_quietly(frame.clone());
        writers.extend(writer);
        if outcome == PushOutcome::Full {
            connection.close_slow();
        }
    }
    hub.pace.wake(writers, audience.len());
}

/// The audience without the excluded ids.
pub(crate) fn except<'a, M: Member>(
    audience: &'a Audience<M>,
    excluded: &'a HashSet<String>,
) -> impl Iterator<Item = &'a Arc<M>> {
    audience.iter().filter(|connection| !excluded.contains(connection.id()))
}
