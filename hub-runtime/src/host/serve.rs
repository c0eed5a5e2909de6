//! The HTTP server of the app, with limits and a graceful shutdown.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_util::future::Either;
use http::Request;
use hub_core::secret_rule::Reach;
use hub_net::{
    connection::{RequestLimits, ServedBody, UnreadBodies, serve_connection},
    idle_sockets::{IdleSocket, IdleSockets},
    listen::{listen, pause_after_failed_accept},
    refusal::Refusal,
};
use hyper::service::Service;
use hyper_util::service::{TowerToHyperService, TowerToHyperServiceFuture};
use tokio::net::{TcpStream, ToSocketAddrs, lookup_host};
use tokio_util::sync::CancellationToken;

use super::HostedService;
use crate::{
    HubApp, ServeError,
    call_connections::Connections,
    negotiate::ClientAddress,
    service::{HubService, RequestBody},
    shared::Inner,
    start_line::announce,
    unlogged,
};

/// The timeout of a request head, which is also the timeout of an idle connection. The timeout is longer
/// than the keep-alive of callers' pools, so that no caller uses a connection that is being closed. The
/// limit of 100 headers is hyper's default. Setting the limit explicitly would cost an allocation per
/// request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(75);
/// The maximum size of a request head, plus the bytes of one read. Larger heads receive status 431.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// The timeout of the first request head of a connection.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest number of connections without a request. When all clients reconnect at once, many
/// connections are open before the first request is read.
const MAX_IDLE_SOCKETS: usize = 16_384;
/// The timeout of the rest of a request body that the app does not read, from the response on.
const UNREAD_BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a shutdown waits for responses that are being written.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

impl HubApp {
    /// Serves the app at `address` until SIGINT or SIGTERM, then runs [`Self::shutdown`].
    ///
    /// | Input | Limit |
    /// |---|---|
    /// | first request head of a connection | 10 s; above 16,384 connections without a request, the oldest of them is closed |
    /// | later request heads, including the idle time before them | 75 s |
    /// | size of a request head | 64 KiB plus one read, 100 headers; otherwise 431 |
    /// | body of an upstream call | [`max_body`](crate::HubAppBuilder::max_body), otherwise 413; 30 s, otherwise 408 |
    /// | rest of a request body that the app does not read | 30 s from the response on, 16 MiB; then the connection is closed. It counts as a connection without a request |
    /// | connections for several calls at once, which hub-local opens | 64; otherwise 503, and each call is a request |
    /// | each of them | 1,024 calls at once, 16 KiB each, 1 MiB of header lines that calls have in common; otherwise it is closed. 30 s for a frame; 75 to 150 s without a call |
    /// | responses on it that the service does not read | 4 MiB, then no further calls are read; after 30 s it is closed |
    ///
    /// The operating system limits the number of open connections. While file descriptors are exhausted,
    /// the server logs an error and retries.
    ///
    /// # Errors
    /// When the address cannot be bound. The error contains the fix.
    pub async fn serve(&self, address: impl ToSocketAddrs) -> Result<(), ServeError> {
        let address = lookup_host(address).await?.next().ok_or_else(|| {
            ServeError::new(io::ErrorKind::AddrNotAvailable, "the address has no IP address")
        })?;
        let connections = Connections::default();
        let service = HubService::offering(Arc::clone(&self.inner), connections.clone());
        self.serve_at(address, "pass another address to `serve`", service, connections).await
    }

    pub(crate) async fn serve_at(
        &self,
        address: SocketAddr,
        other_port: &str,
        service: impl HostedService,
        Connections { tasks: connections, stop, .. }: Connections,
    ) -> Result<(), ServeError> {
        self.check_address(address.ip())?;
        let listener = listen(address).map_err(|error| explained(&error, address, other_port))?;
        unlogged::watch();
        #[cfg(feature = "local")]
        if let Some(embedded) = &self.inner.embedded {
            embedded.start.now();
        }
        announce(&format!("App      http://{}", listener.local_addr()?));
        let idle_sockets = IdleSockets::new(MAX_IDLE_SOCKETS, Duration::ZERO);
        let app = &self.inner;
        let accepting = async {
            loop {
                match listener.accept().await {
                    Ok((stream, peer)) => {
                        let (socket, _) = idle_sockets.add(CancellationToken::new());
                        let service = Unwrapped::new(service.clone(), peer.ip(), socket);
                        let app = Arc::clone(app);
                        let refuse = move |request: &Request<ServedBody>, _: Option<&str>| {
                            refusal(&app, request)
                        };
                        connections.spawn(connection(stream, service, refuse, stop.clone()));
                    }
                    Err(error) => pause_after_failed_accept(&error).await,
                }
            }
        };
        // The app still accepts requests during the shutdown: negotiate requests get 503, and a service in
        // another process can deliver its `disconnected` calls.
        tokio::select! {
            never = accepting => match never {},
            ended = self.shutdown_on_signal() => ended?,
        }
        drop(listener);
        stop.cancel();
        connections.close();
        if tokio::time::timeout(DRAIN_TIMEOUT, connections.wait()).await.is_err() {
            tracing::warn!("not all responses were written before the shutdown timeout");
        }
        Ok(())
    }

    /// Waits for a signal and shuts down; a second signal ends the wait.
    async fn shutdown_on_signal(&self) -> io::Result<()> {
        let mut signals = Signals::listen()?;
        signals.next().await;
        tokio::select! {
            () = self.shutdown() => {}
            () = signals.next() => tracing::warn!("second stop signal: not waiting for running calls"),
        }
        Ok(())
    }

