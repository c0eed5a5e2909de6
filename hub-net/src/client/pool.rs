//! Kept connections by runtime and host. The connection that was used last is used next.

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use http::Uri;
use parking_lot::Mutex;
use tokio::{
    runtime::{Handle, Id},
    task::AbortHandle,
    time::{Instant, sleep_until},
};
use tower_service::Service;

use super::{
    RequestError,
    calls::Calls,
    exchange::{Connection, exchange},
    request::Plain,
    response::{Expected, Incoming},
    socket::Socket,
};
use crate::{BoxError, log_limit::LogLimit};

/// Opens sockets.
pub(super) trait Connect:
    Service<Uri, Response = Self::Socket, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static
{
    type Socket: Socket + Send + 'static;
}

impl<C> Connect for C
where
    C: Service<Uri, Response: Socket + Send + 'static, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
{
    type Socket = C::Response;
}

/// A pool of connections for one scheme.
pub(super) struct Pool<C: Connect> {
    connector: C,
    runtimes: Arc<Runtimes<C::Socket>>,
    log: Arc<LogLimit>,
}

/// The hosts of each runtime: sockets belong to the runtime that has opened them, and end with it.
struct Runtimes<I> {
    all: Mutex<Vec<(Id, Arc<Hosts<I>>)>>,
    idle_timeout: Duration,
}

/// The hosts of a runtime. Unused hosts are removed.
struct Hosts<I> {
    by_authority: Mutex<HashMap<Box<str>, Arc<Host<I>>>>,
    /// The task that closes idle connections. It runs while there are hosts.
    closer: OnceLock<AbortHandle>,
}

/// A host and its connections without a request.
pub(super) struct Host<I> {
    /// The connections for several calls at once.
    pub(super) calls: Calls,
    /// The URL without path and query.
    uri: Uri,
    /// The header line.
    line: Box<str>,
    /// In the order of their last use.
    idle: Mutex<Vec<(Connection<I>, Instant)>>,
}

impl<C: Connect> Pool<C> {
    pub(super) fn new(connector: C, idle_timeout: Duration) -> Self {
        let runtimes = Arc::new(Runtimes { all: Mutex::default(), idle_timeout });
        Self { connector, runtimes, log: Arc::new(LogLimit::new(1)) }
    }

    /// The host of a URL, for the current runtime.
    pub(super) fn host(&self, uri: &Uri) -> Result<Arc<Host<C::Socket>>, BoxError> {
        self.runtimes.host(uri)
    }

    /// Opens connections.
    pub(super) fn opener(&self) -> Opener<C> {
        Opener { connector: self.connector.clone() }
    }

    /// Limits log lines about servers.
    pub(super) fn log(&self) -> Arc<LogLimit> {
        Arc::clone(&self.log)
    }

    /// Sends a request on a kept connection, or on a new one, and reads the response.
    pub(super) async fn request(
        &self,
        request: Plain<'_>,
        expected: Expected,
    ) -> Result<Incoming, RequestError> {
        let host = self.host(request.uri).map_err(RequestError::Unreachable)?;
        self.request_at(&host, request, expected).await
    }

    /// Sends a request to a host.
    pub(super) async fn request_at(
        &self,
        host: &Host<C::Socket>,
        request: Plain<'_>,
        expected: Expected,
    ) -> Result<Incoming, RequestError> {
        let encoded = request.encode(&host.line);
        let mut incoming = Incoming::new(expected);
        // Ends: each repetition removes a kept connection from the pool.
        loop {
            let kept = host.kept(self.runtimes.idle_timeout);
            let is_kept = kept.is_some();
            let mut connection = match kept {
                Some(kept) => kept,
                // Boxed: most requests have a kept connection, and their futures are smaller without it.
                None => Box::pin(self.opener().connect(host.uri.clone()))
                    .await
                    .map_err(RequestError::Unreachable)?,
            };
            match exchange(&mut connection, &encoded, &mut incoming).await {
                Err(failure) if is_kept && failure.is_unread => {}
                Err(failure) => return Err(failure.error),
                Ok(is_reusable) => {
                    if is_reusable {
                        host.keep(connection);
                    }
                    return Ok(incoming);
                }
            }
        }
    }
}

/// Opens connections.
pub(super) struct Opener<C> {
    connector: C,
}

impl<C: Connect> Opener<C> {
    pub(super) async fn connect(mut self, uri: Uri) -> Result<Connection<C::Socket>, BoxError> {
        poll_fn(|cx| self.connector.poll_ready(cx)).await.map_err(Into::into)?;
        self.connector.call(uri).await.map(Connection::new).map_err(Into::into)
    }
}

impl<I: Send + 'static> Runtimes<I> {
    /// The host of a URL, for the current runtime.
    fn host(self: &Arc<Self>, uri: &Uri) -> Result<Arc<Host<I>>, BoxError> {
        let authority = uri.authority().ok_or("the URL has no host")?.as_str();
        let id = Handle::current().id();
        let mut all = self.all.lock();
        if let Some((_, hosts)) = all.iter().find(|(of, _)| *of == id) {
            return hosts.host(authority, uri);
        }
        let hosts = Arc::<Hosts<I>>::default();
        let host = hosts.host(authority, uri)?;
        all.push((id, Arc::clone(&hosts)));
        // Without the lock: a runtime that ends drops the task at once.
        drop(all);
        let (runtimes, of) = (Arc::downgrade(self), Arc::downgrade(&hosts));
        let closing = Closer { runtimes, hosts: of }.run(self.idle_timeout);
        let _ = hosts.closer.set(tokio::spawn(closing).abort_handle());
        Ok(host)
    }
}

