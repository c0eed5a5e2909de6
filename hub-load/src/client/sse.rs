//! Parser for the Server-Sent Events of SignalR servers: `data` lines and comments only.

use bytes::Bytes;

const DATA: &[u8] = b"data:";

/// State of the parser.
#[derive(Debug, Default)]
pub(crate) struct EventParser {
    line: Vec<u8>,
    /// Data lines of the incomplete event, joined by line feeds.
    event: Vec<u8>,
    has_data: bool,
}

impl EventParser {
    /// Takes bytes of the stream and returns the payloads of the events completed by them.
    pub(crate) fn read(&mut self, mut bytes: &[u8]) -> Bytes {
        let mut payload = Vec::new();
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end);
            bytes = rest.get(1..).unwrap_or_default();
            if self.line.is_empty() {
                self.take(line, &mut payload);
            } else {
                self.line.extend_from_slice(line);
                let line = std::mem::take(&mut self.line);
                self.take(&line, &mut payload);
            }
        }
        self.line.extend_from_slice(bytes);
        payload.into()
    }

    fn take(&mut self, line: &[u8], payload: &mut Vec<u8>) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            payload.append(&mut self.event);
            self.has_data = false;
            return;
        }
        let Some(data) = line.strip_prefix(DATA) else { return };
        if self.has_data {
            self.event.push(b'\n');
        }
        self.has_data = true;
        self.event.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_may_be_split_anywhere() {
        let stream = b":\r\n\r\ndata: {}\x1e\r\n\r\ndata: {\"a\":\r\ndata: 1}\x1e\r\n\r\n\
                       : still there\nevent: x\ndata:{}\x1e{}\x1e\n\ndata: not yet";
        for piece in [1, 2, 5, 1000] {
            let mut events = EventParser::default();

            let read: Vec<u8> = stream.chunks(piece).flat_map(|part| events.read(part)).collect();

            assert_eq!(read, b"{}\x1e{\"a\":\n1}\x1e{}\x1e{}\x1e", "pieces of {piece}");
        }
    }
}
