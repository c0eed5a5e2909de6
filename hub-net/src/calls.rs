//! Several upstream calls on one connection, between the local service and an app of this project.
//!
//! Over HTTP/1.1 a call needs a write and a read of its own on both sides. Here one write and one read carry all calls, or all
//! responses, that are ready together.
//!
//! # Offer and upgrade
//!
//! The app offers the protocol in the response to a call over HTTP/1.1, and the service then opens one more connection (RFC 9110
//! §7.8). Both headers are hop-by-hop: proxies that read HTTP remove them, and calls remain HTTP/1.1 requests.
//!
//! ```text
//! app      HTTP/1.1 200 OK                           service  GET /runtime/webhooks/signalr HTTP/1.1
//!          connection: upgrade                                connection: upgrade
//!          upgrade: hub-calls                                 upgrade: hub-calls
//!                                                             x-asrs-connection-id: a fresh random id
//! app      HTTP/1.1 101 Switching Protocols                   x-asrs-signature: its signature, as of a call
//!          connection: upgrade
//!          upgrade: hub-calls
//! ```
//!
//! The first frame of the service is a ping. Calls begin after its pong, so a proxy that passes the switch on and no frames costs no
//! call. If the connection then ends, and neither a stop nor the service has announced that, offers are ignored for 30 s.
//!
//! # Frames
//!
//! Numbers are big-endian. A frame is its length without these four bytes (4 bytes), its kind (1 byte), a number (4 bytes), and its
//! content:
//!
//! | Kind | Sent by | Number | Content |
//! |---|---|---|---|
//! | 1, header lines | service | block, below [`BLOCKS`] | lines with `\r\n`, which replace the lines that had this number |
//! | 2, call | service | call | block, length of the target, length of the lines (2 bytes each); target; lines, each of which replaces the line of the block with its name; body |
//! | 3, response | app | call | status (2 bytes), body |
//! | 4, too large | app | call | empty: the response is larger than the service accepts |
//! | 5, cancel | service | call | empty: the response is not awaited, and may still arrive |
//! | 6, stop | app | 0 | empty: the service sends no further call, and closes the connection after the last response |
//! | 7, ping | service | 0 | empty: the app sends a pong |
//! | 8, pong | app | 0 | empty |
//!
//! The last ten bits of the number of a call are its slot. A slot has at most one call: the next one may use it after the response or
//! the cancel. All blocks of a connection have at most [`MAX_BLOCKS_BYTES`] of lines: the service frees a block by an empty one, and the
//! app ends the connection. Anything else ends the connection, and with it all of its calls, as the end of a connection ends a call over HTTP/1.1.
//!
//! Responses are written in the order in which they are ready: one of up to 16 MiB delays those behind it.
//!
//! A call is a `POST` of the target with the lines of block and call. It has no `content-length`, because the frame has one.

use std::io;

use self::frame::FrameError;

#[cfg(feature = "client")]
pub mod caller;
pub mod frame;
#[cfg(feature = "server")]
mod lines;
#[cfg(feature = "client")]
mod new_call;
mod outgoing;
mod reader;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "client")]
mod slots;

/// The name of the protocol in `Upgrade`.
pub const PROTOCOL: &str = "hub-calls";
/// The number of blocks of header lines.
pub const BLOCKS: u16 = 1024;
/// The number of calls of a connection that run at once.
pub const SLOTS: usize = 1 << SLOT_BITS;
/// The largest block of header lines.
pub const MAX_LINES_BYTES: usize = 4 * 1024;
/// The header lines of all blocks of a connection.
pub const MAX_BLOCKS_BYTES: usize = 1024 * 1024;
/// The largest call: target, lines and body. Larger ones are HTTP/1.1 requests.
pub const MAX_CALL_BYTES: usize = 16 * 1024;
/// The largest body of a response.
pub const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;

const SLOT_BITS: u32 = 10;

/// Why a connection for calls has ended.
#[derive(Debug, thiserror::Error)]
#[allow(clippy::exhaustive_enums, reason = "internal to this project")]
pub enum CallsError {
    /// The socket failed, or the peer has closed it while calls ran.
    #[error(transparent)]
    Socket(io::Error),
    /// The bytes are no frames.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The lines of a block or a call are no headers.
    #[error("the header lines of a call are invalid")]
    Lines,
    /// A call names a block that was not sent, or a block has a wrong number or is too large, or all of them are.
    #[error(
        "a block of header lines is unknown, too large, or has a number that is not allowed, or all blocks are too large"
    )]
    Block,
    /// The rest of a frame has not arrived in time.
    #[error("the rest of a frame has not arrived within 30 s")]
    Slow,
    /// The target of a call is no path.
    #[error("the target of a call is invalid")]
    Target,
    /// A call uses a slot that has a call, or a response is for a slot that never had one.
    #[error("the number of a call is not allowed")]
    Slot,
    /// The status of a response is not a number from 100 to 999.
    #[error("the status of a response is not a number from 100 to 999")]
    Status,
    /// Only the other side sends such frames.
    #[error("a frame of this kind comes from the other side only")]
    Direction,
}

impl From<io::Error> for CallsError {
    fn from(error: io::Error) -> Self {
        Self::Socket(error)
    }
}

/// The slot of a call.
fn slot(call: u32) -> usize {
    call as usize & (SLOTS - 1)
}

/// Private code that a fuzz target needs.
#[cfg(all(fuzzing, feature = "server"))]
#[doc(hidden)]
pub mod fuzzing {
    use http::HeaderMap;

    use super::lines;

    /// The headers of a call with these lines, whose block has these lines.
    pub fn headers(block: &[u8], own: &[u8]) -> Option<HeaderMap> {
        let mut headers = lines::parse(block).ok()?;
        lines::replace(&mut headers, own).ok()?;
        Some(headers)
    }
}

#[cfg(test)]
#[cfg(all(feature = "client", feature = "server"))]
mod tests;
