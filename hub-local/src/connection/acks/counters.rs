//! Message counters of stateful reconnect, one per direction (HubProtocol.md, Ack and Sequence).
//! Invocations, stream items, completions and cancellations have the implicit ids 1, 2, 3 and so on.
//! Pings, closes, acks and sequences are not counted.

use std::collections::VecDeque;

use hub_core::protocol::Message;

use crate::delivery::frame::Frame;

/// Whether a message has a sequence id.
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

/// Sent messages, kept until the client acknowledges them.
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
    /// First and last id of the messages in the frame.
    first: u64,
    last: u64,
}

impl Default for SentMessages {
    fn default() -> Self {
        Self { kept: VecDeque::new(), bytes: 0, next: 1 }
    }
}

impl SentMessages {
    /// Keeps a frame with `messages` counted messages.
    pub(crate) fn keep(&mut self, frame: Frame, messages: u64) {
        if messages == 0 {
            return;
        }
        let first = self.next;
        self.next += messages;
        self.bytes += frame.bytes().len();
        self.kept.push_back(Unacknowledged { frame, first, last: self.next - 1 });
    }

    /// Removes the frames whose messages all have an id of at most `id`.
    pub(crate) fn acknowledge(&mut self, id: u64) {
        while self.kept.front().is_some_and(|kept| kept.last <= id) {
            if let Some(kept) = self.kept.pop_front() {
                self.bytes -= kept.frame.bytes().len();
            }
        }
    }

    /// The id of the first message to send again.
    pub(crate) fn sequence(&self) -> u64 {
        self.kept.front().map_or(self.next, |kept| kept.first)
    }

    /// The frames to send again, in order.
    pub(crate) fn frames(&self) -> impl Iterator<Item = &Frame> {
        self.kept.iter().map(|kept| &kept.frame)
    }

    /// Size of the kept frames in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Received messages.
#[derive(Debug)]
pub(crate) struct ReceivedMessages {
    /// The id of the next message.
    next: u64,
    /// The highest id that was processed.
    latest: u64,
}

/// Error for a client that skips messages which the service has not received. ASP.NET Core uses the same
/// text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("Sequence ID greater than amount of messages we've received.")]
pub(crate) struct SequenceGap;

impl Default for ReceivedMessages {
    fn default() -> Self {
        Self { next: 1, latest: 0 }
    }
}

impl ReceivedMessages {
    /// Counts a received message. Returns whether it is new.
    pub(crate) fn count(&mut self) -> bool {
        let id = self.next;
        self.next = self.next.saturating_add(1);
        let is_new = id > self.latest;
        self.latest = self.latest.max(id);
        is_new
    }

    /// Handles a `Sequence` message. The id may be at most the latest id plus one.
    ///
    /// The id may exceed the next expected id. For example, the client sent a `Sequence` on the previous
    /// socket, which broke before the client sent its unacknowledged messages again. If the client received the
    /// ack of these messages before the break, its next `Sequence` has the id of the message after them.
    pub(crate) fn resume(&mut self, sequence: u64) -> Result<(), SequenceGap> {
        if sequence > self.latest.saturating_add(1) {
            return Err(SequenceGap);
        }
        self.next = sequence;
        Ok(())
    }

    /// The highest id that was processed.
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
    fn a_frame_is_kept_until_its_last_message_is_acknowledged() {
        let mut sent = SentMessages::default();
        sent.keep(frame(3), 3);
        sent.keep(frame(3), 1);

        sent.acknowledge(2);
        assert_eq!(sent.sequence(), 1);
        sent.acknowledge(3);
        assert_eq!(sent.sequence(), 4);
    }

    #[test]
    fn repeated_messages_are_counted_and_not_new() {
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
    fn messages_acknowledged_before_a_resume_are_not_a_gap() {
        let mut received = ReceivedMessages::default();
        assert!(received.count() && received.count());

        assert_eq!(received.resume(1), Ok(()));
        // The socket breaks here. The client has received the ack of both messages.
        assert_eq!(received.resume(3), Ok(()));

        assert!(received.count());
        assert_eq!(received.latest(), 3);
    }
}
