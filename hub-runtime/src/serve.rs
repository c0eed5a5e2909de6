//! Serving the app over HTTP, with limits and an orderly end.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs, lookup_host};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service;

use crate::{
    ClientAddress, HubApp, RequestBody,
    arrivals::{Arrival, Arrivals},
    config::env,
    start_line::announce,
};

/// How long a peer may take for its request line and headers, and so how long a connection may idle.
/// Longer than the pools of callers keep theirs, so that no call meets a connection just closed. (How
/// many headers there may be is hyper's own limit, 100: saying so again costs at every request.)
const HEADER_TIMEOUT: Duration = Duration::from_secs(75);
/// How many bytes of a request line and its headers are waited for, and so what a connection holds of
/// what its peer says: this, and what one more read brings. More is answered 431.
const MAX_HEAD: usize = 64 * 1024;
/// The pause after a failed accept, which mostly means that file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How many connections may wait to be accepted, or as many as the system allows: after an outage all
/// clients negotiate at once, and whoever finds no room tries again after seconds only.
const BACKLOG: u32 = 65_535;
/// How long answers may take once the end has begun.
const DRAIN: Duration = Duration::from_secs(5);

impl HubApp {
    /// Serves the app at `address` until SIGINT or SIGTERM, then runs [`Self::shutdown`].
    ///
    /// | Of a peer it waits for | at most |
    /// |---|---|
    /// | the first request of a connection, with all its headers | 10 s; of more than 16,384 connections that have not asked, the longest silent is closed |
    /// | each later one, and idling between them | 75 s |
    /// | request line and headers | 64 KiB and what one read brings, 100 headers: else 431 |
    /// | the body of an upstream call | [`max_body`](crate::HubAppBuilder::max_body): else 413; 30 s: else 408 |
    ///
    /// How many connections may be open is the operating system's limit. Without file descriptors it waits, and says so.
    ///
    /// # Errors
    /// When the address cannot be bound, with what to do about a port that is taken.
    pub async fn serve(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        let address = lookup_host(address).await?.next().ok_or_else(|| {
            io::Error::new(io::ErrorKind::AddrNotAvailable, "the address has no IP address")
        })?;
        self.serve_at(address, self.service()).await
    }

    pub(crate) async fn serve_at<S, B>(&self, address: SocketAddr, service: S) -> io::Result<()>
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.check_address(address.ip())?;
        let listener = listen(address).map_err(|error| explained(error, address))?;
        announce(&format!("App      http://{}", listener.local_addr()?));
        let (connections, stopping) = (TaskTracker::new(), CancellationToken::new());
        let arrivals = Arrivals::default();
        let accepting = async {
            loop {
                match listener.accept().await {
                    Ok((stream, peer)) => {
                        let arrival = arrivals.come();
                        let service =
                            Unwrapped { service: service.clone(), peer: peer.ip(), arrival };
                        connections.spawn(connection(stream, service, stopping.clone()));
                    }
                    Err(error) => {
                        tracing::error!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        // Until the end is done there are answers: 503 to a negotiate, and the `disconnected` calls
        // of a service in another process.
        tokio::select! {
            never = accepting => match never {},
            ended = self.asked_and_shut_down() => ended?,
        }
        drop(listener);
        stopping.cancel();
        connections.close();
        if tokio::time::timeout(DRAIN, connections.wait()).await.is_err() {
            tracing::warn!("some answers were not finished in time");
        }
        Ok(())
    }

    /// Waits for a signal and shuts down; a second signal ends the wait.
    async fn asked_and_shut_down(&self) -> io::Result<()> {
        let mut signals = Signals::listen()?;
        signals.next().await;
        tokio::select! {
            () = self.shutdown() => {}
            () = signals.next() => tracing::warn!("asked again to stop: not waiting any longer"),
        }
        Ok(())
    }

    fn check_address(&self, address: IpAddr) -> io::Result<()> {
        if !self.inner.well_known_key || address.is_loopback() {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the emulator's well-known key protects nothing: with it the app listens on loopback only",
        ))
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As `TcpListener::bind` does: a port that was just left is free. On Windows it means more.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves one connection until it ends, or until the current answer is written once the end begins.
async fn connection<S, B>(stream: TcpStream, service: Unwrapped<S>, stopping: CancellationToken)
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let arrival = Arc::clone(&service.arrival);
    // A failure shows at the next read or write.
    let _ = stream.set_nodelay(true);
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
            .with_upgrades()
    );
    let ended = tokio::select! {
        // In this order: a request that is there is read before its peer is taken for silent.
        biased;
        ended = connection.as_mut() => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = arrival.overdue() => {
            tracing::debug!("a connection asked for nothing in time and was closed");
            Ok(())
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

/// The start line's error, in words that say what to do.
fn explained(error: io::Error, address: SocketAddr) -> io::Error {
    if error.kind() != io::ErrorKind::AddrInUse {
        return error;
    }
    let text = format!(
        "port {} is taken: set {} to another port, or stop what listens there",
        address.port(),
        env::PORT
    );
    io::Error::new(io::ErrorKind::AddrInUse, text)
}

/// SIGINT and SIGTERM, or Ctrl-C where there are no signals.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        let (terminate, interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    async fn next(&mut self) {
        // Where Ctrl-C cannot be listened for, nothing asks to stop.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn is_negotiate(path: &str) -> bool {
    const LAST: &str = "negotiate";
    let begins = path.len().checked_sub(LAST.len());
    begins.and_then(|begins| path.get(begins..)).is_some_and(|end| end.eq_ignore_ascii_case(LAST))
}

/// Gives a service our body type instead of hyper's, and negotiates their client's address.
#[derive(Clone)]
struct Unwrapped<S> {
    service: S,
    peer: IpAddr,
    arrival: Arc<Arrival>,
}

impl<S: Service<Request<RequestBody>>> Service<Request<Incoming>> for Unwrapped<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Incoming>) -> S::Future {
        self.arrival.ask();
        let mut request = request.map(RequestBody::from);
        // Nothing else asks, and an extension costs allocations that upstream calls can do without.
        if is_negotiate(request.uri().path()) {
            request.extensions_mut().insert(ClientAddress(self.peer));
        }
        self.service.call(request)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::Ready,
        io::{Read, Write},
        net::Ipv4Addr,
    };

    use bytes::Bytes;
    use futures_util::poll;
    use http_body_util::Full;

    use super::*;

    #[derive(Clone)]
    struct Answers;

    impl Service<Request<RequestBody>> for Answers {
        type Response = Response<Full<Bytes>>;
        type Error = Infallible;
        type Future = Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<RequestBody>) -> Self::Future {
            std::future::ready(Ok(Response::default()))
        }
    }

    /// As in a storm of clients that come back: more are accepted than are looked at.
    #[tokio::test]
    async fn a_request_that_is_there_is_answered_however_many_connections_have_come_since() {
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        for round in 0..40 {
            // One that waits without the runtime, which so learns of the request as late as can be.
            let mut peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (stream, from) = listener.accept().await.unwrap();
            let arrivals = Arrivals::at_most(1);
            let service = Unwrapped { service: Answers, peer: from.ip(), arrival: arrivals.come() };
            let mut served = pin!(connection(stream, service, CancellationToken::new()));
            if round % 2 == 0 {
                assert!(poll!(&mut served).is_pending());
            }

            peer.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
            let _others = [arrivals.come(), arrivals.come()];
            served.await;

            let mut answered = String::new();
            peer.read_to_string(&mut answered).unwrap();
            assert!(answered.starts_with("HTTP/1.1 200 OK\r\n"), "{round}: {answered}");
        }
    }
}
