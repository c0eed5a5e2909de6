//! Binding a socket on which thousands of clients may knock at once.

use std::{io, net::SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

/// How many may wait to be accepted. Systems take less where they are set so (`somaxconn`); what they
/// would take by default is 128 to 1,024, and whoever finds no room knocks again after seconds only.
const BACKLOG: u32 = 65_535;

/// A listener for [`LocalService::serve`](crate::LocalService::serve) on which all clients may come
/// back at once, as they do after the service was away. Those of `TcpListener::bind` let a thousand
/// wait, or less, and the others try again after one second, three, seven.
///
/// # Errors
/// When the address cannot be bound.
///
/// # Panics
/// Outside a Tokio runtime.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As `TcpListener::bind` does: a port that was just left is free. On Windows it means more.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(all(test, target_os = "linux", feature = "cli"))]
mod tests {
    use std::{net::Ipv4Addr, net::TcpStream, time::Duration};

    use super::*;

    /// Nobody accepts, so each of them waits in the queue; one that finds no room waits in vain.
    #[tokio::test]
    async fn as_many_may_knock_at_once_as_the_system_lets_wait() {
        let allowed = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        let descriptors = rlimit::increase_nofile_limit(u64::MAX).unwrap();
        let many = allowed.trim().parse().unwrap_or(128).min(1500).min(descriptors / 2);

        let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let knock = |_| TcpStream::connect_timeout(&address, Duration::from_secs(30));
        let waiting: Result<Vec<_>, _> = (0..many).map(knock).collect();

        assert_eq!(waiting.unwrap().len() as u64, many);
    }
}
