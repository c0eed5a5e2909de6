//! A value that its sender encoded in one or several hub protocols. The value is converted to other
//! protocols on demand.

use bytes::Bytes;
use hub_core::protocol::{ConvertError, Protocol, convert};

/// At least one encoding of a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Encodings {
    first: (Protocol, Bytes),
    more: Vec<(Protocol, Bytes)>,
}

impl Encodings {
    /// A value with its first encoding.
    pub(super) fn new(protocol: Protocol, value: Bytes) -> Self {
        Self { first: (protocol, value), more: Vec::new() }
    }

    /// The first encoding.
    pub(super) fn first(&self) -> (Protocol, &Bytes) {
        (self.first.0, &self.first.1)
    }

    /// Adds the encoding of the sender for another protocol.
    #[cfg(feature = "msgpack")]
    pub(super) fn push(&mut self, protocol: Protocol, value: Bytes) {
        self.more.push((protocol, value));
    }

    /// The value in a protocol: the encoding of the sender if there is one, otherwise a converted value.
    pub(super) fn get(&self, wanted: Protocol) -> Result<Bytes, ConvertError> {
        let (protocol, value) = &self.first;
        let own = self.more.iter().find(|(protocol, _)| *protocol == wanted);
        match own {
            Some((_, value)) if *protocol != wanted => Ok(value.clone()),
            _ => convert(value, *protocol, wanted),
        }
    }
}

#[cfg(all(test, feature = "msgpack"))]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_the_sender_take_precedence_over_converted_ones() {
        let mut value = Encodings::new(Protocol::Json, Bytes::from_static(b"[1.0]"));
        assert_eq!(value.get(Protocol::Json).unwrap(), "[1.0]");

        for protocol in Protocol::ALL.iter().copied().filter(|it| *it != Protocol::Json) {
            assert_eq!(&value.get(protocol).unwrap()[..2], b"\x91\xcb");
            value.push(protocol, Bytes::from_static(b"own"));
            assert_eq!(value.get(protocol).unwrap(), "own");
        }
        assert_eq!(value.get(Protocol::Json).unwrap(), "[1.0]");
    }
}
