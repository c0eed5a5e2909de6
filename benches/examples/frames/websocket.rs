//! Our own framing of both sides, the very files.

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

/// As much as the service reads at once.
const SERVER_READ: usize = 16 * 1024;
/// As much as the load client reads at once.
const CLIENT_READ: usize = 64 * 1024;

/// What the service does with bytes of a client: the number of parts and of bytes in them.
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

/// What the load client does with bytes of a server.
pub(crate) fn read_as_client(stream: &[u8], buffer: &mut [u8]) -> (usize, usize) {
    let mut frames = FrameParser::default();
    let (mut parts, mut bytes) = (0, 0);
    for read in stream.chunks(CLIENT_READ) {
        // The system copies what is read, too.
        let Some(buffer) = buffer.get_mut(..read.len()) else { continue };
        buffer.copy_from_slice(read);
        let mut input = &*buffer;
        while let Some(part) = frames.next(&mut input) {
            (parts, bytes) = (parts + 1, bytes + part.bytes.len());
        }
    }
    (parts, bytes)
}