impl<I> Default for Hosts<I> {
    fn default() -> Self {
        Self { by_authority: Mutex::default(), closer: OnceLock::new() }
    }
}

impl<I> Hosts<I> {
    fn host(&self, authority: &str, uri: &Uri) -> Result<Arc<Host<I>>, BoxError> {
        let mut by_authority = self.by_authority.lock();
        if let Some(host) = by_authority.get(authority) {
            return Ok(Arc::clone(host));
        }
        let host = Arc::new(Host::new(uri)?);
        by_authority.insert(authority.into(), Arc::clone(&host));
        Ok(host)
    }

    /// Removes the connections that were idle for too long, and hosts that are not used. Returns the connections, and
    /// when to look again, or `None` if no host is left.
    fn take_idle(&self, idle_timeout: Duration) -> (Vec<Connection<I>>, Option<Instant>) {
        let (now, mut closed) = (Instant::now(), Vec::new());
        let mut next = now + idle_timeout;
        let mut by_authority = self.by_authority.lock();
        by_authority.retain(|_, host| {
            let mut idle = host.idle.lock();
            // In the order of their last use.
            let expired = idle.partition_point(|(_, since)| *since + idle_timeout <= now);
            closed.extend(idle.drain(..expired).map(|(connection, _)| connection));
            match idle.first() {
                Some((_, since)) => next = next.min(*since + idle_timeout),
                None => idle.shrink_to_fit(),
            }
            // Requests that run hold the host.
            !idle.is_empty() || Arc::strong_count(host) > 1 || host.calls.any()
        });
        by_authority.shrink_to_fit();
        let next = (!by_authority.is_empty()).then_some(next);
        (closed, next)
    }
}

impl<I> Drop for Hosts<I> {
    fn drop(&mut self) {
        if let Some(closer) = self.closer.get() {
            closer.abort();
        }
    }
}

/// Closes idle connections of a runtime. The end of its task, which is also the end of the runtime, removes the hosts.
struct Closer<I> {
    runtimes: Weak<Runtimes<I>>,
    hosts: Weak<Hosts<I>>,
}

impl<I> Closer<I> {
    async fn run(self, idle_timeout: Duration) {
        let mut next = Instant::now() + idle_timeout;
        loop {
            sleep_until(next).await;
            let Some(runtimes) = self.runtimes.upgrade() else { return };
            // Under the lock: a request finds either the hosts with their closer, or none.
            let mut all = runtimes.all.lock();
            let Some(hosts) = self.hosts.upgrade() else { return };
            let (closed, later) = hosts.take_idle(idle_timeout);
            let Some(later) = later else {
                all.retain(|(_, other)| !Arc::ptr_eq(other, &hosts));
                return;
            };
            drop(all);
            drop(closed);
            next = later;
        }
    }
}

impl<I> Drop for Closer<I> {
    fn drop(&mut self) {
        let Some(runtimes) = self.runtimes.upgrade() else { return };
        let removed = {
            let mut all = runtimes.all.lock();
            let own = all.iter().position(|(_, other)| Arc::as_ptr(other) == self.hosts.as_ptr());
            own.map(|own| all.swap_remove(own))
        };
        drop(removed);
    }
}

impl<I> Host<I> {
    fn new(uri: &Uri) -> Result<Self, BoxError> {
        let authority = uri.authority().ok_or("the URL has no host")?;
        // The default port is not written.
        let port = match (uri.scheme_str(), uri.port_u16()) {
            (Some("https"), Some(443)) | (Some("http"), Some(80)) | (_, None) => String::new(),
            (_, Some(port)) => format!(":{port}"),
        };
        let line = format!("host: {}{port}\r\n", authority.host()).into();
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(http::uri::PathAndQuery::from_static("/"));
        let (calls, idle) = (Calls::default(), Mutex::default());
        Ok(Self { calls, uri: Uri::from_parts(parts)?, line, idle })
    }

    /// The URL without path and query.
    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The header line with the host.
    pub(super) fn line(&self) -> &str {
        &self.line
    }

    /// Takes the connection that was used last.
    fn kept(&self, idle_timeout: Duration) -> Option<Connection<I>> {
        let mut idle = self.idle.lock();
        let (connection, since) = idle.pop()?;
        if since.elapsed() < idle_timeout {
            return Some(connection);
        }
        // All others were idle for longer.
        let closed = std::mem::take(&mut *idle);
        drop(idle);
        drop((connection, closed));
        None
    }

    /// Keeps a connection for the next request.
    fn keep(&self, connection: Connection<I>) {
        self.idle.lock().push((connection, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_line_has_no_default_port() {
        for (url, line) in [
            ("http://a:80/x?y", "host: a\r\n"),
            ("https://a:443/", "host: a\r\n"),
            ("http://a:443/", "host: a:443\r\n"),
            ("https://a:80/", "host: a:80\r\n"),
            ("http://[::1]:7071/", "host: [::1]:7071\r\n"),
        ] {
            let host = Host::<()>::new(&Uri::from_static(url)).unwrap();

            assert_eq!(&*host.line, line, "{url}");
        }
    }

    #[test]
    fn hosts_that_are_not_used_need_no_memory() {
        let hosts = Hosts::<()>::default();
        for number in 0..1000 {
            let uri: Uri = format!("http://{number}.example/").parse().unwrap();
            hosts.host(uri.authority().unwrap().as_str(), &uri).unwrap();
        }
        let used = hosts.host("a.example", &Uri::from_static("http://a.example/")).unwrap();

        assert!(hosts.take_idle(Duration::ZERO).1.is_some());
        assert!(hosts.by_authority.lock().capacity() < 10);
        drop(used);
        assert!(hosts.take_idle(Duration::ZERO).1.is_none());
    }
}
