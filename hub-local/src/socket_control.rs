//! Control of a request's socket by the handler of the request.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hub_net::stall_timeout::StallTimeout;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// A request extension through which the handler controls its socket.
#[derive(Clone, Debug, Default)]
pub(crate) struct SocketControl {
    pub(crate) closed: CancellationToken,
    /// Relaxed: the flag publishes no other data.
    is_stall_timeout_suspended: Arc<AtomicBool>,
}

impl SocketControl {
    /// Closes the socket, because its client does not read the response.
    pub(crate) fn close(&self) {
        self.closed.cancel();
    }

    /// Applies the stall timeout to the response of a new request.
    pub(crate) fn resume_stall_timeout(&self) {
        self.is_stall_timeout_suspended.store(false, Ordering::Relaxed);
    }

    /// Lets the client read the response at its own pace. The outbox bounds the pending data.
    pub(crate) fn suspend_stall_timeout(&self) {
        self.is_stall_timeout_suspended.store(true, Ordering::Relaxed);
    }

    /// Wraps an accepted stream with the stall timeout.
    pub(crate) fn guard(&self, stream: TcpStream, timeout: Duration) -> StallTimeout {
        // Nagle's algorithm would delay small messages. An error means that the peer has disconnected.
        let _ = stream.set_nodelay(true);
        StallTimeout::new(stream, timeout, Arc::clone(&self.is_stall_timeout_suspended))
    }
}
