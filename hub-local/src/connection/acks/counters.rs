//! What stateful reconnect counts, in each direction: calls, items and completions have the ids 1,
//! 2, 3 and so on, without saying so. Pings, closes, acks and sequences are not counted.

use std::collections::VecDeque;

use hub_core::protocol::Message;

use crate::delivery::frame::Frame;

/// Whether a message has an id.
pub(crate) fn is_counted(message: &Message) -> bool {
    matches!(
        message,
        Message::Invocation { .. }
            | Message::StreamItem { .. }
            | Message::Completion { .. }
            | Message::StreamInvocation { .. }
            | Message::CancelInvocation { .. }
    )
}

/// What was sent, kept until the other side says that it has it.
#[derive(Debug)]
pub(crate) struct SentMessages {
    kept: VecDeque<Unacknowledged>,
    bytes: usize,
    /// The id of the next message.
    next: u64,
}

#[derive(Debug)]
struct Unacknowledged {
    frame: Frame,
    /// The ids of the messages in it.
    first: u64,
    last: u64,
}

impl Default for SentMessages {
    fn default() -> Self {
        Self { kept: VecDeque::new(), bytes: 0, next: 1 }
    }
}

impl SentMessages {
    /// Keeps a frame with this many counted messages.
    pub(crate) fn keep(&mut self, frame: Frame, messages: u64) {
        if messages == 0 {
            return;
        }
        let first = self.next;
        self.next += messages;
        self.bytes += frame.bytes().len();
        self.kept.push_back(Unacknowledged { frame, first, last: self.next - 1 });
    }

    /// The other side has everything up to this id.
    pub(crate) fn acknowledge(&mut self, id: u64) {
        while self.kept.front().is_some_and(|kept| kept.last <= id) {
            if let Some(kept) = self.kept.pop_front() {
                self.bytes -= kept.frame.bytes().len();
            }
        }
    }

    /// The id with which sending resumes.
    pub(crate) fn sequence(&self) -> u64 {
        self.kept.front().map_or(self.next, |kept| kept.first)
    }

    /// What is sent again, in order.
    pub(crate) fn frames(&self) -> impl Iterator<Item = &Frame> {
        self.kept.iter().map(|kept| &kept.frame)
    }

    /// What is kept, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// What was received.
#[derive(Debug)]
pub(crate) struct ReceivedMessages {
    /// The id of the message that comes next.
    next: u64,
    /// The highest id that was acted on.
    latest: u64,
}

/// The other side leaves out messages that never came.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("Sequence ID greater than amount of messages we've received.")]
pub(crate) struct SequenceGap;

impl Default for ReceivedMessages {
    fn default() -> Self {
        Self { next: 1, latest: 0 }
    }
}

impl ReceivedMessages {
    /// A counted message came: whether for the first time.
    pub(crate) fn count(&mut self) -> bool {
        let id = self.next;
        self.next = self.next.saturating_add(1);
        let is_new = id > self.latest;
        self.latest = self.latest.max(id);
        is_new
    }

    /// The other side resumes with this id. It may be past the next one: a socket can break after the
    /// other side said where it goes on and before it sent that again, while it learnt from an
    /// acknowledgement that it need not.
    pub(crate) fn resume(&mut self, sequence: u64) -> Result<(), SequenceGap> {
        if sequence > self.latest.saturating_add(1) {
            return Err(SequenceGap);
        }
        self.next = sequence;
        Ok(())
    }

    /// The highest id that was acted on.
    pub(crate) fn latest(&self) -> u64 {
        self.latest
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn frame(length: usize) -> Frame {
        Frame::new(Bytes::from(vec![b'x'; length]), 2)
    }

    #[test]
    fn sending_resumes_with_the_oldest_message_that_is_not_acknowledged() {
        let mut sent = SentMessages::default();
        assert_eq!(sent.sequence(), 1);

        sent.keep(frame(3), 1);
        sent.keep(frame(4), 1);
        sent.keep(frame(5), 0);
        sent.keep(frame(6), 1);
        assert_eq!((sent.sequence(), sent.bytes()), (1, 13));

        sent.acknowledge(2);
        assert_eq!((sent.sequence(), sent.bytes()), (3, 6));
        assert_eq!(sent.frames().count(), 1);
        sent.acknowledge(3);
        assert_eq!((sent.sequence(), sent.bytes()), (4, 0));
        sent.acknowledge(1);
        sent.acknowledge(100);
        assert_eq!(sent.sequence(), 4);
    }

    #[test]
    fn a_frame_of_several_messages_is_kept_until_its_last_is_acknowledged() {
        let mut sent = SentMessages::default();
        sent.keep(frame(3), 3);
        sent.keep(frame(3), 1);

        sent.acknowledge(2);
        assert_eq!(sent.sequence(), 1);
        sent.acknowledge(3);
        assert_eq!(sent.sequence(), 4);
    }

    #[test]
    fn what_came_before_is_counted_and_not_new() {
        let mut received = ReceivedMessages::default();
        assert!(received.count() && received.count() && received.count());

        assert_eq!(received.resume(2), Ok(()));
        assert!(!received.count());
        assert!(!received.count());
        assert!(received.count());

        assert_eq!(received.latest(), 4);
        assert_eq!(received.resume(5), Ok(()));
        assert_eq!(received.resume(6), Err(SequenceGap));
    }

    #[test]
    fn what_was_not_sent_again_because_it_was_acknowledged_is_no_gap() {
        let mut received = ReceivedMessages::default();
        assert!(received.count() && received.count());

        assert_eq!(received.resume(1), Ok(()));
        // The socket breaks here, and the other side has the acknowledgement of both.
        assert_eq!(received.resume(3), Ok(()));

        assert!(received.count());
        assert_eq!(received.latest(), 3);
    }
}
