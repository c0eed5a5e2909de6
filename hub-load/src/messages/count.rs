//! Counts hub messages by type without parsing them.
//!
//! The counter reads only message boundaries and one type byte per message, so the load tool uses
//! little CPU compared with the server. For JSON it relies on `type` as the first member of a
//! message. All known servers write `type` first.

use std::sync::LazyLock;

use hub_core::protocol::{Protocol, frame::RECORD_SEPARATOR};
use memchr::memmem::Finder;

const TYPE: &[u8] = b"{\"type\":";
/// Prepared once, because the preparation takes longer than the search in a short message.
static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"error\":"));
/// Number of bytes that are stored of a split MessagePack message. They contain the result kind of a
/// completion, since invocation ids are short numbers.
const HEAD: usize = 32;

/// Number of messages per type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) invocations: u64,
    pub(crate) completions: u64,
    /// Completions with an error. In JSON, an `error` key split between two reads is missed.
    pub(crate) errors: u64,
    pub(crate) pings: u64,
    pub(crate) closes: u64,
    pub(crate) others: u64,
}

impl Counts {
    fn add(&mut self, kind: u8) {
        match kind {
            1 => self.invocations += 1,
            3 => self.completions += 1,
            6 => self.pings += 1,
            7 => self.closes += 1,
            _ => self.others += 1,
        }
    }
}

/// Counts messages in a byte stream.
#[derive(Debug)]
pub(crate) enum Counter {
    Json(JsonCounter),
    MessagePack(MessagePackCounter),
}

impl Counter {
    pub(crate) fn new(protocol: Protocol) -> Self {
        if protocol.is_binary() {
            Self::MessagePack(MessagePackCounter::default())
        } else {
            Self::Json(JsonCounter::default())
        }
    }

    pub(crate) fn count(&mut self, payload: &[u8], counts: &mut Counts) {
        match self {
            Self::Json(records) => records.count(payload, counts),
            Self::MessagePack(prefixed) => prefixed.count(payload, counts),
        }
    }
}

/// JSON messages, terminated by the record separator.
#[derive(Debug, Default)]
pub(crate) struct JsonCounter {
    /// Number of bytes of the current record in earlier reads.
    seen: usize,
    kind: u8,
}

impl JsonCounter {
    fn count(&mut self, mut payload: &[u8], counts: &mut Counts) {
        while !payload.is_empty() {
            let end = memchr::memchr(RECORD_SEPARATOR, payload);
            let record = payload.get(..end.unwrap_or(payload.len())).unwrap_or_default();
            let at = TYPE.len().checked_sub(self.seen);
            if let Some(kind) = at.and_then(|at| record.get(at)) {
                self.kind = *kind;
            }
            let Some(end) = end else {
                self.seen += record.len();
                return;
            };
            if self.kind == b'3' && ERROR.find(record).is_some() {
                counts.errors += 1;
            }
            counts.add(std::mem::take(self).kind.wrapping_sub(b'0'));
            payload = payload.get(end + 1..).unwrap_or_default();
        }
    }
}

/// MessagePack messages with a length prefix (HubProtocol.md, MessagePack encoding).
#[derive(Debug, Default)]
pub(crate) struct MessagePackCounter {
    /// Length prefix so far, and the shift of its next bits.
    length: u64,
    shift: u32,
    /// Number of missing bytes of the current message. 0 while the prefix is read.
    remaining: u64,
    head: [u8; HEAD],
    held: usize,
}

