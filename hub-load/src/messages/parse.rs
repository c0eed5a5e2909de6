//! Parses messages, for `--check` and for scenarios that inspect each message.

use std::collections::BTreeSet;

use hub_core::protocol::{Message, Protocol, frame::Frames};

use super::payload::Payloads;
use crate::LoadArgs;

/// Splits received bytes into messages and parses them.
#[derive(Debug)]
pub(crate) struct MessageParser {
    frames: Frames,
    pub(crate) protocol: Protocol,
}

impl MessageParser {
    pub(crate) fn new(protocol: Protocol) -> Self {
        let mut frames = Frames::new(usize::MAX);
        frames.switch_to(protocol);
        Self { frames, protocol }
    }

    /// Calls `each` for every complete message. `None` stands for a malformed message.
    pub(crate) fn read(&mut self, payload: &[u8], mut each: impl FnMut(Option<Message>)) {
        self.frames.push(payload);
        loop {
            match self.frames.next_frame() {
                Ok(Some(frame)) => match self.protocol.parse(&frame) {
                    Ok(Some(message)) => each(Some(message)),
                    // Clients ignore unknown message types.
                    Ok(None) => {}
                    Err(_) => each(None),
                },
                Ok(None) => return,
                Err(_) => return each(None),
            }
        }
    }

    /// Calls `each` with the number in every call of the client method. `None` stands for a malformed message,
    /// or a call with a payload that was not sent.
    pub(crate) fn read_numbers(
        &mut self,
        payload: &[u8],
        args: &LoadArgs,
        mut each: impl FnMut(Option<u64>),
    ) {
        let (protocol, payloads) = (self.protocol, Payloads { length: args.payload });
        self.read(payload, |message| match message {
            Some(Message::Invocation { target, arguments, .. }) if target == args.message => {
                each(payloads.of_arguments(protocol, &arguments));
            }
            Some(_) => {}
            None => each(None),
        });
    }
}

/// Set of the sequence numbers received so far. It is compact if the numbers arrive nearly in order.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    next: u64,
    ahead: BTreeSet<u64>,
}

impl Sequence {
    /// Adds a number and returns whether it is new.
    pub(crate) fn insert(&mut self, number: u64) -> bool {
        if number < self.next || !self.ahead.insert(number) {
            return false;
        }
        while self.ahead.remove(&self.next) {
            self.next += 1;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_may_be_split_anywhere_and_a_malformed_one_hides_no_other() {
        let json = &b"{\"type\":6}\x1enonsense\x1e{\"type\":99}\x1e{\"type\":6}\x1e"[..];
        let packed = &b"\x02\x91\x06\x01\xc0\x02\x91\x63\x02\x91\x06"[..];
        for (protocol, bytes) in [(Protocol::Json, json), (Protocol::MessagePack, packed)] {
            for piece in [1, 7, 1000] {
                let (mut messages, mut read) = (MessageParser::new(protocol), Vec::new());

                for part in bytes.chunks(piece) {
                    messages.read(part, |message| read.push(message));
                }

                assert_eq!(read, [Some(Message::Ping), None, Some(Message::Ping)]);
            }
        }
    }

    #[test]
    fn each_number_is_new_once_in_any_order() {
        let mut sequence = Sequence::default();

        let fresh: Vec<_> = [0, 2, 1, 1, 2, 0, 3].map(|number| sequence.insert(number)).into();

        assert_eq!(fresh, [true, true, true, false, false, false, true]);
        assert!(sequence.ahead.is_empty());
    }
}
