//! Our WebSocket framing of client and server, included from the source files.

#[path = "../../../hub-load/src/client/frames.rs"]
mod client_frames;
#[path = "../../../hub-local/src/transport/websocket/decode.rs"]
mod decode;
#[path = "../../../hub-load/src/client/mask.rs"]
mod mask;
#[path = "../../../hub-local/src/transport/websocket/utf8.rs"]
mod utf8;

use bytes::BytesMut;

pub(crate) use self::mask::masked;
use self::{client_frames::FrameParser, decode::Decoder};

/// Maximum number of bytes that the service reads at once.
const SERVER_READ: usize = 16 * 1024;
/// Maximum number of bytes that the load client reads at once.
const CLIENT_READ: usize = 64 * 1024;

/// Decodes the bytes of a client like the service. Returns the number of data parts and their total size
/// in bytes.
pub(crate) fn read_as_server(stream: &[u8]) -> (usize, usize) {
    let (mut decoder, mut input) = (Decoder::default(), BytesMut::new());
    let (mut parts, mut bytes) = (0, 0);
    for read in stream.chunks(SERVER_READ) {
        input.extend_from_slice(read);
        while let Ok(Some(event)) = decoder.next(&mut input) {
            if let decode::Event::Data(data) = event {
                (parts, bytes) = (parts + 1, bytes + data.len());
            }
        }
    }
    (parts, bytes)
}

/// Parses the bytes of a server like the load client. Returns the number of data parts and their total
/// size in bytes.
pub(crate) fn read_as_client(stream: &[u8], buffer: &mut [u8]) -> (usize, usize) {
    let mut frames = FrameParser::default();
    let (mut parts, mut bytes) = (0, 0);
    for read in stream.chunks(CLIENT_READ) {
        // A read from a socket copies the bytes, too.
        let Some(buffer) = buffer.get_mut(..read.len()) else { continue };
        buffer.copy_from_slice(read);
        let mut input = &*buffer;
        while let Some(part) = frames.next(&mut input) {
            (parts, bytes) = (parts + 1, bytes + part.bytes.len());
        }
    }
    (parts, bytes)
}
