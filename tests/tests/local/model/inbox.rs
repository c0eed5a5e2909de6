//! The messages that a client receives, as one line each.

use std::collections::VecDeque;

use bytes::Bytes;
use hub_core::protocol::{Message, Outcome, Protocol, convert, frame::Frames, handshake};

use super::upstream::first;

/// Converts the bytes of any transport to lines.
pub(super) struct Inbox {
    protocol: Protocol,
    frames: Frames,
    /// The bytes of an incomplete WebSocket frame.
    input: Vec<u8>,
    accepted: bool,
    lines: Vec<String>,
    pub(super) pings: u64,
    /// The ids of the hub's invocations that expect a result.
    pub(super) asked: VecDeque<String>,
    pub(super) closed: bool,
    /// The id of the next message, for stateful reconnect. After a resume it can be an id that was received
    /// before.
    next: u64,
    /// The highest id received so far. Messages with this id or a lower id are duplicates.
    pub(super) latest: u64,
    /// Bytes received since the last acknowledgement.
    pub(super) unacknowledged: usize,
    awaits_sequence: bool,
    /// The id of the last message of the client that the service has acknowledged.
    pub(super) service_has: u64,
}

impl Inbox {
    pub(super) fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            frames: Frames::new(1 << 20),
            input: Vec::new(),
            accepted: false,
            lines: Vec::new(),
            pings: 0,
            asked: VecDeque::new(),
            closed: false,
            next: 1,
            latest: 0,
            unacknowledged: 0,
            awaits_sequence: false,
            service_has: 0,
        }
    }

    /// Takes the lines received since the last call.
    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// Prepares for a new socket, which begins with a sequence message.
    pub(super) fn resume(&mut self) {
        self.input.clear();
        self.frames = Frames::new(1 << 20);
        self.frames.switch_to(self.protocol);
        self.awaits_sequence = true;
    }

    /// Records the end of the transport.
    pub(super) fn end(&mut self, how: &str) {
        if !std::mem::replace(&mut self.closed, true) {
            self.lines.push(how.to_owned());
        }
    }

    /// Adds bytes of a WebSocket.
    pub(super) fn web_socket(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        while let Some((first, payload)) = self.web_socket_frame() {
            match first {
                0x81 | 0x82 => self.messages(&payload),
                0x88 => {
                    let status = u16::from_be_bytes([payload[0], payload[1]]);
                    self.end(&format!("closed {status}"));
                }
                other => self.lines.push(format!("a frame of kind {other:x}")),
            }
        }
    }

    fn web_socket_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let first = *self.input.first()?;
        let (start, length) = match *self.input.get(1)? {
            126 => (4, usize::from(u16::from_be_bytes(self.input.get(2..4)?.try_into().unwrap()))),
            127 => (10, u64::from_be_bytes(self.input.get(2..10)?.try_into().unwrap()) as usize),
            length => (2, usize::from(length)),
        };
        let payload = self.input.get(start..start + length)?.to_vec();
        self.input.drain(..start + length);
        Some((first, payload))
    }

    /// Adds bytes of hub messages.
    pub(super) fn messages(&mut self, bytes: &[u8]) {
        self.frames.push(bytes);
        self.unacknowledged += bytes.len();
        while let Some(frame) = self.frames.next_frame().unwrap() {
            if self.accepted {
                let message = self.protocol.parse(&frame).unwrap().unwrap();
                self.message(message);
            } else {
                self.greeting(&frame);
            }
        }
    }

    fn greeting(&mut self, record: &Bytes) {
        if record.starts_with(b"{\"type\":7") {
            let message = Protocol::Json.parse(record).unwrap().unwrap();
            return self.message(message);
        }
        match handshake::parse_response(record).unwrap() {
            None => {
                self.accepted = true;
                self.frames.switch_to(self.protocol);
                self.lines.push("accepted".to_owned());
            }
            Some(error) => self.lines.push(format!("refused {error}")),
        }
    }

    fn message(&mut self, message: Message) {
        if let Message::Sequence { sequence_id } = message {
            self.awaits_sequence = false;
            self.next = sequence_id;
            return self.lines.push(format!("sequence {sequence_id}"));
        }
        if self.awaits_sequence {
            return self.lines.push(format!("before any sequence: {message:?}"));
        }
        if matches!(message, Message::Invocation { .. } | Message::Completion { .. }) {
            let id = self.next;
            self.next += 1;
            if id <= self.latest {
                return;
            }
            self.latest = id;
        }
        let line = match message {
            Message::Ping => {
                self.pings += 1;
                return;
            }
            Message::Ack { sequence_id } => {
                self.service_has = self.service_has.max(sequence_id);
                return;
            }
            Message::Invocation { invocation_id: Some(id), arguments, .. } => {
                let number = first(self.protocol, &arguments);
                self.asked.push_back(id.clone());
                format!("asked {id} {number}")
            }
            Message::Invocation { target, arguments, .. } => {
                format!("{target} {}", first(self.protocol, &arguments))
            }
            Message::Completion { invocation_id, outcome } => {
                format!("completion {invocation_id}{}", self.outcome(outcome))
            }
            Message::Close { error, allow_reconnect } => {
                let again = if allow_reconnect { " again" } else { "" };
                format!("close{again} {}", error.as_deref().unwrap_or("-"))
            }
            other => format!("{other:?}"),
        };
        self.lines.push(line);
    }

    fn outcome(&self, outcome: Outcome) -> String {
        match outcome {
            Outcome::Void => String::new(),
            Outcome::Result(value) => {
                let json = convert(&value, self.protocol, Protocol::Json).unwrap();
                format!(": {}", String::from_utf8_lossy(&json))
            }
            Outcome::Error(error) => format!(" failed: {error}"),
        }
    }
}
