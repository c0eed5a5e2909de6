//! What waits in an outbox.

use bytes::Bytes;

/// The bit that the first byte of WebSocket control frames has.
const CONTROL: u8 = 0x08;

/// One encoded message: a WebSocket header, then the payload. All receivers share the bytes.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(super) bytes: Bytes,
    header: u8,
}

impl Frame {
    /// `bytes` start with a WebSocket header of `header` bytes.
    pub(crate) fn new(bytes: Bytes, header: u8) -> Self {
        Self { bytes, header }
    }

    /// Header and payload, as they go over a WebSocket.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Whether this is hub messages rather than a control frame.
    pub(crate) fn is_message(&self) -> bool {
        self.bytes.first().is_some_and(|first| first & CONTROL == 0)
    }

    /// Without the header, as other transports carry it.
    pub(crate) fn into_payload(self) -> Bytes {
        self.bytes.slice(usize::from(self.header).min(self.bytes.len())..)
    }
}