impl MessagePackCounter {
    fn count(&mut self, mut payload: &[u8], counts: &mut Counts) {
        while let Some((&byte, rest)) = payload.split_first() {
            if self.remaining == 0 {
                payload = rest;
                self.length |= u64::from(byte & 0x7F).checked_shl(self.shift).unwrap_or_default();
                self.shift += 7;
                if byte & 0x80 == 0 {
                    self.remaining = std::mem::take(&mut self.length);
                    self.shift = 0;
                }
                continue;
            }
            let here =
                usize::try_from(self.remaining).map_or(payload.len(), |it| it.min(payload.len()));
            let (part, rest) = payload.split_at(here);
            payload = rest;
            self.remaining -= here as u64;
            if self.remaining == 0 && self.held == 0 {
                classify(part, counts);
                continue;
            }
            let room = self.head.get_mut(self.held..).unwrap_or_default();
            let kept = room.len().min(part.len());
            if let (Some(room), Some(part)) = (room.get_mut(..kept), part.get(..kept)) {
                room.copy_from_slice(part);
            }
            self.held += kept;
            if self.remaining == 0 {
                classify(self.head.get(..self.held).unwrap_or_default(), counts);
                self.held = 0;
            }
        }
    }
}

/// Counts one message: a short array that begins with the message type.
fn classify(message: &[u8], counts: &mut Counts) {
    let [0x90..=0x9F, kind, rest @ ..] = message else {
        counts.others += 1;
        return;
    };
    counts.add(*kind);
    if *kind == 3 && completion_kind(rest) == Some(1) {
        counts.errors += 1;
    }
}

/// Returns the result kind. Skips the headers, which servers leave empty, and the invocation id.
fn completion_kind(rest: &[u8]) -> Option<u8> {
    let [0x80, id @ 0xA0..=0xBF, rest @ ..] = rest else { return None };
    rest.get(usize::from(id & 0x1F)).copied()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hub_core::protocol::{Message, Outcome};

    use super::*;

    fn messages(protocol: Protocol) -> Vec<u8> {
        let text = |length| match protocol {
            Protocol::Json => Bytes::from(format!("[\"{}\"]", "x".repeat(length))),
            _ => {
                let mut arguments = vec![0x91, 0xDA];
                arguments.extend(u16::try_from(length).unwrap().to_be_bytes());
                arguments.extend(std::iter::repeat_n(b'x', length));
                Bytes::from(arguments)
            }
        };
        let completion =
            |outcome| Message::Completion { invocation_id: "12345".to_owned(), outcome };
        let invocation = |length| Message::Invocation {
            invocation_id: None,
            target: "message".to_owned(),
            arguments: text(length),
            stream_ids: Vec::new(),
            trace: None,
        };
        let all = [
            invocation(3),
            completion(Outcome::Void),
            completion(Outcome::Error("why".to_owned())),
            Message::Ping,
            invocation(300),
            completion(Outcome::Result(text(1))),
            Message::Ack { sequence_id: 3 },
            Message::Close { error: None, allow_reconnect: false },
        ];
        all.iter().flat_map(|message| protocol.encode(message)).collect()
    }

    #[test]
    fn messages_are_counted_for_any_read_boundaries() {
        let expected =
            Counts { invocations: 2, completions: 3, errors: 1, pings: 1, closes: 1, others: 1 };
        for protocol in Protocol::ALL {
            for piece in [40, 100, 1000] {
                let (mut counter, mut counts) = (Counter::new(*protocol), Counts::default());

                for read in messages(*protocol).chunks(piece) {
                    counter.count(read, &mut counts);
                }

                // In JSON, an error split between two reads is missed.
                let errors = if protocol.is_binary() { 1 } else { counts.errors };
                let expected = Counts { errors, ..expected };
                assert_eq!(counts, expected, "{} in pieces of {piece}", protocol.name());
            }
        }
    }

    #[test]
    fn messagepack_may_be_split_at_every_byte() {
        let bytes = messages(Protocol::MessagePack);
        let (mut counter, mut counts) = (Counter::new(Protocol::MessagePack), Counts::default());

        for byte in bytes {
            counter.count(&[byte], &mut counts);
        }

        let expected =
            Counts { invocations: 2, completions: 3, errors: 1, pings: 1, closes: 1, others: 1 };
        assert_eq!(counts, expected);
    }
}
