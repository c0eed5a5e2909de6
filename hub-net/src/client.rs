//! A pooled HTTP/1.1 client. It does not follow redirects.

use std::{fmt, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
pub use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;

pub use self::{
    calls::{Proof, UpstreamCall},
    chunked::ChunkError,
    request::lines,
    response::ResponseError,
    socket::Unanswered,
};
use self::{
    pool::Pool,
    request::Plain,
    response::{Expected, Incoming},
    socket::Connector,
};
use crate::BoxError;

mod calls;
mod chunked;
mod exchange;
mod pool;
mod request;
mod response;
mod socket;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Resolves host names.
pub trait Resolver:
    Service<Name, Response: Iterator<Item = SocketAddr>, Error: Into<BoxError>, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<R> Resolver for R where
    R: Service<Name, Response: Iterator<Item = SocketAddr>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// A client with one pool for `http` and, with the feature `tls`, one for `https`. A request is repeated
/// only when the server certainly closed a pooled connection before it read the request. A response that
/// arrives while the request is being written is read.
pub struct HttpClient<R: Resolver> {
    plain: Pool<Connector<R>>,
    #[cfg(feature = "tls")]
    tls: tls::LazyClient<R>,
}

impl<R: Resolver> fmt::Debug for HttpClient<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClient")
    }
}

/// Why no response to a request arrived.
#[derive(Debug)]
pub enum RequestError {
    /// No connection could be opened, so no byte of the request was written.
    Unreachable(BoxError),
    /// The connection failed, or the server does not speak HTTP/1.1. The server may have handled the request.
    Interrupted(BoxError),
    /// The connection failed after the head of the response. The server has handled the request.
    Incomplete(BoxError),
    /// The body of the response is larger than the limit.
    TooLarge,
}

impl<R: Resolver> HttpClient<R> {
    /// Creates a client without connections. `idle_timeout` must be shorter than the time that the servers, and
    /// load balancers before them, keep idle connections: a request on a connection that is being closed is lost.
    pub fn new(resolver: R, idle_timeout: Duration) -> Self {
        Self {
            plain: Pool::new(Connector { tcp: tcp(resolver.clone()), is_tls: false }, idle_timeout),
            #[cfg(feature = "tls")]
            tls: tls::LazyClient::new(resolver, idle_timeout),
        }
    }

    /// Reads the certificates of the system. Otherwise the first request over TLS reads them.
    ///
    /// # Errors
    /// When the certificates cannot be read.
    #[cfg(feature = "tls")]
    pub fn prepare_tls(&self) -> Result<(), BoxError> {
        self.tls.get().map(drop)
    }

    /// Sends a request and reads the response, whose body has at most `max_bytes`.
    ///
    /// # Errors
    /// When no complete response arrived.
    pub async fn request(
        &self,
        request: Request<Bytes>,
        max_bytes: usize,
    ) -> Result<Response<Bytes>, RequestError> {
        let (parts, body) = request.into_parts();
        let (method, uri, headers) = (&parts.method, &parts.uri, &parts.headers);
        let is_head = method == Method::HEAD;
        let expected = Expected { is_head, wants_headers: true, max_bytes };
        let request = Plain { method, uri, headers, lines: &[], body: &body };
        let incoming = self.exchange(request, expected).await?;
        let mut response = Response::new(incoming.body);
        *response.status_mut() = incoming.status;
        *response.headers_mut() = incoming.headers;
        Ok(response)
    }

    /// Sends a POST with encoded headers ([`lines`]), and reads status and body of the response.
    ///
    /// # Errors
    /// When no complete response arrived.
    pub async fn post(
        &self,
        uri: &Uri,
        lines: &[&[u8]],
        body: &Bytes,
        max_bytes: usize,
    ) -> Result<(StatusCode, Bytes), RequestError> {
        let expected = Expected { is_head: false, wants_headers: false, max_bytes };
        let headers = &HeaderMap::new();
        let request = Plain { method: &Method::POST, uri, headers, lines, body };
        let incoming = self.exchange(request, expected).await?;
        Ok((incoming.status, incoming.body))
    }

    /// Sends an upstream call, and reads status and body of the response. After a response that offers
    /// [`calls`](crate::calls), a connection for them is opened, and later calls use it. `proof` makes the header lines that the
    /// app asks for.
    ///
    /// # Errors
    /// When no complete response arrived.
    pub async fn call(
        &self,
        call: UpstreamCall<'_>,
        proof: Proof<'_>,
    ) -> Result<(StatusCode, Bytes), RequestError> {
        if call.uri.scheme_str() == Some("http") {
            return self.plain.call(call, proof).await;
        }
        let UpstreamCall { uri, block, lines, body, max_bytes } = call;
        let all: Vec<_> = [block.lines()].into_iter().chain(lines.iter().copied()).collect();
        // Boxed: the futures of other calls are smaller without it.
        Box::pin(self.post(uri, &all, body, max_bytes)).await
    }

    async fn exchange(
        &self,
        request: Plain<'_>,
        expected: Expected,
    ) -> Result<Incoming, RequestError> {
        #[cfg(feature = "tls")]
        if request.uri.scheme_str() == Some("https") {
            let tls = self.tls.get().map_err(RequestError::Unreachable)?;
            // Boxed: the futures of other requests are smaller without it.
            return Box::pin(tls.request(request, expected)).await;
        }
        self.plain.request(request, expected).await
    }
}

impl From<RequestError> for BoxError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Unreachable(error)
            | RequestError::Interrupted(error)
            | RequestError::Incomplete(error) => error,
            RequestError::TooLarge => ResponseError::TooLarge.into(),
        }
    }
}

fn tcp<R>(resolver: R) -> HttpConnector<R> {
    let mut connector = HttpConnector::new_with_resolver(resolver);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector
}

#[cfg(feature = "tls")]
mod tls {
    use std::{sync::OnceLock, time::Duration};

    use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
    use rustls::crypto::{CryptoProvider, ring};

    use super::{BoxError, Connector, Pool, Resolver, tcp};

    /// The cryptography that the app has installed for its process, otherwise ring.
    fn provider() -> CryptoProvider {
        let installed = CryptoProvider::get_default();
        installed.map_or_else(ring::default_provider, |provider| (**provider).clone())
    }

    type TlsClient<R> = Pool<HttpsConnector<Connector<R>>>;

    /// A client that is created on first use, so that a container without certificates can call `http` URLs.
    pub(super) struct LazyClient<R: Resolver> {
        resolver: R,
        idle_timeout: Duration,
        client: OnceLock<TlsClient<R>>,
    }

    impl<R: Resolver> LazyClient<R> {
        pub(super) fn new(resolver: R, idle_timeout: Duration) -> Self {
            Self { resolver, idle_timeout, client: OnceLock::new() }
        }

        pub(super) fn get(&self) -> Result<&TlsClient<R>, BoxError> {
            if let Some(client) = self.client.get() {
                return Ok(client);
            }
            let mut tcp = tcp(self.resolver.clone());
            tcp.enforce_http(false);
            let tls = HttpsConnectorBuilder::new()
                .with_provider_and_platform_verifier(provider())?
                .https_only()
                .enable_http1()
                .wrap_connector(Connector { tcp, is_tls: true });
            Ok(self.client.get_or_init(|| Pool::new(tls, self.idle_timeout)))
        }
    }
}

#[cfg(test)]
mod tests;
