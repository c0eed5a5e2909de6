//! Refuses new clients when the process is near its limit of file descriptors, so that upstream calls
//! and REST calls can still open sockets.

use hub_net::log_limit::LogLimit;
use tokio::net::TcpStream;

use crate::{causes::Cause, limits::Limits};

/// The largest number of reserved descriptors.
const MAX_RESERVE: usize = 4096;

/// A request extension: the socket has one of the reserved descriptors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LowDescriptors;

/// Compares accepted sockets with the limit of the process.
#[derive(Debug)]
pub(crate) struct Descriptors {
    limit: Option<usize>,
    log: LogLimit,
}

/// The number of descriptors that new clients cannot use, if `limit` is the limit of the process.
pub(crate) fn reserve(limit: usize) -> usize {
    (limit / 4).min(MAX_RESERVE)
}

/// The limit of sockets without a complete request. The hard limit is twice this number, which leaves half
/// of the descriptors for clients free.
pub(crate) fn max_idle_sockets(limits: &Limits) -> usize {
    let room = limits.max_file_descriptors.map(|limit| (limit - reserve(limit)) / 4);
    room.map_or(limits.max_idle_sockets, |room| room.min(limits.max_idle_sockets))
}

impl Descriptors {
    pub(crate) fn new(limit: Option<usize>) -> Self {
        Self { limit, log: LogLimit::new(1) }
    }

    /// Whether this socket has one of the reserved descriptors.
    pub(crate) fn is_reserved(&self, stream: &TcpStream) -> bool {
        let (Some(limit), Some(number)) = (self.limit, number(stream)) else { return false };
        let is_reserved = number >= limit - reserve(limit);
        if is_reserved {
            let cause = Cause::NoDescriptors;
            self.log.line(cause.id(), |omitted| {
                let (text, check) = (cause.text(), cause.check());
                tracing::warn!(
                    limit,
                    cause = cause.id(),
                    check,
                    omitted,
                    "{text}: new clients get status 503"
                );
            });
        }
        is_reserved
    }
}

/// POSIX: `accept` uses the lowest free number, so all numbers below it are in use.
#[cfg(unix)]
fn number(stream: &TcpStream) -> Option<usize> {
    use std::os::fd::AsRawFd as _;

    usize::try_from(stream.as_raw_fd()).ok()
}

/// Other systems have no such limit.
#[cfg(not(unix))]
fn number(_: &TcpStream) -> Option<usize> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_descriptor_number_determines_whether_it_is_reserved() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();

        assert!(!Descriptors::new(None).is_reserved(&stream));
        assert!(!Descriptors::new(Some(1_000_000)).is_reserved(&stream));
        assert!(Descriptors::new(Some(4)).is_reserved(&stream));
    }

    #[test]
    fn a_quarter_of_the_descriptors_and_at_most_4096_are_reserved() {
        assert_eq!(reserve(256), 64);
        assert_eq!(reserve(1_048_576), 4096);
        assert_eq!(reserve(0), 0);
    }

    #[test]
    fn a_quarter_of_the_client_descriptors_may_be_idle() {
        let room = |descriptors| {
            max_idle_sockets(&Limits { max_file_descriptors: descriptors, ..Limits::default() })
        };

        assert_eq!(room(Some(1024)), 192);
        assert_eq!(room(Some(1_048_576)), 16_384);
        assert_eq!(room(None), 16_384);
    }
}
