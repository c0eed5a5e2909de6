//! Reading messages instead of counting them.

use std::collections::BTreeSet;

use hub_core::protocol::{Message, Protocol, frame::Frames};

/// Cuts messages out of payload and reads them.
#[derive(Debug)]
pub(crate) struct Messages {
    frames: Frames,
    protocol: Protocol,
}

impl Messages {
    pub(crate) fn new(protocol: Protocol) -> Self {
        let mut frames = Frames::new(usize::MAX);
        frames.switch_to(protocol);
        Self { frames, protocol }
    }

    /// Tells `each` every whole message; `None` is one that cannot be read.
    pub(crate) fn read(&mut self, payload: &[u8], mut each: impl FnMut(Option<Message>)) {
        self.frames.push(payload);
        loop {
            match self.frames.next_frame() {
                Ok(Some(frame)) => match self.protocol.parse(&frame) {
                    Ok(Some(message)) => each(Some(message)),
                    // A kind of message that is not known is none of ours.
                    Ok(None) => {}
                    Err(_) => each(None),
                },
                Ok(None) => return,
                Err(_) => return each(None),
            }
        }
    }
}

/// Which of the numbers from 0 on have come. They may overtake each other a little.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    next: u64,
    ahead: BTreeSet<u64>,
}

impl Sequence {
    /// Whether this one is new.
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
    fn messages_may_be_cut_anywhere_and_one_that_is_broken_hides_no_other() {
        let json = &b"{\"type\":6}\x1enonsense\x1e{\"type\":99}\x1e{\"type\":6}\x1e"[..];
        let packed = &b"\x02\x91\x06\x01\xc0\x02\x91\x63\x02\x91\x06"[..];
        for (protocol, bytes) in [(Protocol::Json, json), (Protocol::MessagePack, packed)] {
            for piece in [1, 7, 1000] {
                let (mut messages, mut read) = (Messages::new(protocol), Vec::new());

                for part in bytes.chunks(piece) {
                    messages.read(part, |message| read.push(message));
                }

                assert_eq!(read, [Some(Message::Ping), None, Some(Message::Ping)]);
            }
        }
    }

    #[test]
    fn a_number_is_new_once_in_any_order() {
        let mut sequence = Sequence::default();

        let fresh: Vec<_> = [0, 2, 1, 1, 2, 0, 3].map(|number| sequence.insert(number)).into();

        assert_eq!(fresh, [true, true, true, false, false, false, true]);
        assert!(sequence.ahead.is_empty());
    }
}