    fn check_address(&self, address: IpAddr) -> Result<(), ServeError> {
        match self.inner.loopback_only {
            Some(weakness) if Reach::of(address) == Reach::Beyond => Err(ServeError::new(
                io::ErrorKind::PermissionDenied,
                format!(
                    "an access key or the upstream code {weakness}; with it the app listens on loopback only"
                ),
            )),
            _ => Ok(()),
        }
    }
}

/// Serves one connection until it ends. When `stop` is cancelled, the connection ends after the current
/// response.
async fn connection<S: HostedService>(
    stream: TcpStream,
    service: Unwrapped<S>,
    refuse: impl Fn(&Request<ServedBody>, Option<&str>) -> Option<Refusal>,
    stop: CancellationToken,
) {
    let socket = Arc::clone(&service.socket);
    // Ignore the error: if the socket is broken, the next read or write reports it.
    let _ = stream.set_nodelay(true);
    let http = RequestLimits {
        head_timeout: HEADER_TIMEOUT,
        max_buffer: MAX_HEAD_BYTES,
        max_head: None,
        keep_alive: true,
    };
    let overdue = async {
        socket.overdue(FIRST_REQUEST_TIMEOUT).await;
        tracing::debug!("a connection without a request was closed");
    };
    let unread = UnreadBodies { sockets: socket.siblings(), timeout: UNREAD_BODY_TIMEOUT };
    serve_connection(http, stream, service, refuse, unread, &stop, overdue).await;
}

/// The refusal of a request for a foreign host. It protects the application's own routes, too.
fn refusal(app: &Inner, request: &Request<ServedBody>) -> Option<Refusal> {
    let refused = app.host_refusal(request.method(), request.uri(), request.headers());
    refused.map(|(status, text)| Refusal { status, text })
}

/// Adds advice to the error of an address that cannot be bound. `other_port` is how to choose another port.
fn explained(error: &io::Error, address: SocketAddr, other_port: &str) -> ServeError {
    let port = address.port();
    let text = match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("port {port} is in use: {other_port}, or stop the process that listens there")
        }
        io::ErrorKind::PermissionDenied => {
            format!("port {port} needs privileges, as all ports below 1024: {other_port}")
        }
        _ => format!("cannot listen on {address}: {error}"),
    };
    ServeError::new(error.kind(), text)
}

/// SIGINT and SIGTERM; Ctrl-C on Windows.
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
        // Without a handler for Ctrl-C there is no signal to wait for.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Whether a request may be for a route that limits the requests of a client.
fn is_limited(path: &str) -> bool {
    ["negotiate", "refresh"].iter().any(|last| {
        let begins = path.len().checked_sub(last.len());
        let end = begins.and_then(|begins| path.get(begins..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(last))
    })
}

/// Makes a hyper service of a tower service: converts hyper's body type to [`RequestBody`], and adds the client's
/// address to requests that are limited.
#[derive(Clone)]
struct Unwrapped<S> {
    service: S,
    peer: IpAddr,
    socket: Arc<IdleSocket>,
}

impl<S> Unwrapped<S> {
    fn new(service: S, peer: IpAddr, socket: IdleSocket) -> Self {
        Self { service, peer, socket: Arc::new(socket) }
    }
}

impl<S: HostedService> Service<Request<ServedBody>> for Unwrapped<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<S::Future, TowerToHyperServiceFuture<S, Request<RequestBody>>>;

    fn call(&self, request: Request<ServedBody>) -> Self::Future {
        self.socket.requested();
        let mut request = request.map(RequestBody::served);
        // Only negotiate and refresh read the address. Upstream calls get no extension, because it would allocate.
        if is_limited(request.uri().path()) {
            request.extensions_mut().insert(ClientAddress(self.peer));
        }
        let mut service = self.service.clone();
        // Most services are always ready. Then the request is not stored.
        match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Either::Left(service.call(request)),
            _ => Either::Right(TowerToHyperService::new(service).call(request)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        future::Ready,
        io::{Read, Write},
        net::Ipv4Addr,
        pin::pin,
    };

    use bytes::Bytes;
    use futures_util::poll;
    use http::Response;
    use http_body_util::Full;

    use super::*;

    #[derive(Clone)]
    struct Answers;

    impl tower_service::Service<Request<RequestBody>> for Answers {
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

    /// Simulates many clients that reconnect: sockets are accepted faster than they are read.
    #[tokio::test]
    async fn a_pending_request_is_answered_even_if_many_connections_follow() {
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        for round in 0..40 {
            // Use a blocking socket, so that the runtime notices the request as late as possible.
            let mut peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (stream, from) = listener.accept().await.unwrap();
            let idle_sockets = IdleSockets::new(1, Duration::ZERO);
            let add = || idle_sockets.add(CancellationToken::new()).0;
            let service = Unwrapped::new(Answers, from.ip(), add());
            let mut served =
                pin!(connection(stream, service, |_, _| None, CancellationToken::new()));
            if round % 2 == 0 {
                assert!(poll!(&mut served).is_pending());
            }

            peer.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
            let _others = [add(), add()];
            served.await;

            let mut answered = String::new();
            peer.read_to_string(&mut answered).unwrap();
            assert!(answered.starts_with("HTTP/1.1 200 OK\r\n"), "{round}: {answered}");
        }
    }
}
