//! Kept connections by host. The connection that was used last is used next.

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header::HOST};
use http_body_util::Full;
use hyper::{
    client::conn::http1,
    rt::{Read, Write},
};
use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    task::AbortHandle,
    time::{Instant, sleep},
};
use tower_service::Service;

use super::{
    RequestError,
    exchange::{Connection, ResponseBody, exchange},
};
use crate::BoxError;

/// Opens sockets.
pub(super) trait Connect:
    Service<
        Uri,
        Response: Read + Write + Unpin + Send + 'static,
        Error: Into<BoxError>,
        Future: Send,
    > + Clone
{
}

impl<C> Connect for C where
    C: Service<
            Uri,
            Response: Read + Write + Unpin + Send + 'static,
            Error: Into<BoxError>,
            Future: Send,
        > + Clone
{
}

/// A pool of connections for one scheme.
pub(super) struct Pool<C> {
    connector: C,
    hosts: Arc<Hosts>,
}

/// The hosts of a pool. Unused hosts are removed.
struct Hosts {
    by_authority: Mutex<HashMap<Box<str>, Arc<Host>>>,
    idle_timeout: Duration,
    /// The task that closes idle connections. It runs while there are hosts.
    closer: Mutex<Option<AbortHandle>>,
}

/// A host and its connections without a request.
pub(super) struct Host {
    /// The URL without path and query.
    uri: Uri,
    header: HeaderValue,
    /// In the order of their last use.
    idle: Mutex<Vec<(Connection, Instant)>>,
}

impl<C: Connect> Pool<C> {
    pub(super) fn new(connector: C, idle_timeout: Duration) -> Self {
        let hosts =
            Hosts { by_authority: Mutex::default(), idle_timeout, closer: Mutex::default() };
        Self { connector, hosts: Arc::new(hosts) }
    }

    /// Sends a request on a kept connection, or on a new one.
    pub(super) async fn request(
        &self,
        request: Request<Bytes>,
    ) -> Result<Response<ResponseBody>, RequestError> {
        let host = self.hosts.host(request.uri()).map_err(RequestError::Unreachable)?;
        let request = host.prepare(request);
        // Ends: each repetition removes a kept connection from the pool.
        while let Some(kept) = host.kept(self.hosts.idle_timeout) {
            match exchange(kept, &host, request.clone()).await {
                Err(failure) if failure.is_unread() => {}
                other => return other.map_err(|failure| failure.into()),
            }
        }
        let connection = self.connect(host.uri.clone()).await.map_err(RequestError::Unreachable)?;
        exchange(connection, &host, request).await.map_err(|failure| failure.into())
    }

    async fn connect(&self, uri: Uri) -> Result<Connection, BoxError> {
        let mut connector = self.connector.clone();
        poll_fn(|cx| connector.poll_ready(cx)).await.map_err(Into::into)?;
        let socket = connector.call(uri).await.map_err(Into::into)?;
        let (sender, driver) = http1::handshake(socket).await?;
        Ok(Connection::new(sender, driver))
    }
}

impl Hosts {
    fn host(self: &Arc<Self>, uri: &Uri) -> Result<Arc<Host>, BoxError> {
        let authority = uri.authority().ok_or("the URL has no host")?.as_str();
        let mut hosts = self.by_authority.lock();
        if let Some(host) = hosts.get(authority) {
            self.start_closer();
            return Ok(Arc::clone(host));
        }
        let host = Arc::new(Host::new(uri)?);
        hosts.insert(authority.into(), Arc::clone(&host));
        self.start_closer();
        Ok(host)
    }

    /// Starts the task that closes idle connections. It ends with its runtime.
    fn start_closer(self: &Arc<Self>) {
        let mut closer = self.closer.lock();
        if closer.as_ref().is_none_or(AbortHandle::is_finished) {
            let (hosts, time) = (Arc::downgrade(self), self.idle_timeout);
            let task = tokio::spawn(async move {
                loop {
                    sleep(time).await;
                    if close_idle(&hosts) {
                        return;
                    }
                }
            });
            *closer = Some(task.abort_handle());
        }
    }
}

/// Closes connections that were idle for too long. Returns whether the task ends.
fn close_idle(hosts: &Weak<Hosts>) -> bool {
    let Some(hosts) = hosts.upgrade() else { return true };
    let mut by_authority = hosts.by_authority.lock();
    let mut closed = Vec::new();
    by_authority.retain(|_, host| {
        let mut idle = host.idle.lock();
        // In the order of their last use.
        let expired = idle.partition_point(|(_, since)| since.elapsed() >= hosts.idle_timeout);
        closed.extend(idle.drain(..expired));
        if idle.is_empty() {
            idle.shrink_to_fit();
        }
        // Requests that run hold the host.
        !idle.is_empty() || Arc::strong_count(host) > 1
    });
    let ends = by_authority.is_empty();
    if ends {
        // Under the lock: the next host starts the task again.
        *hosts.closer.lock() = None;
    }
    drop(by_authority);
    drop(closed);
    ends
}

impl Drop for Hosts {
    fn drop(&mut self) {
        if let Some(closer) = self.closer.get_mut() {
            closer.abort();
        }
    }
}

impl Host {
    fn new(uri: &Uri) -> Result<Self, BoxError> {
        let authority = uri.authority().ok_or("the URL has no host")?;
        // The default port is not written.
        let port = match (uri.scheme_str(), uri.port_u16()) {
            (Some("https"), Some(443)) | (Some("http"), Some(80)) | (_, None) => String::new(),
            (_, Some(port)) => format!(":{port}"),
        };
        let header = HeaderValue::from_str(&format!("{}{port}", authority.host()))?;
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(http::uri::PathAndQuery::from_static("/"));
        Ok(Self { uri: Uri::from_parts(parts)?, header, idle: Mutex::default() })
    }

    /// The request with its host in a header, and only path and query in its URI.
    fn prepare(&self, request: Request<Bytes>) -> Request<Full<Bytes>> {
        let mut request = request.map(Full::new);
        request.headers_mut().entry(HOST).or_insert_with(|| self.header.clone());
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = path.map(Uri::from).unwrap_or_default();
        request
    }

    /// Takes the connection that was used last.
    fn kept(&self, idle_timeout: Duration) -> Option<Connection> {
        // Sockets belong to the runtime that has opened them, and end with it.
        let runtime = Handle::current().id();
        let mut idle = self.idle.lock();
        while let Some((connection, since)) = idle.pop() {
            if connection.runtime == runtime && since.elapsed() < idle_timeout {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection for the next request.
    pub(super) fn keep(&self, connection: Connection) {
        self.idle.lock().push((connection, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_header_has_no_default_port() {
        for (url, header) in [
            ("http://a:80/x?y", "a"),
            ("https://a:443/", "a"),
            ("http://a:443/", "a:443"),
            ("https://a:80/", "a:80"),
            ("http://[::1]:7071/", "[::1]:7071"),
        ] {
            let host = Host::new(&Uri::from_static(url)).unwrap();
            let request = Request::post(url).body(Bytes::new()).unwrap();
            let path = if url.ends_with("x?y") { "/x?y" } else { "/" };

            let request = host.prepare(request);

            assert_eq!(request.headers()[HOST], header, "{url}");
            assert_eq!(request.uri(), path, "{url}");
        }
    }
}
