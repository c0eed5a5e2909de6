//! Listeners for many clients that connect at the same time.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket},
    time::sleep,
};

/// The length of the accept queue. The system lowers it to its own maximum (`somaxconn`).
const BACKLOG: u32 = 65_535;
/// The text of the log for a failed accept.
pub const ACCEPT_FAILED: &str = "cannot accept a connection; retrying in 100 ms";
/// The pause after a failed accept. Most failures mean that file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Binds a listener whose accept queue is as long as the system allows.
///
/// After an outage all clients reconnect at once. `TcpListener::bind` queues at most 1,024 connections;
/// the other clients retry their SYN after 1, 3 and 7 seconds.
///
/// # Errors
/// When the address cannot be bound.
///
/// # Panics
/// Outside a Tokio runtime.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As `TcpListener::bind` does, so that a port in TIME_WAIT can be bound. On Windows the option would
    // allow two listeners on one port.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Logs a failed accept and waits before the next accept. Returns at once if only this connection failed.
pub async fn pause_after_failed_accept(error: &io::Error) {
    let is_of_one_connection = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    );
    if !is_of_one_connection {
        tracing::error!(%error, "{ACCEPT_FAILED}");
        sleep(ACCEPT_PAUSE).await;
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};

    use super::*;

    /// No connection is accepted, so every connection waits in the queue. A connection without room in the
    /// queue would time out.
    #[tokio::test]
    async fn the_accept_queue_is_as_long_as_the_system_allows() {
        let allowed = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        let descriptors = rlimit::increase_nofile_limit(u64::MAX).unwrap();
        let many = allowed.trim().parse().unwrap_or(128).min(1500).min(descriptors / 2);

        let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let connect = |_| TcpStream::connect_timeout(&address, Duration::from_secs(30));
        let queued: Result<Vec<_>, _> = (0..many).map(connect).collect();

        assert_eq!(queued.unwrap().len() as u64, many);
    }
}
