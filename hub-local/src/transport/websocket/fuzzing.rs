//! The decoder of WebSocket frames, with input in pieces as from a socket.

use bytes::{Bytes, BytesMut};

use super::decode::{Decoder, Event};

/// A decoded event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebSocketEvent {
    /// Some payload of a message.
    Data(Bytes),
    /// A ping with its payload.
    Ping(Bytes),
    /// The client sent a close frame.
    Close,
    /// The client violated the protocol; the text of the violation.
    Violation(String),
}

/// Reads the frames of one client.
#[derive(Debug, Default)]
pub struct WebSocketReader {
    decoder: Decoder,
    input: BytesMut,
}

impl WebSocketReader {
    /// All events that are complete with these bytes.
    pub fn read(&mut self, bytes: &[u8]) -> Vec<WebSocketEvent> {
        self.input.extend_from_slice(bytes);
        let mut events = Vec::new();
        loop {
            events.push(match self.decoder.next(&mut self.input) {
                Ok(None) => return events,
                Ok(Some(Event::Data(payload))) => WebSocketEvent::Data(payload.freeze()),
                Ok(Some(Event::Ping(payload))) => WebSocketEvent::Ping(payload.freeze()),
                Ok(Some(Event::Close)) => WebSocketEvent::Close,
                Err(violation) => WebSocketEvent::Violation(violation.to_string()),
            });
        }
    }
}
