//! What happens when the process comes near its limit of file descriptors: new clients are told so,
//! while what is left serves upstream calls and REST.

use std::time::Duration;

use tokio::{net::TcpStream, time::Instant};

use crate::limits::Limits;

/// At most this many descriptors are kept back.
const RESERVE: usize = 4096;
/// A full service says so at most this often.
const QUIET: Duration = Duration::from_secs(10);

/// What new clients get.
pub(crate) const NO_ROOM: &str = "the service has no file descriptors for more clients";

/// Marks requests of sockets for which there is hardly any room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowded;

/// Watches the limit.
#[derive(Debug)]
pub(crate) struct Descriptors {
    limit: Option<usize>,
    told: Option<Instant>,
}

/// How many descriptors are kept back from clients, of this many.
pub(crate) fn reserve(limit: usize) -> usize {
    (limit / 4).min(RESERVE)
}

/// How many sockets may say nothing: never so many that there is no room for others, also while
/// there are twice as many.
pub(crate) fn silent(limits: &Limits) -> usize {
    let room = limits.max_file_descriptors.map(|limit| (limit - reserve(limit)) / 4);
    room.map_or(limits.max_idle_sockets, |room| room.min(limits.max_idle_sockets))
}

impl Descriptors {
    pub(crate) fn new(limit: Option<usize>) -> Self {
        Self { limit, told: None }
    }

    /// Whether this socket got one of the last descriptors.
    pub(crate) fn is_crowded(&mut self, stream: &TcpStream) -> bool {
        let (Some(limit), Some(number)) = (self.limit, number(stream)) else { return false };
        let is_crowded = number >= limit - reserve(limit);
        if is_crowded && self.told.is_none_or(|told| told.elapsed() > QUIET) {
            self.told = Some(Instant::now());
            tracing::warn!(limit, "{NO_ROOM}: they get 503; check `ulimit -n`");
        }
        is_crowded
    }
}

/// The system gives out the lowest free number, so all below it are taken.
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
    async fn the_number_of_a_socket_tells_how_much_room_there_is() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();

        assert!(!Descriptors::new(None).is_crowded(&stream));
        assert!(!Descriptors::new(Some(1_000_000)).is_crowded(&stream));
        assert!(Descriptors::new(Some(4)).is_crowded(&stream));
    }

    #[test]
    fn a_quarter_is_kept_back_and_at_most_4096() {
        assert_eq!(reserve(256), 64);
        assert_eq!(reserve(1_048_576), 4096);
        assert_eq!(reserve(0), 0);
    }

    #[test]
    fn a_quarter_of_the_others_may_say_nothing() {
        let room = |descriptors| {
            silent(&Limits { max_file_descriptors: descriptors, ..Limits::default() })
        };

        assert_eq!(room(Some(1024)), 192);
        assert_eq!(room(Some(1_048_576)), 16_384);
        assert_eq!(room(None), 16_384);
    }
}
